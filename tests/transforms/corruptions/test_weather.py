"""Weather: the official steps written out for one image, with the same random numbers."""

import itertools

import numpy as np
import pytest
import torch
from plausible_draw import assert_plausible
from scipy import ndimage

from arcal.transforms.corruptions import blur, corrupt, weather
from arcal.transforms.corruptions.constants import CIFAR, IMAGENET
from arcal.transforms.corruptions.draws import Draws

intensities = pytest.mark.parametrize("intensity", [1, 2, 3, 4, 5])
GREY = np.array([0.299, 0.587, 0.114])


def noise(*shape):
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def draws(count):
    return Draws(torch.arange(count), type="t", intensity=1)


def channels_last(images):
    return [image.numpy() for image in images.permute(0, 2, 3, 1)]


@pytest.mark.parametrize("type", ["snow", "fog", "spatter"])
def test_official_weather_is_plausible(official, type):
    assert_plausible(official, type)


@intensities
def test_brightness_is_official_but_for_rounding_errors(official, intensity):
    """One value in 300, or fewer, is a grey level off."""
    images = torch.from_numpy(official["clean"]).permute(0, 3, 1, 2)
    ids = torch.from_numpy(official["official_test_index"])
    ours = corrupt(images, ids, type="brightness", intensity=intensity)
    theirs = official["brightness"][intensity - 1].astype(int)
    found = np.abs(ours.permute(0, 2, 3, 1).numpy() - theirs)
    assert found.max() <= 1
    assert found.mean() < 1 / 300


def literal_plasma(wibbles, decay):
    """Diamond and square, point by point on a torus, for one array (S, S) of noise in [-1, 1)."""
    size = len(wibbles)
    plasma = np.zeros((size, size))
    step, wibble = size, 100.0

    def fill(y, x, offsets):
        near = [plasma[(y + dy) % size, (x + dx) % size] for dy, dx in offsets]
        plasma[y, x] = sum(near) / 4 + wibble * wibble * wibbles[y, x]

    while step >= 2:
        h = step // 2
        corners, sides = [(-h, -h), (-h, h), (h, -h), (h, h)], [(-h, 0), (h, 0), (0, -h), (0, h)]
        starts = list(itertools.product(range(0, size, step), repeat=2))
        for y, x in starts:
            fill(y + h, x + h, corners)
        for y, x in starts:
            fill(y, x + h, sides)
            fill(y + h, x, sides)
        step, wibble = h, wibble / decay
    return (plasma - plasma.min()) / (plasma.max() - plasma.min())


@pytest.mark.parametrize(("shape", "size"), [((3, 32, 32), 32), ((1, 28, 33), 64)])
def test_fog_is_the_official_fractal(shape, size):
    x, c = noise(2, *shape) * 0.8, CIFAR["fog"][4]
    ours = channels_last(weather.fog(x, c, draws(2)))
    wibbles = draws(2).uniform(-1, 1, size, size).numpy()
    for image, wibble, found in zip(channels_last(x), wibbles, ours, strict=True):
        clouds = literal_plasma(wibble, c[1])[: shape[1], : shape[2], None]
        expected = (image + c[0] * clouds) * image.max() / (image.max() + c[0])
        np.testing.assert_allclose(found, expected, atol=1e-12)


def literal_zoom(layer, factor):
    height = len(layer)
    cut = int(np.ceil(height / factor))
    top = (height - cut) // 2
    zoomed = np.asarray(ndimage.zoom(layer[top : top + cut, top : top + cut], factor, order=1))
    top = (len(zoomed) - height) // 2
    return zoomed[top : top + height, top : top + height]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("c", [*CIFAR["snow"], IMAGENET["snow"][3]])
def test_snow_is_the_official_steps(channels, c):
    x = noise(3, channels, 32, 32)
    ours = channels_last(weather.snow(x, c, draws(3)))
    again = draws(3)
    layers = c[0] + c[1] * again.normal(32, 32).numpy()
    angles = again.uniform(-135, -45)
    for image, layer, angle, found in zip(channels_last(x), layers, angles, ours, strict=True):
        flakes = literal_zoom(layer, c[2])
        flakes[flakes < c[3]] = 0
        flakes = (np.clip(flakes, 0, 1) * 255).astype(np.uint8) / 255
        moved = blur.along(torch.from_numpy(flakes)[None, None], c[4], c[5], angle[None])
        flakes = moved[0, 0, ..., None].numpy()
        grey = image @ GREY[:, None] if channels == 3 else image
        snowy = c[6] * image + (1 - c[6]) * np.maximum(image, grey * 1.5 + 0.5)
        np.testing.assert_allclose(found, snowy + flakes + np.rot90(flakes, 2), atol=1e-12)


def literal_edges(layer):
    """Canny by its definition: the gradient's direction, rounded to 45 degrees, decides."""
    down, right = (np.asarray(ndimage.sobel(layer, axis, mode="nearest")) for axis in (0, 1))
    size = np.pad(np.abs(down) + np.abs(right), 1)
    octant = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    peak = np.zeros(layer.shape, bool)
    for y, x in np.ndindex(*layer.shape):
        dy, dx = [(0, 1), (1, 1), (1, 0), (1, -1)][octant[y, x]]
        here = size[y + 1, x + 1]
        before, after = size[y + 1 - dy, x + 1 - dx], size[y + 1 + dy, x + 1 + dx]
        peak[y, x] = here > before and (here > after or (here == after and dy * dx == 0))
    size = size[1:-1, 1:-1]
    pieces = np.empty(layer.shape, int)
    ndimage.label(peak & (size > 50), np.ones((3, 3)), output=pieces)
    return np.isin(pieces, pieces[peak & (size > 150)]) & (pieces > 0)


def literal_distance(edges):
    """To the nearest of all edges, by the closed form: knight's moves, and the rest king's."""
    distance = np.full(edges.shape, 20.0)
    ys, xs = np.mgrid[: edges.shape[0], : edges.shape[1]]
    for y, x in np.argwhere(edges):
        legs = np.abs(ys - y), np.abs(xs - x)
        short, long = np.minimum(*legs), np.maximum(*legs)
        flat = (long - 2 * short) + 2.1969 * short
        steep = 1.4 * (2 * short - long) + 2.1969 * (long - short)
        distance = np.minimum(distance, np.where(long >= 2 * short, flat, steep))
    return distance


def literal_water(layer):
    """From drops (H, W), 0 .. 255, to how much water there is at each pixel, 0 .. 1."""

    def box(image):  # the tiny amount keeps whole numbers whole when they are cut off
        return ndimage.correlate(image, np.full((3, 3), 1 / 9), mode="mirror") + 1e-9

    distance = np.floor(box(literal_distance(literal_edges(layer)))).astype(int)
    counts = np.bincount(distance.ravel(), minlength=256)
    first = counts[distance.min()]
    table = (np.cumsum(counts) - first) * 255 / max(distance.size - first, 1)
    equal = np.round(table)[distance] if first < distance.size else distance.astype(float)
    lit = ndimage.correlate(equal, [[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], mode="mirror")
    water = layer * np.round(box(lit.clip(0, 255)))
    return water / max(water.max(), 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("c", [*CIFAR["spatter"], *IMAGENET["spatter"]])
def test_spatter_is_the_official_steps(channels, c):
    x = noise(2, channels, 32, 40)
    ours = channels_last(weather.spatter(x, c, draws(2)))
    layers = c[0] + c[1] * draws(2).normal(32, 40).numpy()
    for image, layer, found in zip(channels_last(x), layers, ours, strict=True):
        layer = ndimage.gaussian_filter(layer, c[2], mode="nearest")
        layer[layer < c[3]] = 0
        if c[5] == 0:
            amount = c[4] * literal_water((layer * 255).astype(np.uint8).astype(float))[..., None]
            colour = np.array([175, 238, 238]) / 255
        else:
            amount = ndimage.gaussian_filter((layer > c[3]).astype(float), c[4], mode="nearest")
            amount[amount < 0.8] = 0
            amount = amount[..., None]
            colour, image = np.array([63, 42, 20]) / 255, image * (1 - amount)
        colour = colour if channels == 3 else colour @ GREY
        np.testing.assert_allclose(found, image + amount * colour, atol=1e-6)


def test_without_a_drop_spatter_changes_nothing():
    """Where the official code divides nought by nought."""
    x = noise(2, 3, 28, 28)
    dry = (0.0, 0.001, 1, 0.7, 0.5, 0)
    assert torch.equal(weather.spatter(x, dry, draws(2)), x)
