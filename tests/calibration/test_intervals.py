from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from scipy.stats import binom, binomtest, multinomial, norm

from arcal.calibration import clopper_pearson
from arcal.calibration.intervals import tango
from arcal.errors import ArcalError


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_agrees_with_the_exact_interval_of_scipy(level):
    pairs = [(x, n) for n in (1, 2, 7, 50, 1000) for x in sorted({0, 1, n // 3, n - 1, n})]
    x, n = torch.tensor(pairs).T
    low, high = clopper_pearson(x, n, level)
    peers = [binomtest(*pair).proportion_ci(level, method="exact") for pair in pairs]
    np.testing.assert_allclose(low, [peer.low for peer in peers], rtol=1e-9)
    np.testing.assert_allclose(high, [peer.high for peer in peers], rtol=1e-9)
    assert low.dtype == high.dtype == torch.float64


@pytest.mark.parametrize("n", [1, 4, 25])
def test_holds_the_truth_at_least_as_often_as_it_says(n):
    x = torch.arange(n + 1)
    low, high = (end.numpy() for end in clopper_pearson(x, torch.full_like(x, n), 0.8))
    for p in np.linspace(0, 1, 101):
        assert binom.pmf(np.arange(n + 1), n, p)[(low <= p) & (p <= high)].sum() >= 0.8


@pytest.mark.parametrize(
    ("successes", "count", "level", "message"),
    [
        ([3], [2], 0.95, "3 successes of 2"),
        ([-1], [2], 0.95, "-1 successes of 2"),
        ([0], [-1], 0.95, "0 successes of -1"),
        ([1, 2], [2], 0.95, "shape"),
        ([0.5], [2], 0.95, "integers"),
        ([True], [2], 0.95, "integers"),
        ([1], [2], 1.0, "level"),
        ([1], [2], 95, "level"),
    ],
)
def test_refuses_bad_input_in_one_line(successes, count, level, message):
    with pytest.raises(ArcalError, match=message) as error:
        clopper_pearson(torch.tensor(successes), torch.tensor(count), level)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("only_second", "only_first", "N"),
    [(40, 20, 1000), (12, 2, 50), (3, 0, 20), (0, 7, 9), (5, 5, 30), (20, 1, 40), (0, 1, 1000)],
)
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_ends_of_tango_satisfy_his_definition(only_second, only_first, N, level):
    """With the likeliest share by a search of the likelihood, not by the closed form."""
    z = norm.ppf((1 + level) / 2)
    counts = only_second, only_first, N - only_second - only_first

    def unlikely(q, d):
        shares = q + d, q, 1 - 2 * q - d
        return -sum(n * np.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True) if n)

    low, high = tango(only_first, only_second, N, level)
    assert -1 <= low <= (only_second - only_first) / N <= high <= 1
    for d in (low, high):
        bounds = max(0, -d), (1 - d) / 2
        search: Any = minimize_scalar(unlikely, args=(d,), bounds=bounds, method="bounded")
        q = min(*bounds, search.x, key=lambda q: unlikely(q, d))
        deviation = np.sqrt(max(N * (2 * q + d * (1 - d)), 0))
        assert abs(only_second - only_first - N * d) == pytest.approx(z * deviation, abs=2e-3)


def test_tango_is_mcnemars_test_and_his_interval_where_nothing_differs():
    for only_first, only_second in [(10, 22), (10, 21), (0, 4), (0, 3), (40, 60), (40, 59)]:
        low, high = tango(only_first, only_second, 500)
        chi2 = (only_second - only_first) ** 2 / (only_second + only_first)
        assert (low > 0) == (chi2 > norm.ppf(0.975) ** 2)
        assert tango(only_second, only_first, 500) == pytest.approx((-high, -low))
    z2 = norm.ppf(0.975) ** 2
    assert tango(0, 0, 60) == pytest.approx((-z2 / (60 + z2), z2 / (60 + z2)))


@pytest.mark.parametrize(
    ("p_first", "p_second"), [(0.1, 0.1), (0.02, 0.05), (0.0, 0.1), (0.3, 0.2)]
)
def test_tango_holds_the_truth_by_enumeration(p_first, p_second):
    """The chance of every outcome of 60 inputs, summed over the intervals that hold the truth."""
    N = 60
    held = 0.0
    for only_first in range(N + 1):
        for only_second in range(N + 1 - only_first):
            counts = only_first, only_second, N - only_first - only_second
            chance = multinomial.pmf(counts, N, [p_first, p_second, 1 - p_first - p_second])
            if chance > 1e-7:
                low, high = tango(only_first, only_second, N)
                held += chance * (low <= p_second - p_first <= high)
    assert 0.93 < held <= 1


@pytest.mark.parametrize(
    ("counts", "level", "message"),
    [
        ((-1, 0, 5), 0.95, "-1 and 0 of 5"),
        ((3, 3, 5), 0.95, "3 and 3 of 5"),
        ((0, 0, 0), 0.95, "0 and 0 of 0"),
        ((1, 1, 5), 1.0, "within"),
    ],
)
def test_what_tango_cannot_take_is_refused(counts, level, message):
    with pytest.raises(ArcalError, match=message):
        tango(*counts, level=level)
