"""The figures of a set, against plain numpy, scipy and draws one by one."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from arcal.auditing import (
    RANGES,
    Estimate,
    as_predictions,
    by_class,
    overall,
    shift_sets,
    under_shift,
)
from arcal.auditing._halves import posthoc_on_halves
from arcal.auditing._overall import Overall
from arcal.calibration import smooth_ece
from arcal.errors import ArcalError
from tests.auditing.drawn import drawn, relabelled, reordered

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


def test_the_intervals_of_a_calibrated_model_hold_0():
    """Without a look at chance those of the smooth ECE left it out in 6 of 10 draws."""
    left_out = {"ece": 0, "smooth_ece": 0}
    for seed in range(8):
        one = overall(drawn(200, seed=seed), resamples=30)
        assert one.ece.value > 0
        for name in left_out:
            left_out[name] += getattr(one, name).low > 0
    assert max(left_out.values()) <= 2  # of 8, where .4 are expected


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


def test_equal_weights_change_nothing():
    predictions = drawn(200)
    plain, weighted = (
        overall(predictions, weights=w, resamples=50) for w in (None, torch.full((200,), 7))
    )
    assert values(weighted) == pytest.approx(values(plain), abs=1e-8)
    assert weighted.accuracy.n == 200
    for name, interval in ends(plain).items():
        assert ends(weighted)[name] == pytest.approx(interval, abs=1e-7)


def test_the_order_of_the_rows_is_irrelevant_but_for_which_draws_there_are():
    predictions = drawn(sharpness=2)
    rows = torch.randperm(400, generator=torch.Generator().manual_seed(1))
    one, other = (
        overall(some, resamples=200) for some in (predictions, reordered(predictions, rows))
    )
    assert values(other) == pytest.approx(values(one), abs=1e-8)
    for name, interval in ends(one).items():
        exact = name in ("accuracy", "gap")
        width = interval[1] - interval[0]
        assert ends(other)[name] == pytest.approx(interval, abs=1e-9 if exact else 0.3 * width)


@pytest.mark.slow
def test_of_many_inputs_there_are_fewer_draws_unless_they_are_given(monkeypatch):
    """The values are as exact, and every finding has the draws that belong to its inputs."""
    predictions, shifted = drawn(sharpness=2), drawn(sharpness=3)
    classes = [str(z) for z in range(predictions.classes)]
    (fog,) = shift_sets(["fog-3"])
    shifted = type(shifted)(predictions.ids, predictions.labels, shifted.logits)

    def findings(**options):
        halves = posthoc_on_halves(predictions, **options)
        return (
            repr(overall(predictions, **options)),
            repr(by_class(predictions, classes, **options)),
            repr(under_shift(predictions, {fog: shifted}, **options)),
            [(one.ece, one.nll) for one in halves.outcomes.values()],
        )

    few = findings(resamples=250)
    thousand = overall(predictions)
    assert thousand == overall(predictions, resamples=1000)
    monkeypatch.setattr("arcal.calibration.draws.MANY", 100)
    monkeypatch.setattr("arcal.calibration.draws.LEAST", 100)
    assert findings()[:3] == few[:3]
    assert findings()[3] == findings(resamples=500)[3], "of a half, 200 inputs"
    assert values(overall(predictions)) == values(thousand)
    with pytest.raises(ArcalError, match="0 draws"):
        overall(predictions, resamples=0)


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


def test_the_intervals_of_scores_hold_them_where_errors_are_few():
    """Calibrated, and wrong on 5 in 1,000: of 200 inputs on one, and often on none."""
    generator = torch.Generator().manual_seed(0)

    def sure(N):
        z = 9 + 3 * torch.randn(N, generator=generator, dtype=torch.float64)
        labels = (torch.rand(N, generator=generator, dtype=torch.float64) > z.sigmoid()).long()
        return as_predictions(logits=torch.stack([z, 0 * z], 1), labels=labels)

    many = sure(200_000).scores
    missed = {"nll": 0, "brier": 0}
    for _ in range(20):
        one = overall(sure(200), resamples=100)
        for name, values in (("nll", many.loss), ("brier", many.brier)):
            estimate = getattr(one, name)
            missed[name] += not estimate.low <= values.mean() <= estimate.high
    assert max(missed.values()) <= 3  # of draws alone it is 8 of 20


def test_one_heavy_weight_leaves_figures_in_their_ranges():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(300, 3, generator=generator)
    predictions = as_predictions(logits=z, labels=torch.arange(300) % 3)
    weights = torch.tensor([1.0] * 299 + [1e6])
    figures = overall(predictions, weights=weights, resamples=200)
    for name in ("accuracy", "confidence", "gap", "ece", "smooth_ece", "nll", "brier", "aurc"):
        least, most = RANGES[name]
        one = getattr(figures, name)
        assert least <= one.low <= one.value <= one.high <= most
