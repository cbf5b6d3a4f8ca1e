"""Blurs: the official images where nothing is random, the official steps elsewhere."""

import math

import numpy as np
import pytest
import torch
from plausible_draw import assert_plausible
from scipy import ndimage

from arcal.transforms.corruptions import blur, corrupt
from arcal.transforms.corruptions.constants import CIFAR, IMAGENET
from arcal.transforms.corruptions.draws import Draws

intensities = pytest.mark.parametrize("intensity", [1, 2, 3, 4, 5])


def noise(*shape):
    """Shows any misplaced pixel."""
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def draws(count):
    return Draws(torch.arange(count), type="t", intensity=1)


def difference(official, type, intensity):
    images = torch.from_numpy(official["clean"]).permute(0, 3, 1, 2)
    ids = torch.from_numpy(official["official_test_index"])
    ours = corrupt(images, ids, type=type, intensity=intensity).permute(0, 2, 3, 1).numpy()
    return np.abs(ours.astype(int) - official[type][intensity - 1])


@intensities
@pytest.mark.parametrize("type", ["gaussian_blur", "defocus_blur", "zoom_blur"])
def test_these_are_the_official_images(official, type, intensity):
    """All 61,440 values but 60, which a sum in another order may put on either side of a cut."""
    found = difference(official, type, intensity)
    assert found.max() <= 1
    assert found.sum() <= 60


def directions(taps):
    """One angle of each kernel there is from -45 to 45 degrees: kernels change at these breaks."""
    halves = [(k + 0.5) / i for i in range(1, taps) for k in range(i)]
    breaks = [sign * f(half) for half in halves for f in (math.asin, math.acos) for sign in (-1, 1)]
    breaks = np.unique([b for b in breaks if abs(b) < math.pi / 4] + [-math.pi / 4, math.pi / 4])
    return np.rad2deg((breaks[1:] + breaks[:-1]) / 2)


@pytest.mark.parametrize(("intensity", "taps", "count"), [(1, 7, 20), (5, 15, 5)])
def test_official_motion_blurs_are_ours_in_some_direction(official, intensity, taps, count):
    """To the bit: the official angles are not known, the official kernel is thereby."""
    x = torch.from_numpy(official["clean"]).permute(0, 3, 1, 2)[:count] / 255.0
    theirs = torch.from_numpy(official["motion_blur"][intensity - 1, :count]).permute(0, 3, 1, 2)
    radius, sigma = CIFAR["motion_blur"][intensity - 1]
    found = torch.zeros(count, dtype=torch.bool)
    for angle in directions(taps):
        angles = torch.full((count,), float(angle))
        ours = blur.along(x.double(), radius, sigma, angles)
        found |= ((ours * 255).round() == theirs).flatten(1).all(1)
    assert found.all()


def literal_motion_blur(image, radius, sigma, angle):
    """ImageMagick's steps for one plane (H, W) of 0 .. 1, pixel by pixel."""
    kernel = np.exp(-(np.arange(2 * math.ceil(radius) + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    angle = math.radians(angle)
    blurred = np.zeros_like(image)
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            for i, weight in enumerate(kernel):
                v = min(max(y + math.ceil(i * math.sin(angle) - 0.5), 0), height - 1)
                u = min(max(x + math.ceil(i * math.cos(angle) - 0.5), 0), width - 1)
                blurred[y, x] += weight * image[v, u]
    return np.floor(np.round(blurred * 65535) / 257) / 255


@pytest.mark.parametrize("c", [CIFAR["motion_blur"][4], IMAGENET["motion_blur"][4]])
def test_motion_blur_is_imagemagicks(c):
    x, angles = noise(2, 1, 28, 33), draws(2).uniform(-45, 45)
    ours = blur.motion_blur(x, c, draws(2))
    for image, angle, found in zip(x, angles.tolist(), ours, strict=True):
        np.testing.assert_allclose(
            found[0], literal_motion_blur(image[0].numpy(), c[0], c[1], angle)
        )


def literal_glass_blur(x, c, steps):
    """The official lines for one image (H, W, C) of 0 .. 1, numpy's views and all."""
    sigma, reach, rounds = c
    height, width = x.shape[:2]
    x = (ndimage.gaussian_filter(x, (sigma, sigma, 0), mode="nearest") * 255).astype(np.uint8)
    for i in range(rounds):
        for h in range(height - reach, reach, -1):
            for w in range(width - reach, reach, -1):
                dx, dy = steps[i, h - reach - 1, w - reach - 1]
                here, there = (h, w), (h + dy, w + dx)
                x[here], x[there] = x[there], x[here]
    return ndimage.gaussian_filter(x / 255.0, (sigma, sigma, 0), mode="nearest")


@pytest.mark.parametrize("c", [CIFAR["glass_blur"][4], *IMAGENET["glass_blur"][2:]])
def test_glass_blur_is_the_official_loop(c):
    x = noise(2, 3, 28, 33)
    _, reach, rounds = c
    steps = draws(2).integers(-reach, reach, rounds, 28 - 2 * reach, 33 - 2 * reach, 2)
    ours = blur.glass_blur(x, c, draws(2)).permute(0, 2, 3, 1)
    for image, step, found in zip(x.permute(0, 2, 3, 1), steps, ours, strict=True):
        literal = literal_glass_blur(image.numpy(), c, step.numpy())
        np.testing.assert_allclose(found, literal, atol=1e-12)


def test_official_glass_blurs_are_plausible(official):
    assert_plausible(official, "glass_blur")


@pytest.mark.parametrize(
    "type", ["defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "gaussian_blur"]
)
def test_a_grey_image_is_blurred_as_a_channel_is(type):
    x, c = noise(2, 3, 28, 33), CIFAR[type][4]
    colour, grey = (getattr(blur, type)(images, c, draws(2)) for images in (x, x[:, 1:2]))
    torch.testing.assert_close(colour[:, 1:2], grey, atol=1e-12, rtol=0)
