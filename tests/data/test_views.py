"""Sizes and crops, against torchvision's."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from toy_images import encode, random_images

from arcal.data.upright import HEADER
from arcal.data.views import View, check_view, choose_view, describe
from arcal.errors import ArcalError

SIZES = [(40, 60), (60, 40), (33, 47), (31, 90), (64, 64), (8, 9)]
PEERS = {
    "centre": lambda size: [v2.Resize(round(256 * size / 224)), v2.CenterCrop(size)],
    "short-side": lambda size: [v2.Resize(size), v2.CenterCrop(size)],
    "squash": lambda size: [v2.Resize((size, size))],
}


@pytest.mark.parametrize("crop", PEERS)
@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("shape", SIZES)
def test_pixels_are_those_of_torchvision(crop, size, shape):
    pixels = random_images(1, *shape, 3)[0]
    view = View(3, size, size, size, crop)
    peer = v2.Compose([*PEERS[crop](size), v2.PILToTensor()])
    expected = peer(Image.fromarray(pixels))
    assert torch.equal(torch.tensor(view.read(io.BytesIO(encode(pixels)), "")), expected)
    assert torch.equal(torch.tensor(view.array(pixels.transpose(2, 0, 1))), expected)


def headers(*rows: tuple) -> np.ndarray:
    return np.array(list(rows), HEADER)


def test_the_sentence_says_what_is_done_and_to_how_many():
    some = headers(
        (300, 400, False, True, False, False),
        (300, 400, True, False, True, False),
        (500, 400, True, False, False, True),
    )
    view = choose_view("pets", some, str, size=224, crop="centre", channels=None)
    assert view == View(3, 224, 224, 224, "centre")
    assert describe(view, some) == (
        "short side resized to 256, centre 224 x 224 cropped; 2 grey images repeated to 3 "
        "channels; 1 image scaled from 16 bits a channel to 8; 1 image stripped of transparency; 1 "
        "image turned upright as EXIF says"
    )
    grey = choose_view("pets", some, str, size=32, crop="squash", channels=1)
    assert describe(grey, some).startswith(
        "resized to 32 x 32, proportions not preserved; 1 colour image turned grey by luminance; "
    )
    short = choose_view("pets", some, str, size=32, crop="short-side", channels=3)
    assert describe(short, some).startswith("short side resized to 32, centre 32 x 32 cropped; ")


def test_images_of_one_size_stay_as_they_are():
    some = headers((30, 40, True, False, False, False), (30, 40, True, False, False, False))
    view = choose_view("pets", some, str, size=None, crop="centre", channels=None)
    assert view.shape == (1, 30, 40)
    assert describe(view, some) == "as they are"
    assert view.read(io.BytesIO(encode(random_images(1, 30, 40)[0])), "").shape == (1, 30, 40)
    with pytest.raises(ArcalError, match="it is 30 x 40 pixels, unlike its header"):
        view.read(io.BytesIO(encode(random_images(1, 40, 30)[0])), "1.png")


def test_several_sizes_without_a_size_are_one_error():
    some = headers(
        (30, 40, True, False, False, False),
        (30, 40, True, False, False, False),
        (20, 50, True, False, False, False),
        (10, 10, True, False, False, False),
    )
    message = (
        r"pets has images of 3 sizes, such as 40 x 30 \(image 0\) and 50 x 20 \(image 2\): add "
        "--size 224"
    )
    with pytest.raises(ArcalError, match=message):
        choose_view("pets", some, "image {}".format, size=None, crop="centre", channels=None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ((0, "centre", None), "the size must be at least 1 pixel, not 0"),
        ((32, "center", None), "no crop 'center': choose centre, short-side, squash"),
        ((32, "centre", 4), r"1 channel \(grey\) or 3 \(colour\), not 4"),
    ],
)
def test_wrong_settings_raise(settings, message):
    with pytest.raises(ArcalError, match=message):
        check_view("pets", *settings)
