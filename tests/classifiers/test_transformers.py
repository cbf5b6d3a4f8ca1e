"""Image classifiers of transformers, held against its own processors, and what is refused."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from resizing import picture, preprocessed, to_tensor
from tiny_transformers import NAMES, NUMBERED, TINY, bert, saved, tokenizer, transformers

from arcal.auditing import check_model
from arcal.audits import NamedData, NamedModel, open_job
from arcal.audits.blocks import Settings
from arcal.classifiers import NOT_IMITATED, check_class_names, open_classifier
from arcal.data.views import View
from arcal.errors import ArcalError


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def vit(size=32, channels=3, **options):
    config = transformers.ViTConfig(
        **TINY, image_size=size, patch_size=8, num_channels=channels, **NUMBERED, **options
    )
    return transformers.ViTForImageClassification(config)


# Images


PROCESSORS = {
    "both sides": ("ViT", {"size": {"height": 32, "width": 32}, "image_mean": [0.1, 0.2, 0.3]}),
    "bicubic": ("ViT", {"size": {"height": 32, "width": 32}, "resample": 3}),
    "lanczos": ("ViT", {"size": {"height": 32, "width": 32}, "resample": 1}),
    "short side": ("CLIP", {"size": {"shortest_edge": 36}, "crop_size": 32}),
    "both, then a crop": ("DeiT", {"size": {"height": 40, "width": 40}, "crop_size": 32}),
    "by a share": ("ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.8}),
    "more than it names": ("Levit", {"size": {"shortest_edge": 32}, "crop_size": 32}),
    "squashed": ("ConvNext", {"size": {"shortest_edge": 384}}),
    "normalised twice": ("EfficientNet", {"size": {"height": 32, "width": 32}, "resample": 2}),
    "not normalised": ("ViT", {"size": {"height": 32, "width": 32}, "do_normalize": False}),
}


@pytest.mark.parametrize("kind", PROCESSORS)
def test_logits_are_those_of_the_processor_and_the_network(kind, tmp_path):
    name, options = PROCESSORS[kind]
    processor = getattr(transformers, f"{name}ImageProcessor")(**options)
    network, folder = saved(vit(384 if kind == "squashed" else 32), tmp_path, processor)
    opened = open_classifier(f"hf:{folder}")
    assert opened.preprocessing is not None
    assert opened.class_names == NAMES
    assert opened.input_shape == (3, *opened.preprocessing.size)
    side = opened.preprocessing.size[0]
    for image in (picture(400, 300), picture(side, side)):
        batch = processor(images=np.array(image), return_tensors="pt")
        with torch.no_grad():
            expected = network(**batch).logits
            logits = opened.model(preprocessed(image, opened.preprocessing)[None])
        spread = expected.max() - expected.min()
        assert (logits - expected).abs().max() < 0.05 * spread  # Pillow rounds in another way
    x = to_tensor(picture(side, side))[None]
    steps = ("do_resize", "do_center_crop")
    off = {step: False for step in steps if getattr(processor, step, None) is not None}
    batch = processor(images=(255 * x[0]).byte(), return_tensors="pt", **off)
    torch.testing.assert_close(opened.model(x), network(**batch).logits, rtol=1e-5, atol=1e-5)
    check_model(opened.model, torch.rand(3, 3, side, side), classes=3)


@pytest.mark.parametrize("name", ["CLIP", "Levit"])
def test_the_crop_of_a_picture_of_any_size_is_the_processors_to_the_pixel(name, tmp_path):
    kind = getattr(transformers, f"{name}ImageProcessor")
    processor = kind(size={"shortest_edge": 36}, crop_size=32)
    how = open_classifier(f"hf:{saved(vit(), tmp_path, processor)[1]}").preprocessing
    assert how is not None
    assert how.round_down
    short: Any = how.resize
    for width, height in ((short + 3, short), (short, short + 7), (short + 2, short)):
        image = picture(width, height)
        x = processor(images=np.array(image), return_tensors="pt", do_normalize=False)
        ours = View(3, 32, 32, short, round_down=True).read(encoded(image), "here")
        assert np.abs(255 * x["pixel_values"][0].numpy() - ours).max() < 1


def encoded(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return io.BytesIO(file.getvalue())


def test_a_processor_that_turns_colours_around_is_refused(tmp_path):
    processor = transformers.MobileViTImageProcessor(size={"shortest_edge": 36}, crop_size=32)
    _, folder = saved(vit(), tmp_path, processor)
    with pytest.raises(ArcalError, match="does more than scale each channel by itself"):
        open_classifier(f"hf:{folder}")


def test_a_normalisation_that_is_given_needs_no_processor(tmp_path):
    network, folder = saved(vit(), tmp_path)
    with pytest.raises(ArcalError, match=r"no preprocessor_config.json.*or give the normalisation"):
        open_classifier(f"hf:{folder}")
    opened = open_classifier(f"hf:{folder}", normalize=(0.5, 0.25))
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(opened.model(x), network((x - 0.5) / 0.25).logits)
    assert (opened.input_shape, opened.preprocessing) == ((3, 32, 32), None)


def test_a_normalisation_that_is_given_leaves_the_size_and_crop_to_the_processor(tmp_path):
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 36}, crop_size=32)
    _, folder = saved(vit(), tmp_path, processor)
    opened = open_classifier(f"hf:{folder}", normalize=(0.5, 0.25))
    assert opened.preprocessing == open_classifier(f"hf:{folder}").preprocessing is not None
    assert opened.facts["Normalisation"] == "mean 0.5, deviation 0.25, as given"


CROPPED_FIRST = {"size": {"height": 32, "width": 32}, "crop_size": {"height": 40, "width": 40}}


def test_images_that_are_resized_otherwise_than_by_the_processor_are_warned_of(tmp_path):
    processor = transformers.PerceiverImageProcessor(**CROPPED_FIRST)
    _, folder = saved(vit(), tmp_path, processor)
    opened = open_classifier(f"hf:{folder}")
    assert (opened.preprocessing, opened.facts["Preprocessing"]) == (None, NOT_IMITATED)
    for side, words in ((48, ["short side resized to 37, centre 32 x 32 cropped"]), (32, [])):
        for name in NAMES:
            (tmp_path / str(side) / name).mkdir(parents=True)
            picture(side, side).save(tmp_path / str(side) / name / "0.png")
        model, data = NamedModel(f"hf:{folder}"), NamedData(str(tmp_path / str(side)))
        job = open_job(model, data, Settings(order=None), name="vit", panel=())
        said = [one.sentence for one in job.caveats if one.title == "Preprocessing"]
        assert len(said) == len(words)
        assert all(word in line for word, line in zip(words, said, strict=True))


def test_half_precision_runs_in_float32_and_names_are_held_against_the_datas(tmp_path):
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    _, folder = saved(vit().half(), tmp_path, processor)
    opened = open_classifier(f"hf:{folder}")
    assert opened.model(torch.rand(2, 3, 32, 32)).dtype == torch.float32
    assert opened.class_names is not None
    with pytest.raises(ArcalError, match="in another order"):
        check_class_names(opened.class_names, ["Dog", "Cat", "Fox"])


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_weights_of_torch_save_are_read_and_nothing_else_is_unpickled(tmp_path):
    network, folder = saved(vit(), tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    opened, x = open_classifier(f"hf:{folder}", normalize="none"), torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(opened.model(x), network(x).logits)
    assert opened.facts["Weights"].startswith("pytorch_model.bin, SHA-256 ")
    evil = {**network.state_dict(), "hook": Evil(tmp_path / "ran")}
    torch.save(evil, folder / "pytorch_model.bin")
    with pytest.raises(ArcalError, match="cannot be opened by transformers"):
        open_classifier(f"hf:{folder}", normalize="none")
    assert not (tmp_path / "ran").exists()


# One line


def test_a_classifier_that_was_not_trained_is_one_line(tmp_path):
    config = transformers.BertConfig(**TINY, vocab_size=20)
    _, folder = saved(transformers.BertModel(config), tmp_path)
    with pytest.raises(ArcalError, match="is BertModel: a classifier of images or texts is needed"):
        open_classifier(f"hf:{folder}")
    about = json.loads((folder / "config.json").read_text())
    about["architectures"] = ["BertForSequenceClassification"]
    (folder / "config.json").write_text(json.dumps(about))
    with pytest.raises(ArcalError, match=r"no weights that fit classifier.bias and 1 more"):
        open_classifier(f"hf:{folder}")


@pytest.mark.parametrize(
    "options",
    [{"num_labels": 1}, {"problem_type": "multi_label_classification"}],
)
def test_what_is_no_choice_of_one_class_is_one_line(options, tmp_path):
    _, folder = saved(bert(**TINY, **options), tmp_path / "net", tokenizer(tmp_path))
    with pytest.raises(ArcalError, match="chooses one of its classes"):
        open_classifier(f"hf:{folder}")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"architectures": None}, "of an unknown architecture"),
        ({"model_type": "unheard-of"}, "cannot be opened by transformers"),
        ({"model_type": "unheard-of", "auto_map": {
            "AutoConfig": "evil.Config", "AutoModelForImageClassification": "evil.Model",
        }}, "cannot be opened by transformers"),
        ({"hidden_size": 8}, "no weights that fit|cannot be opened"),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_fit_is_one_line(change, says, tmp_path):
    _, folder = saved(vit(), tmp_path)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(about | change))
    with pytest.raises(ArcalError, match=says) as caught:
        open_classifier(f"hf:{folder}", normalize="none")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_folders_of_other_kinds_are_one_line(tmp_path):
    with pytest.raises(
        ArcalError, match="is not a folder: give a folder that save_pretrained wrote"
    ):
        open_classifier(f"hf:{tmp_path / 'nothing'}")
    with pytest.raises(ArcalError, match="`hf download someone/net --local-dir net`"):
        open_classifier("hf:someone/net")
    with pytest.raises(ArcalError, match=r"has no config.json"):
        open_classifier(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ArcalError, match="is damaged"):
        open_classifier(f"hf:{tmp_path}")
    (tmp_path / "config.json").write_text('{"architecture": "resnet18", "num_classes": 3}')
    with pytest.raises(ArcalError, match="name it timm:resnet18"):
        open_classifier(f"hf:{tmp_path}")
