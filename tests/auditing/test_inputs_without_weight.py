"""An input that weighs 0 has no part in any figure, nor in how far its interval reaches."""

import math

import pytest
import torch

from arcal.auditing import (
    Estimate,
    Predictions,
    as_predictions,
    by_class,
    class_probability,
    overall,
    shift_sets,
    under_shift,
)
from tests.auditing.drawn import drawn, relabelled, reordered

N = 1000


def with_few_errors(Z: int = 2) -> Predictions:
    """Every fourth input of the first half is taken out by its weight; all of these are wrong."""
    predictions = drawn(N, Z, sharpness=8)
    right, wrong = predictions.predicted, (predictions.predicted + 1) % Z
    place = torch.arange(N)
    return relabelled(predictions, wrong.where((place % 4 == 0) | (place == 1), right))


WEIGHTS = (torch.arange(N) % 4 != 0).double()


def alone(predictions: Predictions) -> Predictions:
    return reordered(predictions, WEIGHTS.nonzero()[:, 0])


def near(one: Estimate | None, other: Estimate | None):
    """Equal, but for the draws, which are of more inputs."""
    assert one
    assert other
    width = other.high - other.low
    assert one.value == pytest.approx(other.value)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.15 * width)


def test_errors_that_weigh_nothing_are_not_seen():
    predictions = with_few_errors()
    every, some = overall(predictions, weights=WEIGHTS), overall(alone(predictions))
    assert some.accuracy.n - round(some.accuracy.value * some.accuracy.n) < 5
    for name in ("ece", "smooth_ece", "nll", "brier", "aurc"):
        near(getattr(every, name), getattr(some, name))


def test_nor_are_those_of_a_class_and_of_its_probability():
    predictions = with_few_errors()
    groups = by_class(predictions, "ab", weights=WEIGHTS), by_class(alone(predictions), "ab")
    for every, some in zip(*groups, strict=True):
        near(every.ece, some.ece)
    sure, labels = torch.tensor([8.0, 0.0]).expand(1, N, 2), (WEIGHTS == 0).long()
    rare = Predictions(torch.arange(N), labels, sure)
    near(class_probability(rare, 1, weights=WEIGHTS).ece, class_probability(alone(rare), 1).ece)


def test_a_label_of_probability_0_that_weighs_nothing_changes_no_interval():
    p = [[0.9, 0.1]] * 60 + [[0.2, 0.8]] * 40
    labels = [0] * 59 + [1] * 41
    some = overall(as_predictions(probabilities=p, labels=labels))
    every = as_predictions(probabilities=[*p, [1.0, 0.0]], labels=[*labels, 1])
    weights = torch.tensor([1.0] * 100 + [0.0])
    near(overall(every, weights=weights).nll, some.nll)


@pytest.mark.parametrize("weighing", [1, 2, 5])
def test_draws_of_nothing_that_weighs_do_not_count(weighing):
    """The smooth ECE of such a draw ended in a traceback, and other intervals were nan."""
    predictions, weights = drawn(40, sharpness=2), (torch.arange(40) < weighing).double()
    one = overall(predictions, weights=weights)
    for name in ("confidence", "ece", "smooth_ece", "nll", "brier", "aurc"):
        estimate = getattr(one, name)
        assert math.isfinite(estimate.high)
        assert estimate.low <= estimate.value <= estimate.high
    (fog,) = shift_sets(["fog-3"])
    change = under_shift(predictions, {fog: predictions}, weights=weights).change
    assert change.nll.low == change.nll.high == 0
