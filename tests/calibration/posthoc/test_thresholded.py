"""How many unlabelled inputs are right, by a threshold on a score: against the idea in numpy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from arcal.calibration.posthoc import fit_accuracy_by_threshold
from arcal.errors import ArcalError


def drawn(n: int, seed: int, shift: float = 0.0):
    """Scores, and who is right: more often where the score is higher, whatever the shift."""
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, generator=draw, dtype=torch.float64) - shift
    noise = torch.randn(n, generator=draw, dtype=torch.float64)
    return scores, scores + 0.3 * noise > -0.5


def test_the_share_above_the_score_that_so_many_reach():
    scores, correct = drawn(1000, seed=0)
    today, _ = drawn(700, seed=1, shift=0.4)
    threshold = np.sort(scores.numpy())[::-1][int(correct.sum()) - 1]
    expected = (today.numpy() >= threshold).mean()
    share, low, high = fit_accuracy_by_threshold(scores, correct).estimate(today)
    assert share == pytest.approx(expected, abs=1e-12)
    assert 0 <= low < share < high <= 1


@given(
    scores=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    right=st.integers(0, 2**40 - 1),
    times=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_the_labelled_inputs_are_right_as_often_as_estimated_even_if_tied(scores, right, times):
    values = torch.tensor(scores, dtype=torch.float64)
    correct = torch.tensor([bool(right >> i & 1) for i in range(len(scores))])
    fitted = fit_accuracy_by_threshold(values, correct)
    share, low, high = fitted.estimate(values.repeat(times))
    assert share == pytest.approx(correct.double().mean().item(), abs=1e-12) == fitted.accuracy
    assert 0 <= low <= share <= high <= 1


def test_weights_count_as_repetitions():
    scores, correct = drawn(60, seed=4)
    times = torch.randint(1, 4, (60,), generator=torch.Generator().manual_seed(0)).double()
    rows = torch.arange(60).repeat_interleave(times.long())
    today, _ = drawn(500, seed=5)
    weighted = fit_accuracy_by_threshold(scores, correct, times).estimate(today)
    repeated = fit_accuracy_by_threshold(scores[rows], correct[rows]).estimate(today)
    assert weighted[0] == pytest.approx(repeated[0], abs=1e-12)


def test_intervals_hold_the_accuracy_of_inputs_drawn_alike():
    held = 0
    for seed in range(200):
        scores, correct = drawn(300, seed=2 * seed)
        today, right = drawn(300, seed=2 * seed + 1)
        _, low, high = fit_accuracy_by_threshold(scores, correct).estimate(today)
        held += low <= right.double().mean().item() <= high
    assert held >= 180


@pytest.mark.parametrize("scores", [[], [[0.5]], [0.5, float("nan")]])
def test_scores_are_a_number_an_input(scores):
    with pytest.raises(ArcalError, match="give a number for each input"):
        fit_accuracy_by_threshold(scores, [True] * len(scores))


@pytest.mark.parametrize("end", [float("inf"), float("-inf")])
def test_scores_that_are_infinite_are_ordered_as_others(end):
    """As the distances to a boundary of which none was found."""
    scores = torch.tensor([end, end, 0.8, 0.7, 0.6, 0.5], dtype=torch.float64)
    finite = scores.where(scores.isfinite(), 2.0 if end > 0 else -2.0)
    for right in range(7):
        correct = torch.arange(6) < right
        one, other = (fit_accuracy_by_threshold(some, correct) for some in (scores, finite))
        expected = pytest.approx(other.estimate(finite[1:4]), abs=1e-12)
        assert one.estimate(scores[1:4]) == expected
