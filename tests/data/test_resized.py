import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as v2f
from toy_images import random_images

from arcal.data import InMemory, batches
from arcal.data.part import Resized
from arcal.errors import ArcalError


def part(*shape: int, N: int = 9) -> InMemory:
    pixels = torch.from_numpy(random_images(N, *shape))
    return InMemory("toy/test", torch.arange(N) * 3, torch.arange(N) % 2, ("a", "b"), pixels)


def all_of(some) -> torch.Tensor:
    return some.images(torch.arange(len(some)))


@pytest.mark.parametrize("shape", [(3, 28, 28), (3, 48, 40), (1, 7, 90), (1, 33, 32)])
def test_sizes_are_those_of_pillow_and_torchvision(shape):
    source = part(*shape)
    found = all_of(Resized(source, (shape[0], 32, 32)))
    assert (found.shape, found.dtype) == ((9, shape[0], 32, 32), torch.uint8)
    exact = v2f.resize(source.pixels.double(), [32, 32], v2.InterpolationMode.BILINEAR)
    assert (found - exact).abs().max() <= 0.5 + 1e-3  # rounded once
    for image, ours in zip(source.pixels, found, strict=True):
        planes = [
            np.asarray(Image.fromarray(plane).resize((32, 32), Image.Resampling.BILINEAR))
            for plane in image.numpy()
        ]
        assert (ours.int() - torch.from_numpy(np.stack(planes)).int()).abs().max() <= 1


def test_grey_is_repeated():
    source = part(1, 28, 28)
    grown = Resized(source, (3, 28, 28))
    assert torch.equal(all_of(grown), source.pixels.repeat(1, 3, 1, 1))
    assert grown.how == "grey repeated to 3 channels"
    both = Resized(source, (3, 32, 32))
    assert torch.equal(all_of(both)[:, 2], all_of(Resized(source, (1, 32, 32)))[:, 0])
    assert both.how == "resized from 28 x 28 to 32 x 32, grey repeated to 3 channels"


def test_colour_becomes_pillows_luminance():
    source = part(3, 20, 24)
    grey = Resized(source, (1, 20, 24))
    for image, ours in zip(source.pixels, all_of(grey), strict=True):
        pillow = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"))
        assert (ours[0].int() - torch.from_numpy(pillow.copy()).int()).abs().max() <= 1
    assert grey.how == "colour turned grey by luminance"
    every = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    ids = torch.tensor([0])
    greys = InMemory("greys", ids, ids, ("a",), every.repeat(1, 3, 1, 1))
    assert torch.equal(all_of(Resized(greys, (1, 16, 16))), every)


def test_it_is_the_part_in_all_else_and_no_image_depends_on_its_batch():
    source = part(1, 28, 28)
    some = Resized(source, (3, 40, 40))
    assert (some.name, some.classes, len(some)) == (source.name, source.classes, 9)
    half = some.subset(torch.tensor([24, 0, 9]))
    assert half.ids.tolist() == [24, 0, 9]
    assert half.labels.tolist() == [0, 0, 1]
    assert torch.equal(all_of(half), all_of(some)[[8, 0, 3]])
    for size in (1, 4):
        assert torch.equal(torch.cat([x for _, x, _ in batches(some, size)]), all_of(some))
    with pytest.raises(ArcalError, match="has no id 1"):
        some.subset(torch.tensor([1]))


@pytest.mark.parametrize(
    ("channels", "shape", "message"),
    [
        (4, (3, 8, 8), "toy/test has 4 channels, which cannot become 3: only grey"),
        (3, (2, 8, 8), "3 channels, which cannot become 2"),
    ],
)
def test_channels_that_mean_nothing_are_refused_in_one_line(channels, shape, message):
    with pytest.raises(ArcalError, match=message) as raised:
        Resized(part(channels, 8, 8), shape)
    assert "\n" not in str(raised.value)
