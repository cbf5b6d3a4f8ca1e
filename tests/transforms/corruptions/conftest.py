"""Official corrupted images, and clean ones to corrupt."""

import io
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image


@pytest.fixture
def official(shared):
    """20 CIFAR-10 test images `clean` uint8 (20, 32, 32, 3), each type (5, 20, 32, 32, 3)."""
    with np.load(shared / "oracles" / "cifar10c-20-images.npz") as archive:
        yield archive


@pytest.fixture
def photographs(shared):
    """The first 100 test images of CIFAR-10, uint8 (100, 3, 32, 32)."""
    return _test_images(shared / "data" / "cifar10-test.parquet")


@cache
def _test_images(file: Path):
    column = pq.read_table(file, columns=["image"])["image"]
    files = [image["bytes"] for image in column.slice(0, 100).to_pylist()]
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
