"""Digital corruptions: the official images to the bit where nothing is random or rounded."""

import colorsys

import numpy as np
import pytest
import torch
from plausible_draw import assert_plausible
from scipy.ndimage import gaussian_filter, map_coordinates

from arcal.transforms.corruptions import corrupt
from arcal.transforms.corruptions.constants import CIFAR, IMAGENET
from arcal.transforms.corruptions.digital import elastic_transform, saturate
from arcal.transforms.corruptions.draws import Draws

intensities = pytest.mark.parametrize("intensity", [1, 2, 3, 4, 5])


def difference(official, type, intensity):
    images = torch.from_numpy(official["clean"]).permute(0, 3, 1, 2)
    ids = torch.from_numpy(official["official_test_index"])
    ours = corrupt(images, ids, type=type, intensity=intensity).permute(0, 2, 3, 1).numpy()
    return np.abs(ours.astype(int) - official[type][intensity - 1])


@intensities
@pytest.mark.parametrize("type", ["pixelate", "jpeg_compression"])
def test_these_are_the_official_images(official, type, intensity):
    """To the bit: Pillow's arithmetic is of whole numbers."""
    assert (difference(official, type, intensity) == 0).all()


@intensities
def test_contrast_is_official_but_for_rounding_errors(official, intensity):
    """All 61,440 values but 60, which a sum in another order may put on either side of a cut."""
    found = difference(official, "contrast", intensity)
    assert found.max() <= 1
    assert found.sum() <= 60


@intensities
def test_saturate_is_official_but_for_rounding_errors(official, intensity):
    """Whole grey levels fall on either side of the truncation: one value in 70, or fewer."""
    found = difference(official, "saturate", intensity)
    assert found.max() <= 1
    assert found.mean() < 0.02


@pytest.mark.parametrize("c", CIFAR["saturate"] + IMAGENET["saturate"])
def test_saturate_changes_the_saturation_of_hsv(c):
    """Against Python's own colorsys, with greys, black, white and ties of channels."""
    colours = np.array(np.meshgrid(*[[0, 0.2, 0.55, 1]] * 3)).reshape(1, 3, 8, 8)
    none = Draws(torch.arange(1), type="saturate", intensity=1)
    ours = saturate(torch.from_numpy(colours), c, none)
    for colour, found in zip(colours.reshape(3, -1).T, ours.reshape(3, -1).T, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*colour)
        saturation = min(max(saturation * c[0] + c[1], 0), 1)
        assert found.tolist() == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, value))


def literal_elastic(image, c, generator):
    """The official steps for one image (H, W, C) in [0,1], with scipy in place of OpenCV.

    OpenCV maps into the image by the inverse of the affine map from the old corners to the new.
    """
    height, width, channels = image.shape
    centre, third = np.array([width // 2, height // 2]), min(height, width) // 3
    old = np.array([centre + third, [centre[0] + third, centre[1] - third], centre - third])
    new = old + generator.uniform(-c[2], c[2], size=(3, 2))
    forth = np.linalg.lstsq(np.c_[old, np.ones(3)], np.c_[new, np.ones(3)], rcond=None)[0].T
    back = np.linalg.inv(forth)
    y, x = np.mgrid[:height, :width]
    source_x, source_y, _ = np.tensordot(back, np.stack([x, y, np.ones_like(x)]), 1)
    moved_x, moved_y = (
        gaussian_filter(generator.uniform(-1, 1, (height, width)), c[1], truncate=3) * c[0]
        for _ in range(2)
    )

    def sample(plane, x, y, mode):
        return map_coordinates(plane, [y, x], order=1, mode=mode)

    affine = [sample(image[..., k], source_x, source_y, "mirror") for k in range(channels)]
    return np.stack([sample(a, x + moved_x, y + moved_y, "reflect") for a in affine], -1)


@pytest.mark.parametrize("table", [CIFAR, IMAGENET])
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 41)])
@intensities
def test_elastic_is_the_official_algorithm(table, shape, intensity):
    """With the same random numbers, on noise, which shows any misplaced pixel."""
    x = torch.rand(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    c, name = table["elastic_transform"][intensity - 1], {"type": "t", "intensity": intensity}
    ours = elastic_transform(x, c, Draws(torch.arange(3), **name))
    generators = Draws(torch.arange(3), **name).generators
    for image, found, generator in zip(x, ours, generators, strict=True):
        expected = literal_elastic(image.permute(1, 2, 0).numpy(), c, generator)
        np.testing.assert_allclose(found.permute(1, 2, 0).numpy(), expected, atol=1e-9)


def test_the_official_elastic_images_are_a_plausible_draw(official):
    assert_plausible(official, "elastic_transform")
