"""Paired tests over seeds, against scipy's."""

import math

import pytest
import torch
from scipy import stats

from arcal.auditing import (
    shift_sets,
)
from arcal.auditing._paired import paired_t

FOG, DARK = shift_sets(["fog-3", "contrast-3"])


@pytest.mark.parametrize("right", [[190, 171], [190, 171, 150], [190, 171, 166, 150, 133, 121]])
def test_the_same_difference_on_every_seed_is_as_likely_as_the_sign_test_says(right):
    ours, theirs = torch.tensor([[n, n - 3] for n in right]).double().T / 200  # of 200 inputs
    assert (ours - theirs).unique().numel() > 1  # by rounding
    mean, low, high, p = paired_t(ours - theirs)
    assert mean == pytest.approx(0.015)
    assert math.isnan(low)
    assert math.isnan(high)
    assert p == pytest.approx(stats.binomtest(len(right), len(right)).pvalue)
