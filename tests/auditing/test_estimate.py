"""A figure with its interval, against scipy's exact interval and numpy's quantiles."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest

from arcal.auditing import Estimate
from arcal.auditing._estimate import (
    accuracies,
    accuracy_from,
    ece_from,
    from_draws,
    gap_to,
)
from arcal.calibration import Bootstrap
from arcal.calibration.weighted import effective_number, effective_of


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (-0.1, 0.1, 0), (0.0, 0.1, 0), (-0.1, 0.0, 0),
     (math.nan, math.nan, 0)],
)  # fmt: skip
def test_a_sign_is_only_that_of_an_interval_without_0(low, high, sign):
    assert Estimate(0.05, low, high, 10).sign == sign


def test_accuracies_have_scipy_s_exact_interval():
    right, n = [0, 1, 30, 49, 50, 0], [50, 50, 50, 50, 50, 0]
    *some, none = accuracies(torch.tensor(right).double(), torch.tensor(n).double())
    for estimate, x in zip(some, right, strict=False):
        peer = binomtest(x, 50).proportion_ci(0.95, method="exact")
        assert (estimate.value, estimate.n) == (x / 50, 50)
        assert (estimate.low, estimate.high) == pytest.approx((peer.low, peer.high), rel=1e-9)
    assert none.n == 0
    assert all(math.isnan(end) for end in (none.value, none.low, none.high))


@pytest.mark.parametrize("n", [5, 60])
def test_the_gap_of_given_confidences_is_held_at_least_as_often_as_is_said(n):
    """Every number of right answers, with its chance: no draws."""
    x = np.arange(n + 1)
    estimates = accuracies(torch.tensor(x).double(), torch.full((n + 1,), float(n)).double())
    for confidence, accuracy in ((0.9, 0.9), (0.9, 0.7), (0.6, 0.85)):
        gaps = [gap_to(estimate, confidence) for estimate in estimates]
        held = [gap.low <= confidence - accuracy <= gap.high for gap in gaps]
        assert binom.pmf(x, n, accuracy)[held].sum() >= 0.95
        wrongly = [gap.sign != 0 for gap in gaps]
        if confidence == accuracy:
            assert binom.pmf(x, n, accuracy)[wrongly].sum() <= 0.05


@pytest.mark.parametrize("unsure", [1, 100, 369])
def test_inputs_that_weigh_alike_count_whole_however_sure_the_model_is(unsure):
    """A mean of confidences of nearly 1 rounds to 1, as if the accuracy had no variance."""
    confidence = torch.ones(369, dtype=torch.float64)
    confidence[:unsure] = 1 - 2**-53
    assert effective_of(torch.ones(369, dtype=torch.float64), confidence) == 369


def test_an_accuracy_that_rounding_takes_beyond_1_is_1():
    estimate = accuracy_from(1 + 2**-52, 7.3)
    assert (estimate.value, estimate.high, estimate.n) == (1, 1, 7)
    assert estimate.low == pytest.approx(0.025 ** (1 / 7.3))


def test_bootstrapped_intervals_are_quantiles_cut_to_what_can_be():
    samples = np.random.default_rng(0).normal(0.02, 0.02, 500)
    draws = Bootstrap(0.03, torch.tensor(samples), 0.95)
    low, high = np.quantile(samples, [0.025, 0.975])
    percentile, outer = from_draws(draws, 9), from_draws(draws, 9, (0, 1), biased=True)
    assert (percentile.low, percentile.high) == pytest.approx((low, high))
    shifted = high - draws.bias
    assert (outer.low, outer.high) == pytest.approx((0, max(0.06 - low, shifted)))
    assert from_draws(draws, 9, (0, 1)).low == 0
    assert percentile.n == outer.n == 9
    assert percentile.width == pytest.approx(high - low)


def test_an_ece_begins_at_what_exceeds_chance():
    """Up to twice what 95 % of calibrated models stay below; beyond it chance hardly matters."""
    samples = torch.linspace(0.04, 0.08, 41).double()
    draws, gap = Bootstrap(0.05, samples, 0.95), Estimate(0.05, 0.0, 0.06, 9)
    begins = [ece_from(draws, 9, high, gap, wrong=100).low for high in (0.06, 0.04, 0.02)]
    assert begins[:2] == pytest.approx([0, 0.01])
    assert begins[2] > 0.02


@pytest.mark.parametrize(("gap", "high"), [((0.01, 0.3), 0.3), ((-0.2, 0.1), 0.2), ((0, 0), 0.06)])
def test_with_few_errors_an_ece_may_be_as_large_as_the_gap(gap, high):
    draws = Bootstrap(0.05, torch.linspace(0.04, 0.06, 41).double(), 0.95)
    own = Estimate(0.05, gap[0], gap[1], 50)
    few, many = (ece_from(draws, 50, 0.01, own, wrong) for wrong in (99, 100))
    assert few.high == pytest.approx(high, abs=1e-3)
    assert many.high < 0.061
    assert few.low == many.low


def test_an_infinite_figure_has_no_interval():
    estimate = from_draws(Bootstrap(math.inf, torch.full((9,), torch.inf), 0.95), 4)
    assert estimate.value == math.inf
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_effective_numbers():
    assert effective_number(torch.full((12,), 0.3).double()) == pytest.approx(12)
    weights = torch.tensor([3.0, 1, 0, 1]).double()
    assert effective_number(weights) == pytest.approx(25 / 11)
    assert effective_number(100 * weights) == pytest.approx(25 / 11)
