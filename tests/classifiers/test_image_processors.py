"""Image processors of transformers that fail or add a border: a line or a warning, no traceback."""

from typing import Any

import pytest
import torch
from resizing import picture

from arcal.audits import NamedData, NamedModel, open_job
from arcal.audits.blocks import Settings
from arcal.classifiers import NOT_IMITATED, open_classifier
from arcal.errors import ArcalError

transformers: Any = pytest.importorskip(
    "transformers", reason="transformers is not installed: make test-all installs it"
)

NAMES = ("cat", "dog")


def saved(folder, processor):
    """A tiny ViT for images of 32 x 32, beside a processor."""
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        image_size=32, patch_size=8, id2label=dict(enumerate(NAMES)),
        label2id={name: z for z, name in enumerate(NAMES)},
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = transformers.ViTForImageClassification(config)
    transformers.utils.logging.disable_progress_bar()
    for one in (network, processor):
        one.save_pretrained(folder)
    return f"hf:{folder}"


def test_a_processor_that_cannot_resize_is_one_line(tmp_path):
    spec = saved(tmp_path, transformers.ViTImageProcessor(size={"height": 32, "width": 32}))
    file = tmp_path / "preprocessor_config.json"
    file.write_text(file.read_text().replace('"height": 32', '"height": -32'))
    with pytest.raises(ArcalError, match=r"fails on an image \(.+\): give the normalisation"):
        open_classifier(spec)
    opened = open_classifier(spec, normalize=(0.4, 0.5))
    assert opened.facts["Preprocessing"] == NOT_IMITATED


def test_a_crop_that_adds_a_border_is_warned_of_instead_of_refused(tmp_path):
    processor = transformers.CLIPImageProcessor(
        size={"shortest_edge": 28}, crop_size={"height": 32, "width": 32}
    )
    spec = saved(tmp_path / "vit", processor)
    for name in NAMES:
        (tmp_path / "photos" / name).mkdir(parents=True)
        picture(120, 180).save(tmp_path / "photos" / name / "0.png")
    model, data = NamedModel(spec), NamedData(str(tmp_path / "photos"))
    job = open_job(model, data, Settings(order=None), name="vit", panel=())
    (said,) = [one.sentence for one in job.caveats if one.title == "Preprocessing"]
    assert "does not imitate" in said
    assert "short side resized to 37, centre 32 x 32 cropped" in said
