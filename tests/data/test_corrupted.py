"""A part whose images are corrupted as they are read, and kept if there is a folder for them."""

from typing import Any

import numpy as np
import pytest
import torch
from toy_images import random_images

from arcal.data import InMemory
from arcal.data.corrupted import CorruptedImages
from arcal.data.decoded import write_mapped
from arcal.errors import ArcalError
from arcal.transforms import corrupt

NOISE = ("gaussian_noise", 3)
CHOSEN = torch.tensor([3, 1, 59])


@pytest.fixture(scope="module")
def part():
    pixels = torch.from_numpy(random_images(60, 1, 28, 28))
    ids = 3 * torch.arange(60)
    return InMemory("toy/test", ids, ids % 4, tuple("abcd"), pixels)


@pytest.fixture(scope="module")
def expected(part):
    return corrupt(part.pixels, part.ids, type="gaussian_noise", intensity=3)


def test_its_images_are_the_corrupted_images(part, expected):
    corrupted = CorruptedImages().part(part, *NOISE)
    assert torch.equal(corrupted.images(torch.arange(60)), expected)
    some = torch.tensor([5, 2])
    assert torch.equal(corrupted.subset(part.ids[some]).images(torch.arange(2)), expected[some])
    assert (len(corrupted), corrupted.shape) == (60, (1, 28, 28))
    assert torch.equal(corrupted.labels, part.labels)
    assert corrupted.name == "toy/test under gaussian_noise, intensity 3"


class OnDisk:
    """A part whose images are counted as they are read."""

    def __init__(self, part):
        self.part, self.read = part, 0

    def __getattr__(self, name):
        return getattr(self.part, name)

    def __len__(self):
        return len(self.part)

    def images(self, positions):
        self.read += len(positions)
        return self.part.images(positions)


def test_images_that_are_not_in_memory_are_corrupted_as_they_are_read(part, expected):
    lazy: Any = OnDisk(part)
    assert torch.equal(CorruptedImages().part(lazy, *NOISE).images(CHOSEN), expected[CHOSEN])
    assert lazy.read == 3


def test_every_corruption_has_a_fingerprint_of_its_own(part):
    images = CorruptedImages()
    sets = [("fog", 1), ("fog", 2), ("snow", 1)]
    fingerprints = {images.part(part, *one).fingerprint() for one in sets}
    assert len(fingerprints | {part.fingerprint()}) == 4


def test_corrupted_images_are_kept_where_there_is_a_folder_for_them(part, expected, tmp_path):
    images = CorruptedImages(cache=tmp_path)
    corrupted = images.part(part, *NOISE)
    assert torch.equal(corrupted.images(CHOSEN), expected[CHOSEN])
    (file,) = tmp_path.iterdir()
    assert np.array_equal(np.load(file, mmap_mode="r"), expected.numpy())
    before = file.stat().st_mtime_ns
    assert torch.equal(images.part(part, *NOISE).images(CHOSEN), expected[CHOSEN])
    assert file.stat().st_mtime_ns == before
    assert corrupted.fingerprint() == CorruptedImages().part(part, *NOISE).fingerprint()


def test_a_damaged_file_of_corrupted_images_is_refused(part, tmp_path):
    images = CorruptedImages(cache=tmp_path)
    images.part(part, *NOISE).images(CHOSEN)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-1000], whole[:20], b"", b"no array"):
        file.write_bytes(damaged)
        with pytest.raises(ArcalError, match="is damaged: delete it"):
            images.part(part, *NOISE).images(CHOSEN)
    write_mapped(file, (59, 1, 28, 28), [np.zeros((59, 1, 28, 28), np.uint8)])
    with pytest.raises(ArcalError, match="is not of toy/test under gaussian_noise"):
        images.part(part, *NOISE).images(CHOSEN)
