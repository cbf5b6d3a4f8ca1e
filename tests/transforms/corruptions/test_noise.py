"""Noise against the official arithmetic, written out, and the official archives."""

import numpy as np
import pytest
import torch
from plausible_draw import assert_plausible

from arcal.transforms.corruptions import corrupt
from arcal.transforms.corruptions.constants import CIFAR

types = pytest.mark.parametrize(
    "type", ["gaussian_noise", "shot_noise", "impulse_noise", "speckle_noise"]
)
intensities = pytest.mark.parametrize("intensity", [1, 2, 3, 4, 5])


def literal(x, type, c, generator):
    """The official lines: uint8 to uint8, in numpy."""
    x = x / 255.0
    if type == "gaussian_noise":
        x = x + generator.normal(size=x.shape, scale=c)
    elif type == "shot_noise":
        x = generator.poisson(x * c) / c
    elif type == "speckle_noise":
        x = x + x * generator.normal(size=x.shape, scale=c)
    else:
        flipped = generator.choice([True, False], size=x.shape, p=[c, 1 - c])
        salted = generator.choice([True, False], size=x.shape)
        x[flipped & salted] = 1
        x[flipped & ~salted] = 0
    return np.uint8(np.clip(x, 0, 1) * 255)


def psnr(noisy, clean):
    """dB, the mean over images."""
    return (10 * np.log10(255**2 / ((noisy - clean) ** 2.0).mean((1, 2, 3)))).mean()


@intensities
@types
def test_noise_has_the_statistics_of_the_official_arithmetic(photographs, type, intensity):
    clean = photographs.numpy().astype(float)
    theirs = literal(clean, type, CIFAR[type][intensity - 1], np.random.default_rng(intensity))
    ours = corrupt(photographs, torch.arange(len(clean)), type=type, intensity=intensity).numpy()
    assert ours.mean() == pytest.approx(theirs.mean(), rel=0.005)
    assert (ours - clean).mean() == pytest.approx((theirs - clean).mean(), abs=0.35)
    assert (ours - clean).std() == pytest.approx((theirs - clean).std(), rel=0.03)
    assert psnr(ours, clean) == pytest.approx(psnr(theirs, clean), rel=0.01)
    for end in (0, 255):
        assert (ours == end).mean() == pytest.approx((theirs == end).mean(), abs=0.001)


def test_the_bits_are_these():
    """Fixed for good: saved figures refer to them."""
    grey = torch.full((2, 3, 32, 32), 128, dtype=torch.uint8)
    noisy = corrupt(grey, torch.arange(2), type="gaussian_noise", intensity=1)
    assert noisy[1, :, 0, :3].tolist() == [[126, 147, 127], [117, 111, 133], [121, 123, 135]]


@types
def test_the_official_images_are_a_plausible_draw(official, type):
    assert_plausible(official, type)
