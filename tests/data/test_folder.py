import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2
from toy_images import random_images

from arcal.data import Folder, batches, load, load_part, load_test
from arcal.data.images import read_upright
from arcal.errors import ArcalError
from arcal.transforms.augment import random_boxes

SIZES = [(40, 60), (60, 40), (33, 47), (300, 260), (64, 64)]  # (H, W)


def fill(root: Path, count: int, classes: int, *, seed: int = 0) -> Path:
    """`count` smooth images of several sizes, in turn over the classes and the suffixes."""
    suffixes = [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".png", "PNG"), (".webp", "WEBP")]
    for at, low in enumerate(random_images(count, 4, 4, 3, seed=seed)):
        height, width = SIZES[at % len(SIZES)]
        image = Image.fromarray(low).resize((width, height), Image.Resampling.BICUBIC)
        suffix, kind = suffixes[at % len(suffixes)]
        path = root / f"n{at % classes:02}" / f"{at:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, format=kind)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("folder"), 40, 3)


@pytest.mark.parametrize("size", [224, 32])
def test_order_and_pixels_are_those_of_torchvision(root, size):
    ours = Folder(root, size=size, name="toy")
    peer = ImageFolder(root)
    assert ours.classes == tuple(peer.classes)
    assert ours.labels.tolist() == peer.targets
    assert [str(ours.path(at)) for at in range(len(ours))] == [path for path, _ in peer.samples]
    view = v2.Compose([v2.Resize(round(256 * size / 224)), v2.CenterCrop(size), v2.PILToTensor()])
    images = ours.images(ours.ids)
    assert images.shape == (40, *ours.shape)
    assert images.dtype == torch.uint8
    for at in range(40):
        assert torch.equal(images[at], view(peer[at][0]))


def test_construction_opens_no_image(tmp_path, root):
    """300 files, all damaged: all is known of them but their pixels."""
    names = [tmp_path / f"n{at % 5}" / f"{at}.JPEG" for at in range(300)]
    for name in names:
        name.parent.mkdir(exist_ok=True)
        name.write_bytes(b"no image")
    part = Folder(tmp_path)
    assert (len(part), part.shape, len(part.classes)) == (300, (3, 224, 224), 5)
    half = part.subset(part.ids[::2])
    assert half.labels.tolist() == part.labels[::2].tolist()
    assert half.fingerprint() != part.fingerprint()
    shutil.copy(next(root.glob("*/*.jpg")), half.path(3))
    assert half.images(torch.tensor([3])).shape == (1, 3, 224, 224)
    with pytest.raises(ArcalError, match=r"JPEG: the image cannot be read \(no known") as raised:
        half.images(torch.tensor([3, 1]))
    assert str(raised.value).startswith(str(half.path(1)))
    assert "\n" not in str(raised.value)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # where there is one core only
@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_file_is_one_line_that_names_it_in_workers_too(tmp_path, root, workers):
    shutil.copytree(root, tmp_path / "copy")
    part = Folder(tmp_path / "copy", size=16)
    damaged = part.path(25)
    damaged.write_bytes(damaged.read_bytes()[:60])
    walk = batches(part, 10, workers=workers)
    assert next(walk)[0].tolist() == list(range(10))
    next(walk)
    with pytest.raises(ArcalError, match=f"^{damaged}: the image cannot be read") as raised:
        next(walk)
    assert "\n" not in str(raised.value)
    damaged.unlink()
    with pytest.raises(ArcalError, match=f"^{damaged}: the image cannot be read"):
        part.images(torch.tensor([25]))
    with pytest.raises(ArcalError, match=f"^{damaged} cannot be read"):
        part.fingerprint()


def test_every_mode_becomes_rgb(tmp_path):
    grey = np.full((20, 20), 77, np.uint8)
    (tmp_path / "a").mkdir()
    image = Image.fromarray(grey)
    image.save(tmp_path / "a" / "0.png")
    image.convert("RGBA").save(tmp_path / "a" / "1.png")
    image.convert("P").save(tmp_path / "a" / "2.png", transparency=b"\x80" * 256)
    image.convert("CMYK").save(tmp_path / "a" / "3.jpg")
    image.convert("LA").save(tmp_path / "a" / "4.png")
    part = Folder(tmp_path, size=8)
    assert (part.images(part.ids).int() - 77).abs().max() <= 1  # 1: JPEG


def test_subset_keeps_ids_and_order(root):
    part = Folder(root, size=16)
    some = part.subset(torch.tensor([30, 2, 11]))
    assert some.ids.tolist() == [30, 2, 11]
    assert torch.equal(some.images(torch.tensor([0, 2])), part.images(torch.tensor([30, 11])))
    with pytest.raises(ArcalError, match="has no id 3"):
        some.subset(torch.tensor([3]))
    with pytest.raises(ArcalError, match="id 2 occurs more than once"):
        part.subset(torch.tensor([2, 2]))


def test_the_fingerprint_knows_names_and_sizes_but_not_where_the_folder_is(root, tmp_path):
    shutil.copytree(root, tmp_path / "copy")
    part = Folder(tmp_path / "copy")
    before = part.fingerprint()
    assert before == Folder(root).fingerprint()
    assert before != Folder(root, size=32).fingerprint()
    with part.path(0).open("ab") as file:
        file.write(b"x")
    assert part.fingerprint() != before


def test_random_views_are_boxes_of_the_whole_image_in_its_own_resolution(root):
    part = Folder(root, size=32)
    drawn = part.at_random(torch.Generator().manual_seed(0))
    draws = torch.rand(5, 40, generator=torch.Generator().manual_seed(0)).double()
    views = drawn.images(part.ids)
    assert torch.equal(views[[7, 2]], drawn.images(torch.tensor([7, 2])))
    assert torch.equal(drawn.subset(torch.tensor([30, 2])).images(torch.tensor([1])), views[[2]])
    assert 10 < (draws[4] < 0.5).sum() < 30
    for at in range(40):
        image = read_upright(part.path(at), "", rgb=True)
        size = torch.tensor([[image.height, image.width]])
        ((top, left, height, width),) = random_boxes(size, draws[:4, at : at + 1])
        pixels = v2.functional.pil_to_tensor(image).double()
        y = (2 * (top + (torch.arange(32) + 0.5) * height / 32)) / image.height - 1
        x = (2 * (left + (torch.arange(32) + 0.5) * width / 32)) / image.width - 1
        x = x.flip(0) if draws[4, at] < 0.5 else x
        places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2)[None].double()
        expected = F.grid_sample(pixels[None], places, padding_mode="border", align_corners=False)
        # The images are smooth, and bicubic and antialiased is not linear: near is all there is.
        assert (views[at] - expected[0]).abs().mean() < 4
    assert (drawn.images(part.ids).float() - part.images(part.ids).float()).abs().mean() > 10
    again = part.at_random(torch.Generator().manual_seed(1)).images(part.ids)
    assert not torch.equal(again, views)


def test_empty_folders_raise(tmp_path):
    with pytest.raises(ArcalError, match="has no class folders"):
        Folder(tmp_path / "missing")
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    with pytest.raises(ArcalError, match="cat holds no image file"):
        Folder(tmp_path)
    (tmp_path / "cat" / "kittens").mkdir()
    with pytest.raises(ArcalError, match="kittens is a folder within a class"):
        Folder(tmp_path)  # whose images would be left out
    for size, message in ((0, "at least 1 pixel"), (20_000, "at most 16,384")):
        with pytest.raises(ArcalError, match=f"size must be {message}"):
            Folder(tmp_path, size=size)


def test_load_splits_the_validation_off_train(tmp_path):
    fill(tmp_path / "train", 20, 2)
    fill(tmp_path / "test", 8, 2, seed=1)
    data = load(str(tmp_path), validation=5, size=20)
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [15, 5, 8]
    assert data.shape == (3, 20, 20)
    ids = data.train.ids.tolist() + data.validation.ids.tolist()
    assert sorted(ids) == list(range(20))
    assert data.test.name == f"{tmp_path.name}/test"
    official = Folder(tmp_path / "train", size=20)
    at = torch.arange(5)
    assert torch.equal(data.validation.images(at), official.images(data.validation.ids[at]))
    usual = load(str(tmp_path), size=20)
    assert (len(usual.train), len(usual.validation)) == (18, 2), "a tenth"


def test_load_takes_the_validation_part_that_is_there(tmp_path):
    for seed, (part, count) in enumerate((("train", 6), ("val", 4), ("test", 2))):
        fill(tmp_path / part, count, 2, seed=seed)
    data = load(str(tmp_path))
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [6, 4, 2]
    assert data.shape == (3, 224, 224)
    assert data.validation.fingerprint() == Folder(tmp_path / "val").fingerprint()


def test_load_halves_val_where_there_is_no_labelled_test(tmp_path):
    """Appendix A.3, with ImageNet's unlabelled test folder beside the other two."""
    fill(tmp_path / "train", 10, 2)
    fill(tmp_path / "val", 21, 2, seed=1)
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "1.JPEG").touch()
    data = load(str(tmp_path))
    assert [len(data.part(name)) for name in ("train", "validation", "test")] == [10, 10, 11]
    validation, test = data.validation.ids.tolist(), data.test.ids.tolist()
    assert sorted(validation + test) == list(range(21))
    assert validation == sorted(validation)
    assert load(str(tmp_path), split_seed=1).test.ids.tolist() != test
    assert len(load(str(tmp_path), validation=4).validation) == 4


def test_parts_with_different_classes_raise(tmp_path):
    fill(tmp_path / "train", 10, 2)
    fill(tmp_path / "test", 9, 3)
    with pytest.raises(ArcalError, match=r"test/\S+ is of a class that the training images lack"):
        load(str(tmp_path), validation=2)


def test_images_alone_are_other_data_whatever_their_sizes(tmp_path):
    for i, size in enumerate([(40, 30), (40, 30), (50, 30)]):
        Image.new("RGB", size, (i, 0, 0)).save(tmp_path / f"{i}.png")
    part = load_test(str(tmp_path))
    assert (len(part), part.shape, part.labels.tolist()) == (3, (3, 224, 224), [0, 0, 0])
    assert load_test(str(tmp_path), size=(20, 24)).shape == (3, 20, 24)
    (tmp_path / "2.png").unlink()
    assert load_test(str(tmp_path)).shape == (3, 30, 40)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_link_to_an_image_is_one_and_a_broken_link_is_not_left_out_in_silence(tmp_path):
    root = fill(tmp_path / "photos", 6, 2)
    (root / "n00" / "link.png").symlink_to(root / "n00" / "002.png")
    assert len(load_part(str(root), size=8)) == len(Folder(root, size=8)) == 7
    broken = root / "n01" / "gone.png"
    broken.symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(ArcalError, match=r"n01/gone\.png: the image cannot be read \(No such file"):
        load_part(str(root), size=8)
    part = load_part(str(root), size=8, skip_broken=True)
    assert ([one.where for one in part.skipped], len(part)) == ([str(broken)], 7)
    with pytest.raises(ArcalError, match=r"gone\.png"):
        Folder(root, size=8).images(torch.arange(8))
