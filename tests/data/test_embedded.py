"""The subset of Fashion-MNIST in the package, against the official idx files."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from arcal.data import Data, load

OFFICIAL = [
    Path(root) / "share" / "datasets" / "fashion-mnist" for root in ("/usr", "/usr/local", "/opt")
]


@pytest.fixture(scope="module")
def fashion() -> Data:
    return load("fashion")


def test_sizes_classes_and_shape(fashion):
    assert [len(fashion.part(name)) for name in ("train", "validation", "test")] == (
        [6000, 3000, 5000]
    )
    assert fashion.shape == (1, 28, 28)
    assert fashion.classes[0] == "T-shirt/top"
    assert fashion.classes[9] == "Ankle boot"
    official_train = torch.cat([fashion.train.labels, fashion.validation.labels])
    assert official_train.bincount().tolist() == [900] * 10
    assert fashion.test.labels.bincount().tolist() == [500] * 10


@pytest.fixture(scope="module")
def official() -> Path:
    for folder in OFFICIAL:
        if folder.is_dir():
            return folder
    pytest.skip("the official files (Debian: dataset-fashion-mnist) are not installed")


@pytest.mark.parametrize(("name", "prefix"), [("train", "train"), ("test", "t10k")])
def test_images_and_labels_are_the_official_ones_by_id(fashion, official, name, prefix):
    images = gzip.decompress((official / f"{prefix}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((official / f"{prefix}-labels-idx1-ubyte.gz").read_bytes())
    part = fashion.part(name)
    ids = part.ids[::50]
    pixels = part.images(torch.arange(len(part))[::50])
    for id, image, label in zip(ids.tolist(), pixels, part.labels[::50], strict=True):
        expected = np.frombuffer(images, np.uint8, 784, offset=16 + 784 * id)
        assert np.array_equal(image.numpy().reshape(-1), expected)
        assert label == labels[8 + id]
