import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arcal.calibration import equal_mass_ece
from arcal.errors import ArcalError


def by_the_formula(confidence, correct, K):
    """Every row K times, so that K bins of N rows each can be counted off one by one."""
    confidence, correct = np.asarray(confidence, float), np.asarray(correct, float)
    rows = []
    for p in sorted(confidence):
        accuracy = correct[confidence == p].mean()  # rows of equal confidence are alike
        rows += [(p, accuracy)] * K
    total, N = 0.0, len(confidence)
    for k in range(K):
        p, c = np.array(rows[k * N : (k + 1) * N]).T
        total += abs(c.mean() - p.mean()) / K
    return total


def draw(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    confidence = torch.rand(n, generator=generator, dtype=torch.float64) ** 0.3
    return confidence, torch.rand(n, generator=generator, dtype=torch.float64) < 0.9 * confidence


@pytest.mark.parametrize(("N", "K"), [(60, 15), (61, 15), (7, 15), (40, 1), (90, 7)])
def test_is_the_formula(N, K):
    confidence, correct = draw(N)
    assert equal_mass_ece(confidence, correct, K) == pytest.approx(
        by_the_formula(confidence, correct, K), abs=1e-13
    )


def test_small_cases_by_hand():
    def of(confidence, correct, bins):
        return equal_mass_ece(torch.tensor(confidence), torch.tensor(correct), bins)

    # Three ones are right once, a gap of -2/3 each; the first bin has one of them.
    tied = of([0.5, 1.0, 1.0, 1.0], [True, True, False, False], 2)
    assert tied == pytest.approx((abs(1 / 2 - 2 / 3) + 4 / 3) / 4, abs=1e-15)
    # The row in the middle goes to both bins by half.
    halved = of([0.25, 0.5, 0.75], [False, True, True], 2)
    assert halved == (abs(-0.25 + 0.25) + (0.25 + 0.25)) / 3
    assert of([0.25, 0.5, 0.75], [False, True, True], 99) == pytest.approx(1 / 3, abs=1e-15)
    assert of([1.0] * 5, [True] * 5, 15) == 0
    assert of([0.0] * 5, [True] * 5, 15) == pytest.approx(1, abs=1e-15)


def test_the_order_of_rows_is_nothing_though_a_quarter_are_certain():
    confidence, correct = draw(10_000)
    confidence = confidence.float()
    confidence[::4], correct[::4] = 1, torch.arange(2500) % 50 > 0
    value = equal_mass_ece(confidence, correct)
    assert value == pytest.approx(by_the_formula(confidence, correct, 15), abs=1e-12)
    for seed in range(5):
        at = torch.randperm(10_000, generator=torch.Generator().manual_seed(seed))
        found = equal_mass_ece(confidence[at], correct[at])
        assert found == pytest.approx(value, abs=1e-12)


MILLIONTHS = st.integers(0, 10**6).map(lambda n: n / 10**6)
"""Confidences that differ by more than rounding, or not at all."""

inputs = st.lists(
    st.tuples(st.one_of(MILLIONTHS, st.sampled_from([0.0, 0.5, 1.0])), st.booleans()),
    min_size=1,
    max_size=40,
)


def tensors(pairs):
    confidence, correct = zip(*pairs, strict=True)
    return torch.tensor(confidence, dtype=torch.float64), torch.tensor(correct)


@settings(deadline=None, max_examples=50)
@given(inputs, st.randoms(use_true_random=False), st.integers(1, 20))
def test_properties(pairs, random, K):
    confidence, correct = tensors(pairs)
    value = equal_mass_ece(confidence, correct, K)
    assert -1e-15 <= value <= 1 + 1e-14
    assert value == pytest.approx(by_the_formula(confidence, correct, K), abs=1e-13)
    shuffled = equal_mass_ece(*tensors(random.sample(pairs, len(pairs))), K)
    assert shuffled == pytest.approx(value, abs=1e-12)
    assert equal_mass_ece(*tensors(pairs * 2), K) == pytest.approx(value, abs=1e-13)
    assert equal_mass_ece(confidence, correct, 2 * K) >= value - 1e-13  # a cut only adds
    gap = abs((confidence.mean() - correct.double().mean()).item())
    assert equal_mass_ece(confidence, correct, 1) == pytest.approx(gap, abs=1e-13)


@pytest.mark.parametrize(
    ("confidence", "correct", "bins", "message"),
    [
        ([0.5, math.nan], [True, True], 15, "nan"),
        ([1.1], [True], 15, r"\[0, 1\]"),
        ([0.5], [1], 15, "booleans"),
        ([[0.5]], [[True]], 15, "shape"),
        ([0.5], [True], 0, "bins"),
        ([], [], 15, "no inputs|booleans"),
    ],
)
def test_refuses_bad_input_in_one_line(confidence, correct, bins, message):
    with pytest.raises(ArcalError, match=message) as error:
        equal_mass_ece(torch.tensor(confidence), torch.tensor(correct), bins)
    assert "\n" not in str(error.value)
