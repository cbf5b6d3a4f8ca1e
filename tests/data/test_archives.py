import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10, CIFAR100
from toy_images import random_images

from arcal.data import load, load_part, load_test
from arcal.errors import ArcalError

NAMES = [f"class {z}" for z in range(4)]


def write(path: Path, content: dict) -> str:
    """The file as the official archives have it; its md5."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def small_archives(tmp_path, monkeypatch):
    """Both archives with 8 training and 3 test images, and torchvision told their md5."""
    rows = random_images(11, 3072)
    labels = np.arange(11) % 4

    def batch(folder, name, label, some):
        content = {"data": rows[some], label: labels[some].tolist()}
        return [name, write(tmp_path / folder / name, content)]

    for reader, files, label, names in (
        (CIFAR10, ["data_batch_1", "data_batch_2"], "labels", "label_names"),
        (CIFAR100, ["train"], "fine_labels", "fine_label_names"),
    ):
        folder = reader.base_folder
        cut = np.array_split(np.arange(8), len(files))
        train = [batch(folder, name, label, s) for name, s in zip(files, cut, strict=True)]
        test = [batch(folder, "test_batch", label, slice(8, 11))]
        meta = "batches.meta" if reader is CIFAR10 else "meta"
        md5 = write(tmp_path / folder / meta, {names: NAMES})
        monkeypatch.setattr(reader, "train_list", train)
        monkeypatch.setattr(reader, "test_list", test)
        monkeypatch.setattr(reader, "meta", {"filename": meta, "key": names, "md5": md5})
    return tmp_path, torch.from_numpy(rows).view(-1, 3, 32, 32), torch.from_numpy(labels)


@pytest.mark.parametrize("folder", [CIFAR10.base_folder, CIFAR100.base_folder])
def test_images_labels_and_ids_are_in_the_official_order(small_archives, folder):
    root, images, labels = small_archives
    data = load(str(root / folder), validation=2)
    for part in (data.train, data.validation):
        assert torch.equal(part.images(torch.arange(len(part))), images[part.ids])
        assert torch.equal(part.labels, labels[part.ids])
    assert torch.equal(data.test.images(torch.arange(3)), images[8:])
    assert data.test.ids.tolist() == [0, 1, 2]
    assert data.classes == tuple(NAMES)


def test_a_part_alone_is_the_one_that_load_reads(small_archives):
    root, images, labels = small_archives
    part = load_part(str(root / CIFAR100.base_folder))
    assert part.name == f"{CIFAR100.base_folder}/test"
    assert part.fingerprint() == load_test(str(root / CIFAR100.base_folder)).fingerprint()
    train = load_part(str(root / CIFAR10.base_folder), part="train", classes=NAMES[::-1])
    assert torch.equal(train.images(train.ids), images[:8])
    assert torch.equal(train.labels, 3 - labels[:8])
    small = load_part(str(root / CIFAR10.base_folder), size=16, channels=1, crop="squash")
    assert small.shape == (1, 16, 16)
    with pytest.raises(ArcalError, match="has no columns: leave out --weight w"):
        load_part(str(root / CIFAR10.base_folder), weight="w")


def test_a_root_that_holds_both_raises_and_one_does_not(small_archives):
    root, images, _ = small_archives
    with pytest.raises(ArcalError, match="name one of the two folders"):
        load(str(root), validation=2)
    (root / CIFAR100.base_folder).rename(root / "elsewhere")
    assert torch.equal(load(str(root), validation=2).test.images(torch.arange(3)), images[8:])


def test_a_file_that_is_not_the_official_one_is_never_unpickled(tmp_path):
    """A pickle that would write a file, under an official file's name."""
    (tmp_path / "cifar-10-batches-py").mkdir()

    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "loaded",)

    for name in [*(f"data_batch_{n}" for n in range(1, 6)), "test_batch", "batches.meta"]:
        (tmp_path / "cifar-10-batches-py" / name).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(ArcalError, match="missing or is not the official one") as raised:
        load(str(tmp_path))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize("name", ["train", "test_batch", "meta"])
def test_a_missing_and_a_damaged_file_raise(small_archives, name):
    root, _, _ = small_archives
    file = root / CIFAR100.base_folder / name
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(ArcalError, match="cifar-100-python: a file is missing or is not"):
        load(str(root / CIFAR100.base_folder), validation=2)
    file.unlink()
    with pytest.raises(ArcalError, match="cifar-100-python: a file is missing"):
        load(str(root / CIFAR100.base_folder), validation=2)
