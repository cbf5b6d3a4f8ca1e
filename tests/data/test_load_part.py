"""One part alone: what all formats share, and folders of images and CIFAR's archive."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_images import encode, random_images

from arcal.data import (
    Broken,
    Folder,
    OnDemand,
    check_images,
    load,
    load_part,
)
from arcal.errors import ArcalError

GREY = random_images(6, 5, 7)
COLOUR = random_images(6, 5, 7, 3)


def write_folder(root: Path, images, *, classes=2, suffix=".png") -> Path:
    """Image k is that of class k modulo `classes`."""
    for k, pixels in enumerate(images):
        path = root / f"c{k % classes}" / f"{k:03}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pixels if isinstance(pixels, bytes) else encode(pixels))
    return root


def first(colour: np.ndarray) -> torch.Tensor:
    """`(N, H, W, C)` or `(N, H, W)` with the channels first."""
    pixels = torch.from_numpy(colour)
    return pixels.permute(0, 3, 1, 2) if pixels.ndim == 4 else pixels[:, None]


def pixels(part) -> torch.Tensor:
    return part.images(torch.arange(len(part)))


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_folder_keeps_its_pixels_and_is_read_on_demand(tmp_path, images):
    root = write_folder(tmp_path / "pets" / "test", images)
    part = load_part(str(tmp_path / "pets"))
    assert isinstance(part, OnDemand)
    assert (part.name, part.classes, part.how) == ("pets/test", ("c0", "c1"), "as they are")
    order = [0, 2, 4, 1, 3, 5]
    assert torch.equal(pixels(part), first(images)[order])
    assert part.ids.tolist() == list(range(6))
    assert part.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert (part.key(3), part.where(3)) == ("c1/001.png", str(root / "c1" / "001.png"))
    some = part.subset(torch.tensor([5, 0]))
    assert torch.equal(pixels(some), first(images)[[5, 0]])
    assert (some.key(0), some.labels.tolist()) == ("c1/005.png", [1, 0])
    assert part.weights is None


def test_a_folder_with_a_size_is_what_load_reads(tmp_path):
    """Ids, labels, pixels and order are those of `Folder`, which training uses."""
    sizes = [(40, 60), (60, 40), (33, 47), (64, 64)]
    images = [random_images(1, *size, 3, seed=k)[0] for k, size in enumerate(sizes * 2)]
    root = write_folder(tmp_path, images, classes=3)
    for size in (32, 224):
        peer, part = Folder(root, size=size), load_part(str(root), size=size)
        assert torch.equal(pixels(part), pixels(peer))
        assert (part.ids.tolist(), part.labels.tolist()) == (
            peer.ids.tolist(),
            peer.labels.tolist(),
        )
    assert part.how == "short side resized to 256, centre 224 x 224 cropped"
    with pytest.raises(ArcalError, match=r"has images of 4 sizes, such as 60 x 40 \(.*000"):
        load_part(str(root))


def test_grey_among_colour_becomes_rgb_and_channels_decide(tmp_path):
    root = write_folder(tmp_path, [GREY[0], COLOUR[1], COLOUR[2]], classes=1)
    part = load_part(str(root))
    assert part.shape == (3, 5, 7)
    assert part.how == "1 of 3 images grey, repeated to 3 channels"
    assert torch.equal(pixels(part)[0], first(GREY)[0].expand(3, -1, -1))
    grey = load_part(str(root), channels=1)
    assert grey.how == "2 of 3 images turned grey by luminance"
    expected = np.array(Image.fromarray(COLOUR[1]).convert("L"))
    assert torch.equal(pixels(grey)[1, 0], torch.from_numpy(expected))


@pytest.fixture
def broken(tmp_path):
    """Six images, of which 1 is no image and 4 is damaged further on than its header."""
    images: list = [encode(image) for image in COLOUR]
    images[1], images[4] = b"no image", images[4][:60]
    return write_folder(tmp_path / "pets", images, classes=1)


def test_a_broken_image_is_an_error_that_says_how_to_skip_it(broken):
    with pytest.raises(ArcalError) as raised:
        load_part(str(broken))
    file = broken / "c0" / "001.png"
    assert str(raised.value) == (
        f"{file}: the image cannot be read (no known format): repair or remove it, or leave broken "
        "images out with --skip-broken"
    )
    file.write_bytes(encode(COLOUR[1]))
    part = load_part(str(broken))  # its header is fine
    with pytest.raises(ArcalError, match=r"004\.png: .* with --skip-broken"):
        pixels(part)
    damaged = [(4, str(broken / "c0" / "004.png"))]
    for whole in (part, Folder(broken)):
        assert [(bad.id, bad.where) for bad in check_images(whole)] == damaged


def test_skipped_images_are_listed_and_the_others_keep_their_ids(broken):
    part = load_part(str(broken), skip_broken=True)
    assert part.ids.tolist() == [0, 2, 3, 5]
    assert torch.equal(pixels(part), first(COLOUR)[[0, 2, 3, 5]])
    assert [bad.id for bad in part.skipped] == [1, 4]
    no_image = str(broken / "c0" / "001.png")
    assert part.skipped[0] == Broken(1, no_image, "no known format")
    assert check_images(part) == []
    for file in broken.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(ArcalError, match=r"none of its 6 images can be read, such as .*000\.png"):
        load_part(str(broken), skip_broken=True)


def test_a_limit_draws_as_load_draws_and_looks_at_no_other_image(tmp_path):
    images: list = [encode(COLOUR[k % 6]) for k in range(30)]
    root = write_folder(tmp_path / "pets" / "test", images)
    write_folder(tmp_path / "pets" / "train", images)
    data = load(str(tmp_path / "pets"), validation=5, test_images=8, split_seed=3)
    part = load_part(str(tmp_path / "pets"), limit=8, seed=3)
    assert part.ids.tolist() == data.test.ids.tolist()
    whole = load_part(str(root))
    assert isinstance(whole, OnDemand)
    for position in set(range(30)) - set(part.ids.tolist()):
        Path(whole.where(position)).write_bytes(b"")
    again = load_part(str(tmp_path / "pets"), limit=8, seed=3)
    assert torch.equal(pixels(again), pixels(part))
    with pytest.raises(ArcalError, match="has 30 images, not 31"):
        load_part(str(root), limit=31)


def test_the_models_classes_renumber_the_folders(tmp_path):
    root = write_folder(tmp_path, COLOUR)
    part = load_part(str(root), classes=["other", "c1", "c0"])
    assert part.classes == ("other", "c1", "c0")
    assert part.labels.tolist() == [2, 2, 2, 1, 1, 1]
    with pytest.raises(ArcalError, match="the class 'c1' is none of the model's 1 classes"):
        load_part(str(root), classes=["c0"])


def test_what_else_is_in_a_folder_is_said_or_refused(tmp_path):
    root = write_folder(tmp_path, COLOUR)
    (root / "c0" / "notes.txt").touch()
    (root / "c0" / ".hidden").touch()
    part = load_part(str(root))
    assert part.how == "as they are; 1 file that is not an image by its name left out"
    (root / "c1" / "more").mkdir()
    with pytest.raises(ArcalError, match="c1/more is a folder within a class"):
        load_part(str(root))
    shutil.rmtree(root / "c1")
    (root / "c1").mkdir()
    with pytest.raises(ArcalError, match=r"c1 holds no image file \(.jpg, "):
        load_part(str(root))
    with pytest.raises(ArcalError, match="has no columns: leave out --label x"):
        load_part(str(root), label="x")


def test_the_fingerprint_knows_files_and_view_but_not_where_the_folder_is(tmp_path):
    root = write_folder(tmp_path / "a", COLOUR)
    shutil.copytree(root, tmp_path / "b")
    one = load_part(str(root)).fingerprint()
    assert one == load_part(str(tmp_path / "b")).fingerprint()
    others = {
        load_part(str(root), size=5).fingerprint(),
        load_part(str(root), size=5, crop="squash").fingerprint(),
        load_part(str(root), channels=1).fingerprint(),
        load_part(str(root)).subset(torch.arange(5)).fingerprint(),
    }
    assert len(others | {one}) == 5
    with (root / "c0" / "000.png").open("ab") as file:
        file.write(b"\0")
    assert load_part(str(root)).fingerprint() != one
