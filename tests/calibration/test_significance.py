"""P-values against scipy and the exact interval; Holm's correction against its definition."""

import random

import numpy as np
import pytest
import torch
from scipy.stats import binom

from arcal.calibration import clopper_pearson, exact_interval, holm
from arcal.calibration.intervals import binomial_p
from arcal.errors import ArcalError


def test_p_is_twice_the_smaller_tail():
    pairs = [(x, n) for n in (1, 7, 60, 2000) for x in sorted({0, 1, n // 3, n - 1, n})]
    x, n = torch.tensor(pairs).T
    for p in (0.0, 0.02, 0.5, 0.9, 1.0):
        tails = np.minimum(binom.sf(x - 1, n, p), binom.cdf(x, n, p))
        found = binomial_p(x, n, torch.full(x.shape, p, dtype=torch.float64))
        np.testing.assert_allclose(found, np.minimum(2 * tails, 1), rtol=1e-9, atol=1e-300)


def test_p_is_below_005_where_the_interval_leaves_the_probability_out():
    n = 40
    x = torch.arange(n + 1)
    low, high = clopper_pearson(x, torch.full_like(x, n))
    for p in np.linspace(0.01, 0.99, 99):
        out = (low > p) | (high < p)
        assert torch.equal(
            binomial_p(x, torch.full_like(x, n), torch.full((n + 1,), p)) < 0.05, out
        )


def test_no_trials_show_nothing():
    nothing = torch.zeros(1)
    assert binomial_p(nothing, nothing, torch.tensor([0.9])).item() == 1
    assert [end.item() for end in exact_interval(nothing, nothing)] == [0, 1]


def test_holm_rejects_what_the_step_down_procedure_rejects():
    """Holm (1979): go up the sorted p-values while p_(k) <= level / (m + 1 - k)."""
    draw = random.Random(0)
    for _ in range(50):
        p = [draw.random() ** 3 for _ in range(draw.randint(1, 6))]
        adjusted = holm(p)
        for level in (0.01, 0.05, 0.2, 0.5):
            rejected: set[int] = set()
            for k, i in enumerate(sorted(range(len(p)), key=p.__getitem__), 1):
                if p[i] > level / (len(p) + 1 - k):
                    break
                rejected.add(i)
            assert {i for i, value in enumerate(adjusted) if value <= level} == rejected


@pytest.mark.parametrize(
    ("successes", "count", "probability", "message"),
    [
        ([3], [2], [0.5], "3 successes of 2"),
        ([torch.nan], [2], [0.5], "nan successes of 2"),
        ([1, 2], [2], [0.5], "shape"),
        ([1, 2], [2, 2], [0.5], "shape"),
        ([1], [2], [1.5], "probability"),
    ],
)
def test_refuses_bad_input_in_one_line(successes, count, probability, message):
    with pytest.raises(ArcalError, match=message) as error:
        binomial_p(*map(torch.tensor, (successes, count, probability)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("p", [0.03, [[0.03], [0.04]]])
def test_p_values_are_a_list(p):
    with pytest.raises(ArcalError, match="give one p-value per test"):
        holm(torch.tensor(p))
