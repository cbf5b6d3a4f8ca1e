"""The figures of a set, against plain numpy, scipy and draws one by one."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from arcal.auditing import (
    Estimate,
    overall,
)
from arcal.auditing._overall import Overall
from arcal.calibration import smooth_ece
from arcal.errors import ArcalError
from tests.auditing.drawn import drawn, relabelled, reordered

pytestmark = pytest.mark.processor

FIGURES = ("accuracy", "confidence", "gap", "ece", "smooth_ece", "nll", "brier", "aurc")


def by_hand(predictions, counts=None):
    """Every figure in numpy; `counts` are how often each input is there."""
    p = np.exp(predictions.log_probabilities.numpy())
    y = predictions.labels.numpy()
    w = np.ones(len(y)) if counts is None else np.asarray(counts, dtype=float)
    confidence, right = p.max(1), p.argmax(1) == y
    k = np.maximum(np.ceil(confidence * 15), 1)
    own = p[np.arange(len(y)), y]

    def mean(values):
        return (w * values).sum() / w.sum()

    ece = sum(abs((w * (right - confidence))[k == i].sum()) for i in range(1, 16)) / w.sum()
    weights = torch.tensor(w)
    as_sure = (confidence[None, :] >= confidence[:, None]) * w
    risk = (as_sure * ~right).sum(1) / np.maximum(as_sure.sum(1), 1e-300)
    smooth = smooth_ece(torch.tensor(confidence), torch.tensor(right), weights=weights)
    return {
        "accuracy": mean(right),
        "confidence": mean(confidence),
        "gap": mean(confidence) - mean(right),
        "ece": ece,
        "smooth_ece": smooth,
        "nll": mean(-np.log(own)),
        "brier": mean((p**2).sum(1) - 2 * own + 1),
        "aurc": mean(risk),
    }


def values(one: Overall) -> dict[str, float]:
    return {name: getattr(one, name).value for name in FIGURES}


def ends(one: Overall) -> dict[str, tuple[float, float]]:
    estimates: dict[str, Estimate] = {name: getattr(one, name) for name in FIGURES}
    return {name: (estimate.low, estimate.high) for name, estimate in estimates.items()}


def test_figures_by_hand():
    predictions = drawn(sharpness=2)
    one = overall(predictions, resamples=2)
    assert one.n == 400
    assert values(one) == pytest.approx(by_hand(predictions), abs=1e-8)


def test_accuracy_and_gap_have_the_exact_interval():
    predictions = drawn()
    one = overall(predictions, resamples=2)
    right = int((predictions.predicted == predictions.labels).sum())
    peer = binomtest(right, 400).proportion_ci(0.95, method="exact")
    assert ends(one)["accuracy"] == pytest.approx((peer.low, peer.high))
    sure = one.confidence.value
    assert ends(one)["gap"] == pytest.approx((sure - peer.high, sure - peer.low))


def test_bootstrapped_intervals_are_those_of_draws_one_by_one():
    predictions = drawn(360, sharpness=4)
    one = overall(predictions, resamples=40)
    assert one.ece.value > one.ece_if_calibrated.high
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(360, (40, 360), generator=generator)
    samples = [by_hand(reordered(predictions, row)) for row in rows]
    for name in ("confidence", "ece", "smooth_ece", "nll", "brier"):
        drawn_again = [sample[name] for sample in samples]
        low, high = np.quantile(drawn_again, [0.025, 0.975])
        if "ece" in name:
            value = getattr(one, name).value
            bias = np.mean(drawn_again) - value
            basic, shifted = (2 * value - high, 2 * value - low), (low - bias, high - bias)
            low, high = max(min(basic[0], shifted[0]), 0), max(basic[1], shifted[1])
        assert ends(one)[name] == pytest.approx((low, high), abs=1e-7), name


def test_what_chance_alone_gives_is_that_of_an_independent_simulation():
    """Not the labels but the confidences say it: other labels, the same chance."""
    predictions = drawn(300, sharpness=2)
    chance = overall(predictions, resamples=400).ece_if_calibrated
    p = predictions.log_probabilities.exp().amax(1).numpy()
    draw = np.random.default_rng(0)
    residual = (draw.random((4000, 300)) < p) - p
    k = np.maximum(np.ceil(p * 15), 1)
    eces = sum(abs(residual[:, k == i].sum(1)) for i in range(1, 16)) / 300
    assert chance.value == pytest.approx(np.mean(eces), rel=0.03)
    assert chance.high == pytest.approx(np.quantile(eces, 0.95), rel=0.1)
    assert chance.low == 0
    other = relabelled(predictions, predictions.labels.flip(0))
    assert overall(other, resamples=400).ece_if_calibrated == chance


def test_planted_gaps_are_found():
    sharp = overall(drawn(2000, sharpness=3), resamples=50)
    assert sharp.gap.sign == 1
    assert sharp.ece.value > sharp.ece.low > sharp.ece_if_calibrated.high
    flat = overall(drawn(2000, sharpness=0.3), resamples=50)
    assert flat.gap.sign == -1


def test_weights_of_whole_numbers_are_inputs_that_are_there_as_often():
    predictions = drawn(sharpness=2)
    weights = torch.arange(400) % 4
    weighted = overall(predictions, weights=weights, resamples=2)
    repeated = overall(
        reordered(predictions, torch.arange(400).repeat_interleave(weights)), resamples=2
    )
    assert values(weighted) == pytest.approx(values(repeated), abs=1e-8)
    assert values(weighted) == pytest.approx(by_hand(predictions, weights), abs=1e-8)
    assert weighted.n == 400
    assert weighted.accuracy.n <= round(600**2 / 1400)  # (sum w)^2 / sum w^2


def test_a_loss_that_is_infinite_has_no_interval():
    predictions = drawn(50)
    logits = predictions.logits.clone()
    logits[0, 3, predictions.labels[3]] = -torch.inf
    loss = overall(type(predictions)(predictions.ids, predictions.labels, logits), resamples=9).nll
    assert loss.value == math.inf
    assert math.isnan(loss.low)
    assert loss.sign == 0


def test_refuses_bad_input_in_one_line():
    predictions = drawn(20)
    nothing = reordered(predictions, torch.arange(0))
    for some, weights, line in (
        (nothing, None, "at least one"),
        (predictions, torch.ones(3), "weights must be 20 numbers"),
        (predictions, torch.zeros(20), "all weights are 0"),
        (predictions, -torch.ones(20), "0 or more"),
    ):
        with pytest.raises(ArcalError, match=line) as error:
            overall(some, weights=weights, resamples=2)
        assert "\n" not in str(error.value)
