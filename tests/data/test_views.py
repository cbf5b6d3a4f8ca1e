"""Sizes and crops, against torchvision's."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from toy_images import encode, random_images

from arcal.data.images import HEADER
from arcal.data.views import Settings, View, choose_view, describe
from arcal.errors import ArcalError

SIZES = [(40, 60), (60, 40), (33, 47), (31, 90), (64, 64), (8, 9)]
MODES = {
    "nearest": v2.InterpolationMode.NEAREST,
    "bilinear": v2.InterpolationMode.BILINEAR,
    "bicubic": v2.InterpolationMode.BICUBIC,
    "lanczos": v2.InterpolationMode.LANCZOS,
}


def view_of(**settings: Any) -> View:
    view = Settings(**settings).view(3)
    assert view is not None
    return view


def test_images_that_have_the_size_already_may_be_kept():
    headers = np.zeros(3, HEADER)
    headers["height"], headers["width"] = 20, 28
    kept = Settings((20, 28), keep=True)
    assert choose_view("toy", headers, str, kept) == View(3, 20, 28)
    assert choose_view("toy", headers, str, Settings((20, 28))).resize == 32
    headers["width"][1] = 27
    assert choose_view("toy", headers, str, kept).resize == 32


@pytest.mark.parametrize(
    ("settings", "resize", "crop"),
    [
        ({"size": 28}, 32, 28),
        ({"size": 32, "crop": "centre"}, 37, 32),
        ({"size": 29, "crop": "short-side"}, 29, 29),
        ({"size": 28, "crop": "squash"}, (28, 28), 28),
        ({"size": (20, 28), "crop": "squash"}, (20, 28), (20, 28)),
        ({"size": (20, 28)}, 32, (20, 28)),
        ({"size": (29, 20), "crop": "short-side"}, 29, (29, 20)),
        ({"size": 28, "resize": 28}, 28, 28),
        ({"size": 28, "resize": 41, "interpolation": "bicubic"}, 41, 28),
        ({"size": (20, 28), "resize": (31, 33), "interpolation": "lanczos"}, (31, 33), (20, 28)),
        ({"size": 28, "interpolation": "nearest"}, 32, 28),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", SIZES)
def test_pixels_are_those_of_torchvision(settings, resize, crop, shape):
    pixels = random_images(1, *shape, 3)[0]
    mode = MODES[settings.get("interpolation", "bilinear")]
    peer = v2.Compose([v2.Resize(resize, mode), v2.CenterCrop(crop), v2.PILToTensor()])
    expected = peer(Image.fromarray(pixels))
    view = view_of(**settings)
    assert view.shape == tuple(expected.shape)
    assert torch.equal(torch.tensor(view.read(io.BytesIO(encode(pixels)), "")), expected)
    assert torch.equal(torch.tensor(view.array(pixels.transpose(2, 0, 1))), expected)


def headers(*rows: tuple) -> np.ndarray:
    return np.array(list(rows), HEADER)


def test_images_of_one_size_stay_as_they_are():
    some = headers(*[(30, 40, True, False, False, False, False)] * 2)
    view = choose_view("pets", some, str, Settings())
    assert view.shape == (1, 30, 40)
    assert describe(view, some) == "as they are"
    assert view.read(io.BytesIO(encode(random_images(1, 30, 40)[0])), "").shape == (1, 30, 40)
    with pytest.raises(ArcalError, match="it is 30 x 40 pixels, unlike its header"):
        view.read(io.BytesIO(encode(random_images(1, 40, 30)[0])), "1.png")


def test_several_sizes_without_a_size_are_one_error():
    some = headers(
        (30, 40, True, False, False, False, False),
        (30, 40, True, False, False, False, False),
        (20, 50, True, False, False, False, False),
        (10, 10, True, False, False, False, False),
    )
    message = (
        r"pets has images of 3 sizes, such as 40 x 30 \(image 0\) and 50 x 20 \(image 2\): add "
        "--size 224"
    )
    with pytest.raises(ArcalError, match=message):
        choose_view("pets", some, "image {}".format, Settings())
