from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, foldnorm

from arcal.calibration import (
    Reliability,
    debiased_ece,
    debiased_squared,
    ece_if_calibrated,
)
from arcal.errors import ArcalError

ALL = ("debiased_squared", "debiased_ece", "ece_if_calibrated")
"""Properties of a `Reliability`."""


def bins_of(confidence, correct, K=15):
    """Section 3's buckets, literally: the rows of each that is not empty."""
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    for k in range(K):
        B = (confidence > k / K) & (confidence <= (k + 1) / K) | ((k == 0) & (confidence == 0))
        if B.any():
            yield confidence[B], correct[B]


def squared_by_the_formula(confidence, correct, K=15):
    total = 0.0
    for p, c in bins_of(confidence, correct, K):
        if len(p) > 1:
            variance = c.mean() * (1 - c.mean()) / (len(c) - 1)
            total += len(p) / len(confidence) * ((p.mean() - c.mean()) ** 2 - variance)
    return total


def debiased_by_the_formula(confidence, correct, K=15):
    total = 0.0
    for p, c in bins_of(confidence, correct, K):
        gap, deviation = abs(p.mean() - c.mean()), (c.mean() * (1 - c.mean()) / len(c)) ** 0.5
        expected = foldnorm.mean(gap / deviation, scale=deviation) if deviation else gap
        total += len(p) / len(confidence) * (2 * gap - expected)
    return total


def floor_by_the_formula(confidence, K=15):
    """E|X - n p| summed over all values of a binomial X."""
    total = 0.0
    for p, _ in bins_of(confidence, confidence, K):
        n, mean = len(p), p.sum()
        total += (binom.pmf(range(n + 1), n, mean / n) * abs(np.arange(n + 1) - mean)).sum()
    return total / len(confidence)


def draw(n, generator=None, slope=0.9):
    generator = generator or torch.Generator().manual_seed(0)
    confidence = torch.rand(n, generator=generator, dtype=torch.float64) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=torch.float64) < slope * confidence


@pytest.mark.parametrize("K", [1, 2, 15, 100])
@pytest.mark.parametrize("N", [30, 3000])
def test_are_the_formulas(N, K):
    confidence, correct = draw(N)
    sums = Reliability(K).update(confidence, correct)
    expected = squared_by_the_formula(confidence, correct, K)
    assert sums.debiased_squared == debiased_squared(confidence, correct, K)
    assert sums.debiased_squared == pytest.approx(expected, abs=1e-13)
    expected = debiased_by_the_formula(confidence, correct, K)
    assert sums.debiased_ece == debiased_ece(confidence, correct, K)
    assert sums.debiased_ece == pytest.approx(expected, abs=1e-13)
    assert sums.ece_if_calibrated == ece_if_calibrated(confidence, K)
    assert sums.ece_if_calibrated == pytest.approx(floor_by_the_formula(confidence, K), abs=1e-12)


def outcomes(probability):
    """Every way the rows' correctness can turn out, and its chance."""
    for correct in product([False, True], repeat=len(probability)):
        chances = [q if c else 1 - q for c, q in zip(correct, probability, strict=True)]
        yield torch.tensor(correct), np.prod(chances)


@pytest.mark.parametrize("truth", [[0.3, 0.9], [0.5, 0.6], [0.0, 1.0]])
def test_the_expectation_of_the_square_is_the_truth_exactly(truth):
    """Over all outcomes of 4 rows at confidence .3 and 5 at .9."""
    confidence = torch.tensor([0.3] * 4 + [0.9] * 5, dtype=torch.float64)
    of_rows = [truth[0]] * 4 + [truth[1]] * 5
    mean = sum(
        chance * debiased_squared(confidence, correct) for correct, chance in outcomes(of_rows)
    )
    gaps = np.array(truth) - [0.3, 0.9]
    assert mean == pytest.approx((np.array([4, 5]) / 9 * gaps**2).sum(), abs=1e-14)


def test_small_cases_by_hand():
    sums = Reliability().update(torch.tensor([0.5, 0.5]), torch.tensor([True, False]))
    assert sums.debiased_squared == -0.25
    assert sums.debiased_ece == pytest.approx(-(0.125**0.5) * (2 / np.pi) ** 0.5, abs=1e-15)
    assert sums.ece_if_calibrated == pytest.approx(0.25, abs=1e-15)  # |X - 1| is 1 half of times
    for p, c, truth in ((1.0, True, 0), (0.0, True, 1), (1.0, False, 1), (0.0, False, 0)):
        sums = Reliability().update(torch.tensor([p, p]), torch.tensor([c, c]))
        assert [getattr(sums, of) for of in ALL] == [truth, truth, 0]


def test_a_bin_of_one_row_adds_nothing_to_the_square():
    confidence = torch.tensor([0.5, 0.5, 0.9], dtype=torch.float64)
    sums = Reliability().update(confidence, torch.tensor([True, True, False]))
    assert sums.debiased_squared == 2 / 3 * 0.25
    alone = Reliability().update(confidence[1:], torch.tensor([True, False]))
    with pytest.raises(ArcalError, match="two rows"):
        _ = alone.debiased_squared
    assert alone.debiased_ece == alone.ece


inputs = st.lists(
    st.tuples(st.one_of(st.floats(0, 1), st.integers(0, 15).map(lambda k: k / 15)), st.booleans()),
    min_size=1,
    max_size=60,
)


@settings(deadline=None, max_examples=40)
@given(inputs, st.integers(1, 20), st.integers(1, 20))
def test_properties(pairs, K, size):
    confidence, correct = (torch.tensor(x) for x in zip(*pairs, strict=True))
    confidence = confidence.double()
    sums, streamed = Reliability(K).update(confidence, correct), Reliability(K)
    for p, c in zip(confidence.split(size), correct.split(size), strict=True):
        streamed.merge(Reliability(K).update(p, c))
    for of, low, high in zip(ALL, (-0.25, -0.3, 0), (1, 1, 0.5), strict=True):
        if of == "debiased_squared" and sums.count.max() < 2:
            continue
        assert low - 1e-12 <= getattr(sums, of) <= high + 1e-12
        assert getattr(streamed, of) == pytest.approx(getattr(sums, of), abs=1e-12)
    assert sums.debiased_ece <= sums.ece + 1e-13
    assert sums.ece_if_calibrated == pytest.approx(floor_by_the_formula(confidence, K), abs=1e-11)
