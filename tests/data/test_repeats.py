"""Images that occur more than once, and perhaps under several labels."""

import shutil

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from arcal.data import Folder, load_part
from arcal.data.contents import Contents
from arcal.data.repeats import contradicted, repeated_images, repeats


def pixels(N):
    return np.random.default_rng(0).integers(0, 256, (N, 3, 8, 8), np.uint8)


def folder(root, images):
    for i, image in enumerate(images):
        path = root / ("cat", "dog")[i % 2] / f"{i:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(path)
    return root


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 1)), max_size=12))
def test_they_are_counted_as_by_hand(inputs):
    keys, labels = [key for key, _ in inputs], torch.tensor([label for _, label in inputs])
    found = repeats(keys, labels)
    several = [key for key in keys if keys.count(key) > 1]
    doubted = [key for key in several if len({pair for pair in inputs if pair[0] == key}) > 1]
    if found is None:
        assert not several
        return
    assert (found.n, found.contradicted) == (len(several), len(doubted))
    one, other = found.pair
    assert one < other
    assert keys[one] == keys[other]
    assert (labels[one] != labels[other]) == bool(doubted)


def test_files_are_compared_by_their_bytes_and_only_read_if_one_is_as_long(tmp_path, monkeypatch):
    root = folder(tmp_path / "mine", pixels(12))
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        path.write_bytes(path.read_bytes() + bytes(1000 + i))  # a length of its own
    shutil.copy(root / "cat/004.png", root / "dog/zz.png")
    read = []
    whole = Contents.read
    monkeypatch.setattr(Contents, "read", lambda self, i: (read.append(i), whole(self, i))[1])
    part = Folder(root)
    found = repeated_images(part)
    assert found is not None
    assert (found.n, found.contradicted, len(read)) == (2, 2, 2)
    assert [part.path(i) for i in found.pair] == [root / "cat/004.png", root / "dog/zz.png"]
    small = load_part(str(root), size=4)
    assert repeated_images(small) == found
    (root / "dog/zz.png").unlink()
    assert repeated_images(part) is None  # which is said when it is read


def test_training_images_of_several_labels_are_said(tmp_path):
    root = folder(tmp_path / "train", pixels(12))
    shutil.copy(root / "cat/004.png", root / "cat/zz.png")
    assert contradicted(Folder(root)) is None
    shutil.copy(root / "cat/004.png", root / "dog/zz.png")
    line = contradicted(Folder(root))
    assert line is not None
    assert line.startswith("3 of the 14 training images occur more than once, and they have")
    assert line.endswith(f"{root}/cat/004.png is {root}/dog/zz.png")
