import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_images import random_images

from arcal.data import Folder, InMemory, Part, batches
from arcal.data.images import read_upright
from arcal.data.official_corruptions import official_types, open_official
from arcal.data.views import View
from arcal.errors import ArcalError

CLASSES = ("n01", "n02", "n03")


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """val: 12 smooth images over 3 classes, named as ImageNet's. C: its fog 1 and 3, officially
    laid out: the images cut to 224 x 224 and made brighter."""
    root = tmp_path_factory.mktemp("built")
    for at, low in enumerate(random_images(12, 4, 4, 3)):
        size = [(300, 260), (256, 256), (240, 330)][at % 3]
        image = Image.fromarray(low).resize(size, Image.Resampling.BICUBIC)
        path = root / "val" / CLASSES[at % 3] / f"ILSVRC2012_val_{at:08}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, quality=95)
        cut = View(3, 224, 224, resize=256).resized(read_upright(path, "", rgb=True))
        for intensity in (1, 3):
            corrupted = root / "C" / "fog" / str(intensity) / path.parent.name / path.name
            corrupted.parent.mkdir(parents=True, exist_ok=True)
            brighter = cut.point([min(255, v + 20 * intensity) for v in range(256)] * 3)
            brighter.save(corrupted, format="BMP")  # lossless, and quickly written
    return root


@pytest.fixture
def clean(built) -> Folder:
    return Folder(built / "val", name="imagenet/val")


@pytest.fixture
def root(built) -> Path:
    return built / "C"


@pytest.fixture
def copied(root, tmp_path) -> Path:
    """One to damage."""
    return shutil.copytree(root, tmp_path / "C")


def brighter(images: torch.Tensor, intensity: int) -> torch.Tensor:
    return (images.int() + 20 * intensity).clamp(max=255).to(torch.uint8)


def test_images_are_those_of_the_same_name_and_are_not_cropped_again(root, clean):
    assert official_types(root) == ("fog",)
    every = torch.arange(12)
    for intensity in (1, 3):
        part: Part = open_official(root, "fog", intensity, clean)
        assert torch.equal(part.images(every), brighter(clean.images(every), intensity))
        assert (part.shape, part.classes) == ((3, 224, 224), CLASSES)
        assert torch.equal(part.ids, clean.ids)
        assert torch.equal(part.labels, clean.labels)
        assert part.name == f"imagenet/val under official fog, intensity {intensity}"


def test_subsets_keep_ids_whichever_comes_first(root, clean):
    ids = torch.tensor([11, 2, 7])
    before = open_official(root, "fog", 3, clean.subset(ids, "imagenet/test"))
    after = open_official(root, "fog", 3, clean).subset(ids)
    assert before.ids.tolist() == after.ids.tolist() == [11, 2, 7]
    expected = brighter(clean.images(ids), 3)
    for part in (before, after):
        assert torch.equal(part.images(torch.arange(3)), expected)
        assert torch.equal(next(batches(part, 2))[1], expected[:2])
    assert before.fingerprint() == after.fingerprint()
    assert before.fingerprint() != open_official(root, "fog", 1, clean).subset(ids).fingerprint()


def test_another_size_sees_the_same_field_of_view(root, clean):
    small = Folder(clean.root, size=56)
    part = open_official(root, "fog", 1, small)
    assert part.shape == (3, 56, 56)
    every = torch.arange(12)
    expected = brighter(small.images(every), 1).double()
    gap = (part.images(every) - expected).abs().mean()
    cropped_again = (Folder(root / "fog" / "1", size=56).images(every) - expected).abs().mean()
    assert gap < 1  # of 255: resampled twice instead of once
    assert cropped_again > 10 * gap


def refused(root: Path, clean: Part, message: str, intensity: int = 1) -> None:
    with pytest.raises(ArcalError, match=message) as raised:
        open_official(root, "fog", intensity, clean)
    assert "\n" not in str(raised.value)


def test_incomplete_sets_are_refused(copied, clean):
    refused(copied, clean, "fog/2/n01 is missing", intensity=2)
    path = copied / "fog" / "1" / "n02"
    name = clean.path(5).name
    path.joinpath(name).rename(path / "other.JPEG")
    refused(copied, clean, f"n02/{name} is missing, one of 1 images of imagenet/val")
    open_official(copied, "fog", 1, clean.subset(torch.tensor([0, 11])))  # these two are complete
    for file in path.iterdir():
        file.unlink()
    refused(copied, clean, "n02 holds no image file")
    shutil.rmtree(path)
    refused(copied, clean, "fog/1/n02 is missing, but imagenet/val has images of that class")


def test_more_images_than_the_clean_part_has_do_not_shift_ids(copied, clean):
    for folder in (copied / "fog" / "1").iterdir():
        shutil.copy(next(folder.iterdir()), folder / "A_first.JPEG")
    (copied / "fog" / "1" / "a00").mkdir()
    part = open_official(copied, "fog", 1, clean)
    assert torch.equal(part.images(torch.arange(12)), brighter(clean.images(torch.arange(12)), 1))


def test_what_cannot_be_matched_or_is_no_central_square_is_refused(copied, clean):
    pixels = torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    one = torch.tensor([0])
    refused(
        copied, InMemory("p/test", one, one, ("a",), pixels), "p/test is not a folder of images"
    )
    part = open_official(copied, "fog", 3, clean)
    path = copied / "fog" / "3" / "n02" / clean.path(4).name
    Image.fromarray(np.zeros((224, 300, 3), np.uint8)).save(path, format="PNG")
    with pytest.raises(ArcalError, match="is 300 x 224 pixels, not 224 x 224 like all") as raised:
        part.images(torch.tensor([4]))
    assert str(path) in str(raised.value)
