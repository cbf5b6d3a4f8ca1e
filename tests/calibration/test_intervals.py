import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest

from arcal.calibration import Reliability, clopper_pearson
from arcal.errors import ArcalError


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_agrees_with_the_exact_interval_of_scipy(confidence):
    pairs = [(x, n) for n in (1, 2, 7, 50, 1000) for x in sorted({0, 1, n // 3, n - 1, n})]
    x, n = torch.tensor(pairs).T
    low, high = clopper_pearson(x, n, confidence)
    peers = [binomtest(*pair).proportion_ci(confidence, method="exact") for pair in pairs]
    np.testing.assert_allclose(low, [peer.low for peer in peers], rtol=1e-9)
    np.testing.assert_allclose(high, [peer.high for peer in peers], rtol=1e-9)
    assert low.dtype == high.dtype == torch.float64


def test_ends_satisfy_the_definition():
    """At either end as many, or as few, successes as were seen have the chance of a tail."""
    n = 30
    x = torch.arange(n + 1)
    low, high = (end.numpy() for end in clopper_pearson(x, torch.full_like(x, n), 0.9))
    np.testing.assert_allclose(binom.sf(np.arange(1, n + 1) - 1, n, low[1:]), 0.05, rtol=1e-9)
    np.testing.assert_allclose(binom.cdf(np.arange(n), n, high[:-1]), 0.05, rtol=1e-9)
    assert low[0] == 0
    assert high[-1] == 1
    assert high[0] == pytest.approx(1 - 0.05 ** (1 / n))
    assert low[-1] == pytest.approx(0.05 ** (1 / n))
    np.testing.assert_allclose(low, 1 - high[::-1], atol=1e-12)
    assert (np.diff(low) > 0).all()


@pytest.mark.parametrize("n", [1, 4, 25])
def test_holds_the_truth_at_least_as_often_as_it_says(n):
    x = torch.arange(n + 1)
    low, high = (end.numpy() for end in clopper_pearson(x, torch.full_like(x, n), 0.8))
    for p in np.linspace(0, 1, 101):
        assert binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() >= 0.8


def test_takes_the_bins_of_a_reliability_and_rules_nothing_out_where_empty():
    sums = Reliability(4).update(torch.tensor([0.4, 0.9, 0.8]), torch.tensor([True, False, False]))
    low, high = clopper_pearson(sums.correct_sums, sums.count)
    assert low.tolist() == pytest.approx([0, 0.025, 0, 0])
    assert high.tolist() == pytest.approx([1, 1, 1, 1 - 0.025**0.5])
    low, high = clopper_pearson(torch.zeros(2, 3).long(), torch.full((2, 3), 5))
    assert low.shape == high.shape == (2, 3)


@pytest.mark.parametrize(
    ("successes", "count", "confidence", "message"),
    [
        ([3], [2], 0.95, "3 successes of 2"),
        ([-1], [2], 0.95, "-1 successes of 2"),
        ([0], [-1], 0.95, "0 successes of -1"),
        ([1, 2], [2], 0.95, "shape"),
        ([0.5], [2], 0.95, "integers"),
        ([True], [2], 0.95, "integers"),
        ([1], [2], 1.0, "confidence"),
        ([1], [2], 95, "confidence"),
    ],
)
def test_refuses_bad_input_in_one_line(successes, count, confidence, message):
    with pytest.raises(ArcalError, match=message) as error:
        clopper_pearson(torch.tensor(successes), torch.tensor(count), confidence)
    assert "\n" not in str(error.value)
