"""Test images that are training images are counted by what they hold."""

import io
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from arcal.data import Folder, InMemory
from arcal.data import overlap as overlap_module
from arcal.data.contents import Contents
from arcal.data.listings import Names
from arcal.data.overlap import sentence_for, shared_images, shared_with_training

NO_NAMES = Names(None, None, None, None)


def pixels(N, seed):
    return np.random.default_rng(seed).integers(0, 256, (N, 8, 8, 3), np.uint8)


def in_memory(images, name="mine/test"):
    N = len(images)
    tensor = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
    return InMemory(name, torch.arange(N), torch.arange(N) % 2, ("cat", "dog"), tensor)


def folder(root, images):
    for i, image in enumerate(images):
        path = root / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return root


def test_images_in_memory_are_compared_by_their_pixels():
    test, train = pixels(10, 0), pixels(30, 1)
    assert shared_images(in_memory(test), in_memory(train)) == 0
    assert sentence_for(in_memory(test), in_memory(train)) is None
    train[[3, 20]] = test[[0, 7]]
    train[21] = test[7]
    assert shared_images(in_memory(test), in_memory(train)) == 2
    sentence = sentence_for(in_memory(test), in_memory(train))
    assert sentence is not None
    assert sentence.startswith("2 of the 10 test images are among the training images")


def test_files_are_compared_by_their_bytes_and_only_read_if_one_is_as_long(tmp_path, monkeypatch):
    test, train = pixels(10, 0), pixels(30, 1)
    a, b = Folder(folder(tmp_path / "test", test)), Folder(folder(tmp_path / "train", train))
    for i in range(20, 30):  # what follows the image is part of the file, and makes it longer
        b.path(i).write_bytes(b.path(i).read_bytes() + bytes(1000 + i))
    assert shared_images(a, b) == 0
    shutil.copy(a.path(3), b.path(11))
    shutil.copy(a.path(4), b.path(12).with_name("0000.png"))
    again = Folder(tmp_path / "train")
    assert shared_images(a, again) == 2
    read = []
    whole = Contents.read
    monkeypatch.setattr(
        "arcal.data.contents.Contents.read", lambda self, i: (read.append(i), whole(self, i))[1]
    )
    sizes = {path.stat().st_size for path in tmp_path.rglob("test/*/*.png")}
    long = [p for p in tmp_path.rglob("train/*/*.png") if p.stat().st_size in sizes]
    fresh = Folder(tmp_path / "train")
    shared_images(a, fresh)
    assert len(read) == len(long) < len(fresh)
    monkeypatch.setattr(overlap_module, "MOST_BYTES", 10)
    assert shared_images(a, fresh) is None


def test_what_is_not_comparable_is_not_said(tmp_path):
    files = Folder(folder(tmp_path / "test", pixels(4, 0)))
    assert shared_images(in_memory(pixels(4, 0)), files) is None


@pytest.mark.parametrize("kind", ["folder", "parquet", "npz"])
def test_a_part_of_a_data_set_is_held_against_its_training_part(tmp_path, kind):
    test, train = pixels(10, 0), pixels(30, 1)
    train[5] = test[2]
    for part, images in (("test", test), ("train", train)):
        labels = np.arange(len(images)) % 2
        if kind == "folder":
            folder(tmp_path / "mine" / part, images)
        elif kind == "npz":
            arrays = dict(np.load(tmp_path / "mine.npz")) if part == "train" else {}
            arrays |= {f"{part}_images": images, f"{part}_labels": labels}
            np.savez(tmp_path / "mine.npz", **arrays)
        else:
            rows = []
            for image in images:
                file = io.BytesIO()
                Image.fromarray(image).save(file, "PNG")
                rows.append({"bytes": file.getvalue(), "path": None})
            (tmp_path / "mine").mkdir(exist_ok=True)
            pq.write_table(
                pa.table({"image": rows, "label": labels}), tmp_path / "mine" / f"{part}.parquet"
            )
    source = str(tmp_path / ("mine.npz" if kind == "npz" else "mine"))
    sentence = shared_with_training(source, None, NO_NAMES)
    assert sentence is not None
    assert sentence.startswith("1 of the 10 test images is among the training images")
    assert shared_with_training(source, "train", NO_NAMES) is None


def test_a_training_image_that_is_missing_is_no_matter_for_the_audited_part(tmp_path):
    for name, images in (("test", pixels(4, 0)), ("train", pixels(4, 1))):
        files = [path for path in folder(tmp_path / name, images).rglob("*.png")]
        rows = "".join(f"{path},{path.parent.name}\n" for path in files)
        (tmp_path / f"pets-{name}.csv").write_text(f"file_name,label\n{rows}")
    files[0].unlink()
    assert shared_with_training(str(tmp_path / "pets"), "test", NO_NAMES) is None
