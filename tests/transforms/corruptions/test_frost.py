"""Frost, of the official photographs where they are installed, and without them."""

import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import sliding_window_view
from plausible_draw import assert_plausible

from arcal.transforms.corruptions import corrupt, frost
from arcal.transforms.corruptions.constants import CIFAR
from arcal.transforms.corruptions.draws import Draws


@pytest.fixture
def absent(monkeypatch):
    monkeypatch.setattr(frost, "find_spec", lambda name: None)


@pytest.fixture
def installed():
    if frost.frost_source() == "procedural":
        pytest.skip("photographs of frost not found: install the package imagecorruptions")


def draws(count, seed=0):
    return Draws(torch.arange(count), type="frost", intensity=1, seed=seed)


def texture(count, channels=3, height=32, width=32, seed=0):
    """Frost on black: `(B, C, H, W)`, 0 .. 255."""
    black = torch.zeros(count, channels, height, width, dtype=torch.float64)
    return 255 * frost.frost(black, (1, 1), draws(count, seed))


@pytest.mark.parametrize("source", ["absent", "installed"])
def test_frost_is_plausible(official, source, request):
    request.getfixturevalue(source)
    assert_plausible(official, "frost")


@pytest.mark.parametrize("source", ["absent", "installed"])
@pytest.mark.parametrize("intensity", [1, 5])
def test_frost_is_laid_over_as_officially(source, intensity, photographs, request):
    """Whole grey levels stay whole: uint8 times constants, added, cut off."""
    request.getfixturevalue(source)
    images, ids = photographs[:20], torch.arange(20)
    share, amount = CIFAR["frost"][intensity - 1]
    black = torch.zeros(images.shape, dtype=torch.float64)
    again = Draws(ids, type="frost", intensity=intensity)
    ice = (255 * frost.frost(black, (1, 1), again)).numpy()
    expected = np.uint8(np.clip(share * images.numpy() + amount * ice, 0, 255))
    ours = corrupt(images, ids, type="frost", intensity=intensity).numpy()
    assert (ours == expected).mean() > 0.999
    assert np.abs(ours.astype(int) - expected).max() <= 1


def test_official_frost_is_a_piece_of_the_same_photographs(installed, official):
    """To the bit: the official places in them are not known, every place is tried."""
    folder = frost._folder()
    assert folder is not None
    share, amount = CIFAR["frost"][0]
    found = np.zeros(8, bool)
    for photograph in frost._photographs(folder, 32, 32):
        pieces = sliding_window_view(photograph.numpy(), (32, 32), (1, 2))
        for image, (clean, theirs) in enumerate(
            zip(official["clean"][:8], official["frost"][0, :8], strict=True)
        ):
            corner = amount * pieces[..., 0, 0] + share * clean[0, 0][:, None, None]
            near = np.abs(np.floor(corner.clip(0, 255)) - theirs[0, 0][:, None, None]).max(0) <= 1
            for top, left in np.argwhere(near):
                piece = pieces[:, top, left].transpose(1, 2, 0)
                laid = np.uint8(np.clip(share * clean + amount * piece, 0, 255))
                found[image] |= (laid == theirs).all()
    assert found.all()
