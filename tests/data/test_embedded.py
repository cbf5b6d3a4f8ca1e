"""The subset of Fashion-MNIST in the package, against the official idx files."""

import gzip
import importlib.util
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from arcal.data import Data, load
from arcal.data.sources import EMBEDDED

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


def test_ids_ascend_and_the_parts_are_disjoint(fashion):
    for part in (fashion.train, fashion.validation, fashion.test):
        assert part.ids.diff().min() > 0
    assert not set(fashion.train.ids.tolist()) & set(fashion.validation.ids.tolist())
    assert int(fashion.train.ids.max()) < 60_000
    assert int(fashion.test.ids.max()) < 10_000


@pytest.fixture(scope="module")
def official() -> Path:
    for folder in OFFICIAL:
        if folder.is_dir():
            return folder
    pytest.skip("the official files (Debian: dataset-fashion-mnist) are not installed")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "make_embedded_fashion.py"
    spec = importlib.util.spec_from_file_location("make_embedded_fashion", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_the_script_draws_these_images(fashion, official, script):
    ids = torch.cat([fashion.train.ids, fashion.validation.ids]).sort().values
    for part, prefix, N, count, drawn in (
        ("train", "train", 60_000, 900, ids),
        ("test", "t10k", 10_000, 500, fashion.test.ids),
    ):
        labels = script.read_idx(official, f"{prefix}-labels-idx1-ubyte", 2049, (N,))
        assert script.draw(labels, count, part) == drawn.tolist()


def test_the_script_refuses_files_that_are_not_the_official_ones(tmp_path, script):
    with pytest.raises(SystemExit, match="holds neither labels nor"):
        script.read_idx(tmp_path, "labels", 2049, (3,))
    for header, length in (((2051, 3), 3), ((2049, 4), 3), ((2049, 3), 2), ((2049, 3), 4)):
        (tmp_path / "labels").write_bytes(struct.pack(">2i", *header) + bytes(length))
        with pytest.raises(SystemExit, match="labels: "):
            script.read_idx(tmp_path, "labels", 2049, (3,))
    (tmp_path / "labels").write_bytes(struct.pack(">2i", 2049, 3) + bytes([1, 2, 3]))
    assert script.read_idx(tmp_path, "labels", 2049, (3,)).tolist() == [1, 2, 3]


def test_it_is_small_and_carries_its_licence():
    files = sorted(path.name for path in EMBEDDED.iterdir())
    assert files == ["LICENSE", "fashion-test.parquet", "fashion-train.parquet"]
    assert sum(path.stat().st_size for path in EMBEDDED.iterdir()) < 6_000_000
    text = (EMBEDDED / "LICENSE").read_text()
    assert "Copyright (c) 2017 Zalando SE" in text
    assert "Permission is hereby granted, free of charge" in text
