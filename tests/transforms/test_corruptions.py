"""Corruptions: bits that depend on the id alone, statistics of the official archives."""

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arcal.errors import ArcalError
from arcal.transforms import CORRUPTIONS, corrupt

SIGMAS = [0.04, 0.06, 0.08, 0.09, 0.10]

every = pytest.mark.parametrize("type", CORRUPTIONS)
intensities = pytest.mark.parametrize("intensity", [1, 2, 3, 4, 5])


def pixels(count, shape=(3, 32, 32), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)


def grey(count=40):
    return torch.full((count, 3, 32, 32), 128, dtype=torch.uint8), torch.arange(count)


@every
@settings(max_examples=20, deadline=None)
@given(
    order=st.permutations(range(6)),
    kept=st.integers(1, 6),
    ids=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=6, max_size=6, unique=True),
    intensity=st.integers(1, 5),
    last=st.booleans(),
)
def test_an_image_is_corrupted_alike_in_any_batch(type, order, kept, ids, intensity, last):
    images, ids = pixels(6, (3, 8, 10)), torch.tensor(ids)
    whole = corrupt(images, ids, type=type, intensity=intensity)
    some = torch.tensor(order[:kept])
    batch = images[some]
    if last:
        batch = batch.contiguous(memory_format=torch.channels_last)
    part = corrupt(batch, ids[some], type=type, intensity=intensity)
    assert torch.equal(part, whole[some])
    assert part.dtype == torch.uint8


@every
def test_inputs_and_global_generators_are_left_alone(type):
    images, ids = grey()
    state, numpys = torch.get_rng_state(), numpy_state()
    corrupt(images, ids, type=type, intensity=5)
    assert (images == 128).all()
    assert torch.equal(torch.get_rng_state(), state)
    assert (numpy_state() == numpys).all()


def numpy_state():
    return np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002


def noise(intensity=3, ids=None, seed=0):
    images, all_ids = grey()
    ids = all_ids if ids is None else ids
    noisy = corrupt(images, ids, type="gaussian_noise", intensity=intensity, seed=seed)
    return (noisy.double() - 128) / 255


def correlation(a, b):
    return torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1].abs().item()


def test_noise_is_independent_across_ids_intensities_and_seeds():
    """122,880 values: a correlation of independent draws is within .0029 two times in three."""
    base = noise()
    assert correlation(base, noise(ids=torch.arange(40) + 1000)) < 0.015
    assert correlation(base, noise(ids=torch.arange(40) + 2**32)) < 0.015
    assert correlation(base, noise(ids=-torch.arange(1, 41))) < 0.015
    assert correlation(base, noise(intensity=4)) < 0.015
    assert correlation(base, noise(seed=1)) < 0.015
    assert correlation(base[:-1], base[1:]) < 0.015
    assert correlation(base, noise()) > 0.999


@intensities
def test_gaussian_noise_is_normal_with_its_sigma(intensity):
    values = noise(intensity)
    sigma = SIGMAS[intensity - 1]
    assert values.std().item() == pytest.approx(sigma, rel=0.03)
    # Truncation, not rounding, lowers the mean by half a grey level (standard error 3e-4).
    assert values.mean().item() == pytest.approx(-0.5 / 255, abs=1e-3)
    standard = (values - values.mean()) / values.std()
    assert (standard**4).mean().item() == pytest.approx(3, rel=0.03)
    assert (standard**3).mean().item() == pytest.approx(0, abs=0.05)


def test_values_are_truncated_after_clipping():
    """The arithmetic written out for one image, from its key to its bits."""
    image, id = pixels(1), 77
    digest = hashlib.sha256(b"5/gaussian_noise/2").digest()
    key = np.array([int.from_bytes(digest[:8], "little"), id], dtype=np.uint64)
    draws = np.random.Generator(np.random.Philox(key=key)).standard_normal((32, 32, 3)) * 0.06
    float_image = image[0].permute(1, 2, 0).numpy() / 255.0 + draws
    expected = np.floor(np.minimum(np.maximum(float_image, 0), 1) * 255)
    ours = corrupt(image, torch.tensor([id]), type="gaussian_noise", intensity=2, seed=5)
    assert (ours[0].permute(1, 2, 0).numpy() == expected).all()


def test_the_bits_are_these():
    """Fixed for good: saved figures refer to them."""
    noisy = corrupt(*grey(2), type="gaussian_noise", intensity=1)
    assert noisy[1, :, 0, :3].tolist() == [[126, 147, 127], [117, 111, 133], [121, 123, 135]]


@intensities
def test_gaussian_noise_is_as_strong_as_the_official_archive(shared, intensity):
    official = np.load(shared / "oracles" / "cifar10c-20-images.npz")
    clean = official["clean"]
    images = torch.from_numpy(clean).permute(0, 3, 1, 2)
    ids = torch.from_numpy(official["official_test_index"])
    ours = corrupt(images, ids, type="gaussian_noise", intensity=intensity)
    theirs = official["gaussian_noise"][intensity - 1].astype(float) - clean
    mine = ours.permute(0, 2, 3, 1).numpy().astype(float) - clean
    assert mine.std() == pytest.approx(theirs.std(), rel=0.03)
    assert mine.mean() == pytest.approx(theirs.mean(), abs=0.4)
    psnr = [10 * np.log10(255**2 / (d**2).mean((1, 2, 3))) for d in (mine, theirs)]
    np.testing.assert_allclose(psnr[0], psnr[1], rtol=0.03)
    ends = [((clean + d == 0).mean(), (clean + d == 255).mean()) for d in (mine, theirs)]
    np.testing.assert_allclose(ends[0], ends[1], atol=0.005)


@pytest.mark.parametrize(
    ("images", "ids", "type", "intensity", "message"),
    [
        (pixels(2), torch.arange(2), "rain", 1, "'rain' is unknown: choose one of gaussian_noise"),
        (pixels(2), torch.arange(2), "gaussian_noise", 0, "intensity 0"),
        (pixels(2), torch.arange(2), "gaussian_noise", 6, "choose 1 to 5"),
        (pixels(2) / 255, torch.arange(2), "gaussian_noise", 1, "float32"),
        (pixels(2)[0], torch.arange(3), "gaussian_noise", 1, "B, C, H, W"),
        (pixels(2), torch.arange(3), "gaussian_noise", 1, "one id an image"),
        (pixels(1, (3, 65, 64)), torch.arange(1), "gaussian_noise", 1, "at most 64"),
    ],
)
def test_bad_input_is_refused_in_one_line(images, ids, type, intensity, message):
    with pytest.raises(ArcalError, match=message) as caught:
        corrupt(images, ids, type=type, intensity=intensity)
    assert "\n" not in str(caught.value)
