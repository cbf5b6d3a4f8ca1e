"""`corrupt` for every type: bits that depend on the id alone, dtypes, shapes, refusals."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arcal.errors import ArcalError
from arcal.transforms import CORRUPTIONS, corrupt
from arcal.transforms.corruptions.constants import CIFAR, IMAGENET

every = pytest.mark.parametrize("type", CORRUPTIONS)
EIGHT_BITS = ("pixelate", "jpeg_compression")


def pixels(count, shape=(3, 32, 32), seed=1):
    """Smooth images with flat, black and white parts, where rounding errors would show."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, shape[0], 4, 4, generator=generator) * 400 - 70
    fine = torch.nn.functional.interpolate(coarse, shape[1:], mode="bilinear")
    return fine.clamp(0, 255).to(torch.uint8)


@every
@settings(max_examples=2, deadline=None)
@given(
    order=st.permutations(range(5)),
    kept=st.integers(1, 5),
    ids=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=5, max_size=5, unique=True),
    intensity=st.integers(1, 5),
    shape=st.sampled_from([(3, 28, 33), (1, 30, 28)]),
    last=st.booleans(),
)
def test_an_image_is_corrupted_alike_in_any_batch(type, order, kept, ids, intensity, shape, last):
    images, ids = pixels(5, shape), torch.tensor(ids)
    whole = corrupt(images, ids, type=type, intensity=intensity)
    some = torch.tensor(order[:kept])
    batch = images[some]
    if last:
        batch = batch.contiguous(memory_format=torch.channels_last)
    part = corrupt(batch, ids[some], type=type, intensity=intensity)
    assert torch.equal(part, whole[some])
    assert part.dtype == torch.uint8


def test_chunks_change_nothing(monkeypatch):
    images, ids = pixels(7), torch.arange(7)
    whole = corrupt(images, ids, type="elastic_transform", intensity=2)
    module = sys.modules["arcal.transforms.corruptions._corrupt"]
    monkeypatch.setattr(module, "CHUNK", 3 * images[0].numel())
    assert torch.equal(corrupt(images, ids, type="elastic_transform", intensity=2), whole)
    empty = corrupt(images[:0], ids[:0], type="elastic_transform", intensity=2)
    assert empty.shape == (0, 3, 32, 32)


@every
def test_inputs_and_global_generators_are_left_alone(type):
    images, ids = pixels(2).double() / 255, torch.arange(2)
    before = images.clone()
    state, numpys = torch.get_rng_state(), numpy_state()
    corrupt(images, ids, type=type, intensity=5)
    assert torch.equal(images, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert (numpy_state() == numpys).all()


def numpy_state():
    return np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002


@every
def test_float_images_are_the_same_before_truncation(type):
    images, ids = pixels(2), torch.arange(2)
    whole = corrupt(images, ids, type=type, intensity=4)
    double = corrupt(images.double() / 255, ids, type=type, intensity=4)
    assert torch.equal((double * 255).byte(), whole)
    assert (double >= 0).all()
    assert (double <= 1).all()
    single = corrupt(images.float() / 255, ids, type=type, intensity=4)
    assert single.dtype == torch.float32
    assert (single - double).abs().mean() < 2e-3
    if type in EIGHT_BITS:
        assert (double * 255 - (double * 255).round()).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("shape", "table"), [((3, 64, 64), CIFAR), ((3, 30, 65), IMAGENET), ((1, 28, 28), CIFAR)]
)
def test_constants_go_by_size(shape, table):
    grey = torch.full((1, *shape), 0.5, dtype=torch.float64)
    grey[..., 0] = 0
    faded = corrupt(grey, torch.arange(1), type="contrast", intensity=2)
    spread = (faded.max() - faded.min()).item()
    assert spread == pytest.approx(0.5 * table["contrast"][1])


@pytest.mark.parametrize(
    ("images", "ids", "type", "intensity", "message"),
    [
        (pixels(2), torch.arange(2), "rain", 1, "'rain' is unknown: choose one of gaussian_noise"),
        (pixels(2), torch.arange(2), "gaussian_noise", 0, "intensity 0"),
        (pixels(2), torch.arange(2), "snow", 6, "choose 1 to 5"),
        (pixels(2).int(), torch.arange(2), "contrast", 1, "int32"),
        (pixels(2).float(), torch.arange(2), "contrast", 1, "outside"),
        (pixels(2) / torch.nan, torch.arange(2), "contrast", 1, "or nan"),
        (pixels(2)[0], torch.arange(3), "contrast", 1, "B, C, H, W"),
        (pixels(2, (4, 32, 32)), torch.arange(2), "contrast", 1, "grey or RGB"),
        (pixels(2), torch.arange(3), "contrast", 1, "one id per image"),
        (pixels(2), torch.tensor([7.5, 8.0]), "contrast", 1, "float32 .* a whole number"),
        (pixels(1, (3, 27, 64)), torch.arange(1), "contrast", 1, "at least 28"),
    ],
)
def test_bad_input_is_refused_in_one_line(images, ids, type, intensity, message):
    with pytest.raises(ArcalError, match=message) as caught:
        corrupt(images, ids, type=type, intensity=intensity)
    assert "\n" not in str(caught.value)
