"""Draws of right and wrong by chance, shared between figures."""

import pytest
import torch

from arcal.calibration import ece_by_chance
from arcal.calibration.chance import Chance
from arcal.calibration.draws import BLOCK, chance
from arcal.calibration.smooth import smooth_ece_by_chance


def confidences(N: int) -> torch.Tensor:
    return torch.rand(N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def joined(blocks):
    return torch.cat([block.clone() for block in blocks], dim=1)


@pytest.mark.parametrize("N", [1, 7, 1001, BLOCK + 3])
def test_errors_are_those_of_the_draws_however_often_they_are_wanted(N):
    confidence = confidences(N)
    by_chance = Chance(confidence, seed=5)
    for resamples in (5, 3, 9, 5):
        expected = joined(chance(confidence, resamples, seed=5)).double() - confidence[:, None]
        assert torch.equal(joined(by_chance.errors(resamples)), expected)


def test_what_a_figure_writes_over_is_not_seen_by_the_next():
    by_chance = Chance(confidences(50))
    first = joined(by_chance.errors(4))
    for block in by_chance.errors(4):
        block.zero_()
    assert torch.equal(joined(by_chance.errors(4)), first)


def test_figures_that_share_draws_are_those_of_their_own():
    confidence, groups = confidences(400), torch.arange(400) % 3
    shared = Chance(confidence, seed=2)
    eces = ece_by_chance(shared, groups, 3, resamples=40)
    assert torch.equal(eces, ece_by_chance(confidence, groups, 3, resamples=40, seed=2))
    smooth = smooth_ece_by_chance(shared, resamples=40)
    assert torch.equal(smooth, smooth_ece_by_chance(confidence, resamples=40, seed=2))
