import pickle
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.format import open_memmap
from toy_images import random_images

from arcal.data import InMemory, Part, batches
from arcal.data.official_corruptions import official_types, open_official
from arcal.errors import ArcalError

N = 40  # images of the small test set, 10,000 in the real ones
CLASSES = tuple(f"class {z}" for z in range(10))


def write(root: Path, labels: np.ndarray, types=("fog", "snow"), repeat: int = 5) -> Path:
    """A small set in the official layout: `labels` repeated, random images."""
    root.mkdir(exist_ok=True)
    np.save(root / "labels.npy", np.tile(labels, repeat))
    for seed, type in enumerate(types):
        np.save(root / f"{type}.npy", random_images(5 * len(labels), 32, 32, 3, seed=seed))
    return root


@pytest.fixture
def clean() -> InMemory:
    pixels = torch.from_numpy(random_images(N, 3, 32, 32, seed=9))
    labels = torch.from_numpy(np.random.default_rng(1).integers(0, 10, N))
    return InMemory("toy/test", torch.arange(N), labels, CLASSES, pixels)


@pytest.fixture
def root(tmp_path, clean) -> Path:
    return write(tmp_path / "CIFAR-10-C", clean.labels.numpy().astype(np.uint8))


def test_types_are_those_there_in_one_order(root, tmp_path):
    np.save(root / "gaussian_noise.npy", np.zeros(1))
    np.save(root / "notes.npy", np.zeros(1))
    assert official_types(root) == ("gaussian_noise", "snow", "fog")
    for nothing in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ArcalError, match="holds no corrupted set: give a folder with labels"):
            official_types(nothing)


@pytest.mark.parametrize("intensity", [1, 2, 5])
def test_images_are_the_rows_of_the_intensity_by_id(root, clean, intensity):
    part: Part = open_official(root, "snow", intensity, clean)
    rows = np.load(root / "snow.npy")[(intensity - 1) * N : intensity * N]
    expected = torch.from_numpy(rows).permute(0, 3, 1, 2)
    assert torch.equal(part.images(torch.arange(N)), expected)
    assert (part.shape, part.classes, len(part)) == ((3, 32, 32), CLASSES, N)
    assert part.name == f"toy/test under official snow, intensity {intensity}"
    assert torch.equal(part.ids, clean.ids)
    assert torch.equal(part.labels, clean.labels)

    some = open_official(root, "snow", intensity, clean.subset(torch.tensor([31, 4, 17])))
    assert torch.equal(some.images(torch.tensor([2, 0])), expected[[17, 31]])
    assert some.labels.tolist() == clean.labels[[31, 4, 17]].tolist()
    again = part.subset(torch.tensor([31, 4, 17]))
    assert torch.equal(again.images(torch.arange(3)), expected[[31, 4, 17]])
    assert again.fingerprint() == some.fingerprint()


def test_the_fingerprint_is_that_of_the_same_images_in_memory(root, clean):
    part = open_official(root, "fog", 3, clean)
    assert part.fingerprint() == replace(clean, pixels=part.images(torch.arange(N))).fingerprint()
    others = [open_official(root, "fog", 2, clean), open_official(root, "snow", 3, clean)]
    others.append(part.subset(torch.arange(5)))
    assert len({part.fingerprint(), *(other.fingerprint() for other in others)}) == 4


@pytest.fixture(scope="module")
def real_size(tmp_path_factory) -> tuple[Path, np.ndarray]:
    """An array of the official size, 154 MB, of which next to nothing is on the disk."""
    root = tmp_path_factory.mktemp("CIFAR-10-C")
    labels = np.random.default_rng(0).integers(0, 10, 10_000)
    np.save(root / "labels.npy", np.tile(labels, 5))
    shape = (50_000, 32, 32, 3)
    rows = open_memmap(root / "fog.npy", mode="w+", dtype=np.uint8, shape=shape)
    rows[40_007] = 77
    return root, labels


def test_a_batch_does_not_load_the_file(real_size):
    root, labels = real_size
    ids = torch.arange(10_000)
    pixels = torch.zeros(1, 3, 32, 32, dtype=torch.uint8).expand(10_000, -1, -1, -1)
    clean = InMemory("c/test", ids, torch.from_numpy(labels), CLASSES, pixels)
    assert (root / "fog.npy").stat().st_size > 150e6
    tracemalloc.start()
    part = open_official(root, "fog", 5, clean)
    opened = pickle.dumps(part)
    first = next(batches(part, 100))[1]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3e6
    assert len(opened) < 1e6  # what a worker process is sent
    assert (first[7] == 77).all()
    assert int((first != 0).sum()) == 3 * 32 * 32


def refused(root: Path, clean: Part, message: str, type: str = "fog", intensity: int = 1) -> None:
    with pytest.raises(ArcalError, match=message) as raised:
        open_official(root, type, intensity, clean)
    assert "\n" not in str(raised.value)


def test_labels_in_another_order_are_refused_with_the_row(root, clean):
    other = clean.labels.clone()
    other[[7, 30]] = (other[[7, 30]] + 1) % 10
    refused(
        root, replace(clean, labels=other), rf"in row 7 \(label {clean.labels[7]}, not {other[7]}"
    )
    shuffled = clean.subset(torch.arange(N).flip(0))
    refused(root, replace(shuffled, labels=other.flip(0)), "in row 7 .*2 of 40 differ.*column `id`")
    open_official(root, "fog", 1, shuffled)  # by id, wherever it lies
    far = replace(clean, ids=clean.ids + 3)
    refused(root, far, "toy/test has ids from 3 to 42, but .*labels.npy has 40 images")
    refused(root, replace(clean, ids=clean.ids - 1), "ids from -1 to 38")


def test_what_is_not_there_is_named(root, clean):
    refused(root, clean, "has no corruption 'frost': choose from snow, fog", type="frost")
    refused(root, clean, "intensity 6 of fog is unknown: choose 1 to 5", intensity=6)
    (root / "labels.npy").unlink()
    refused(root, clean, r"labels.npy cannot be read as an array \(.*No such file")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            np.zeros((199, 32, 32, 3), np.uint8),
            r"fog.npy is uint8 of shape \(199,.*need uint8 of",
        ),
        (np.zeros((200, 32, 32, 3), np.float32), "fog.npy is float32"),
        (
            np.zeros((200, 3, 32, 32), np.uint8),
            r"toy/test need uint8 of shape \(200, 32, 32, 3\)",
        ),
        (np.array([{}], dtype=object), "fog.npy cannot be read as an array"),
    ],
)
def test_another_array_is_refused(root, clean, array, message):
    np.save(root / "fog.npy", array)
    refused(root, clean, message)
