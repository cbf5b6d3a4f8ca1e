"""Augmentation held against slices and against SciPy's shift."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from torch.nn import functional as F

from arcal.transforms import AUGMENTATIONS, crop_flip, resized_crop_flip, shift_flip
from arcal.transforms.augment import random_boxes


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pixels(count=64, shape=(3, 32, 32), seed=1):
    return torch.randint(0, 256, (count, *shape), generator=seeded(seed), dtype=torch.uint8)


every = pytest.mark.parametrize("name", AUGMENTATIONS)


@every
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (2, 9, 14)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_shape_dtype_and_seed(name, shape, dtype):
    images = (pixels(8, shape) / 255).to(dtype) if dtype.is_floating_point else pixels(8, shape)
    kept, state = images.clone(), torch.get_rng_state()
    first = AUGMENTATIONS[name](images, seeded())
    assert (first.shape, first.dtype) == (images.shape, dtype)
    assert torch.equal(first, AUGMENTATIONS[name](images, seeded()))
    assert torch.equal(images, kept)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, AUGMENTATIONS[name](images, seeded(1))) == (name == "none")
    assert AUGMENTATIONS[name](images[:0], seeded()).shape == (0, *shape)


@every
def test_a_seed_draws_the_same_whatever_the_default_dtype(name, request):
    images = pixels()
    expected = AUGMENTATIONS[name](images, seeded())
    request.getfixturevalue("float64_by_default")
    assert torch.equal(AUGMENTATIONS[name](images, seeded()), expected)


def place(image, crop, padding):
    """Every (top, left, mirrored) at which `crop` is cut from the padded `image`."""
    padded = F.pad(image, (padding,) * 4)
    _, height, width = image.shape
    offsets = range(2 * padding + 1)
    return [
        (top, left, mirrored)
        for top in offsets
        for left in offsets
        for mirrored in (False, True)
        if torch.equal(
            padded[:, top : top + height, left : left + width],
            crop.flip(2) if mirrored else crop,
        )
    ]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    padding=st.integers(0, 3),
    channels=st.integers(1, 3),
    height=st.integers(4, 9),
    width=st.integers(4, 9),
    last=st.booleans(),
)
def test_every_crop_is_one_of_the_possible_ones(seed, padding, channels, height, width, last):
    images = pixels(3, (channels, height, width), seed) // 2 + 1
    if last:
        images = images.contiguous(memory_format=torch.channels_last)
    for image, crop in zip(images, crop_flip(images, seeded(seed), padding), strict=True):
        assert len(place(image, crop, padding)) == 1


def shifts(count, size, fraction=0.1):
    """What `shift_flip(seeded())` draws, in its order: down, right, mirrored."""
    generator = seeded()
    down, right = fraction * size * (2 * torch.rand(2, count, generator=generator) - 1)
    return down, right, torch.rand(count, generator=generator) < 0.5


@pytest.mark.parametrize("fraction", [0.1, 0.3])
def test_shift_is_scipys(fraction):
    """SciPy moves the picture, Keras the place it is read from: opposite signs."""
    images = torch.rand(40, 3, 20, 20, generator=seeded(3), dtype=torch.float64)
    moved = shift_flip(images, seeded(), fraction)
    for image, ours, down, right, mirrored in zip(
        images, moved, *shifts(40, 20, fraction), strict=True
    ):
        offset = (0, -float(down), -float(right))
        expected = ndimage.shift(image.numpy(), offset, order=1, mode="nearest")
        expected = expected[:, :, ::-1] if mirrored else expected
        np.testing.assert_allclose(ours.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("augment", [shift_flip, resized_crop_flip])
def test_uint8_is_the_rounded_float(augment):
    floats = augment(pixels().double(), seeded())
    assert (augment(pixels(), seeded()).double() - floats).abs().max() <= 0.5 + 1e-3


@pytest.mark.parametrize("size", [(375, 500), (500, 333), (100, 700), (64, 64)])
def test_random_boxes_are_those_of_the_script(size):
    """Inside the image, of the ratios and areas that it asks for; the side is uniform."""
    (H, W), draws = size, torch.rand(4, 4000, generator=seeded(), dtype=torch.float64)
    top, left, height, width = random_boxes(torch.tensor([size]).expand(4000, 2), draws).T
    assert min(top.min(), left.min()) >= 0
    assert (top + height).max() <= H + 1e-9
    assert (left + width).max() <= W + 1e-9
    ratio, area = width / height, height * width / (H * W)
    torch.testing.assert_close(ratio, 3 / 4 + 7 / 12 * draws[0])
    assert area.min() >= 0.1 - 1e-9
    assert area.min() < 0.105
    highest = torch.minimum((H * W / ratio).sqrt(), torch.minimum(torch.tensor(H), W / ratio))
    lowest = (0.1 * H * W / ratio).sqrt()
    if size == (100, 700):
        assert (area < 0.2).all(), "a long strip has no large box of such a ratio"
    torch.testing.assert_close((height - lowest) / (highest - lowest), draws[1])
    torch.testing.assert_close((top / (H - height))[H - height > 1], draws[2][H - height > 1])


def test_a_resized_crop_is_scipy_s():
    images = torch.rand(30, 3, 40, 32, generator=seeded(3), dtype=torch.float64)
    cropped, generator = resized_crop_flip(images, seeded()), seeded()
    draws = torch.rand(4, 30, generator=generator)
    boxes = random_boxes(torch.tensor([[40, 32]]).expand(30, 2), draws).double()
    mirrored = torch.rand(30, generator=generator) < 0.5
    assert 5 < mirrored.sum() < 25
    for image, ours, box, flip in zip(images, cropped, boxes, mirrored, strict=True):
        top, left, height, width = box
        y = (top + (torch.arange(40) + 0.5) * height / 40 - 0.5).clamp(0, 39).numpy()
        x = (left + (torch.arange(32) + 0.5) * width / 32 - 0.5).clamp(0, 31).numpy()
        places = np.meshgrid(range(3), y, x, indexing="ij")
        expected = ndimage.map_coordinates(image.numpy(), places, order=1)
        expected = expected[:, :, ::-1] if flip else expected
        np.testing.assert_allclose(ours.numpy(), expected, atol=1e-5)
