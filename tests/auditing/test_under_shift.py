"""The same inputs under shifts, against plain loops over sets and draws."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from arcal.auditing import Predictions, overall, shift_sets, under_shift
from tests.auditing.drawn import drawn, reordered

pytestmark = pytest.mark.processor

FIGURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier")
SETS = shift_sets(["fog-3", "contrast-1", "gaussian_noise-5"])


def shifted(clean):
    """Each set is blurred further: noise on the logits of the same inputs."""
    generator = torch.Generator().manual_seed(7)
    return {
        where: Predictions(
            clean.ids,
            clean.labels,
            clean.logits + s * torch.randn(clean.logits.shape, generator=generator),
        )
        for s, where in enumerate(SETS, 1)
    }


def by_hand(predictions):
    p = np.exp(predictions.log_probabilities.numpy())
    y = predictions.labels.numpy()
    confidence, right = p.max(1), p.argmax(1) == y
    k, own = np.maximum(np.ceil(confidence * 15), 1), p[np.arange(len(y)), y]
    return {
        "accuracy": right.mean(),
        "confidence": confidence.mean(),
        "gap": confidence.mean() - right.mean(),
        "ece": sum(abs((right - confidence)[k == i].sum()) for i in range(1, 16)) / len(y),
        "nll": -np.log(own).mean(),
        "brier": ((p**2).sum(1) - 2 * own + 1).mean(),
    }


def values(figures):
    return {name: getattr(figures, name).value for name in FIGURES}


@pytest.fixture(scope="module")
def clean():
    return drawn(240, sharpness=1.5)


@pytest.fixture(scope="module")
def shift(clean):
    return under_shift(clean, shifted(clean), resamples=40)


def test_a_mean_is_over_sets_and_not_over_their_pool(clean, shift):
    sets = {where: by_hand(one) for where, one in shifted(clean).items()}
    assert list(shift.by_set) == list(SETS)
    for where, figures in sets.items():
        assert values(shift.by_set[where]) == pytest.approx(figures)
    mean = {name: np.mean([figures[name] for figures in sets.values()]) for name in FIGURES}
    assert values(shift.clean) == pytest.approx(by_hand(clean))
    assert values(shift.mean) == pytest.approx(mean)
    expected = {name: mean[name] - by_hand(clean)[name] for name in FIGURES}
    assert values(shift.change) == pytest.approx(expected)
    pool = [torch.cat([getattr(one, name) for one in shifted(clean).values()], dim)
            for name, dim in (("ids", 0), ("labels", 0), ("logits", 1))]  # fmt: skip
    assert abs(by_hand(Predictions(pool[0], pool[1], pool[2]))["ece"] - mean["ece"]) > 0.003


def test_intervals_are_of_the_same_inputs_drawn_in_all_sets(clean, shift):
    generator = torch.Generator().manual_seed(0)
    draws = torch.randint(240, (40, 240), generator=generator)
    every = {name: ([], []) for name in FIGURES}
    for rows in draws:
        before = by_hand(reordered(clean, rows))
        after = [by_hand(reordered(one, rows)) for one in shifted(clean).values()]
        for name, (mean, change) in every.items():
            mean.append(np.mean([one[name] for one in after]))
            change.append(mean[-1] - before[name])
    for name, samples in every.items():
        for figures, sample in zip((shift.mean, shift.change), samples, strict=True):
            estimate = getattr(figures, name)
            low, high = np.quantile(sample, [0.025, 0.975])
            if name == "ece":
                value, bias = estimate.value, np.mean(sample) - estimate.value
                basic, shifted_by = (2 * value - high, 2 * value - low), (low - bias, high - bias)
                low, high = min(basic[0], shifted_by[0]), max(basic[1], shifted_by[1])
            assert (estimate.low, estimate.high) == pytest.approx((low, high)), name


def test_one_set_has_the_intervals_of_overall(clean, shift):
    for where, one in {None: clean, **shifted(clean)}.items():
        figures = shift.clean if where is None else shift.by_set[where]
        alone = overall(one, resamples=40)
        for name in FIGURES:
            ours, theirs = getattr(figures, name), getattr(alone, name)
            assert ours.n == theirs.n
            if name == "ece" and alone.ece.value <= 2 * alone.ece_if_calibrated.high:
                assert theirs.low <= ours.low  # much may be chance, which is not asked here
                ours, theirs = (replace(one, low=0) for one in (ours, theirs))
            assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_no_shift_is_no_change(clean):
    same = under_shift(clean, {where: clean for where in SETS}, resamples=20)
    for name in FIGURES:
        change = getattr(same.change, name)
        assert change.value == pytest.approx(0, abs=1e-12)
        if name not in ("accuracy", "gap"):  # of other inputs one may be right in one set alone
            assert (change.low, change.high) == pytest.approx((0, 0), abs=1e-12)
        assert getattr(same.mean, name).value == pytest.approx(getattr(same.clean, name).value)


def test_a_change_is_known_better_than_two_sets_of_other_inputs_would_tell(clean):
    (fog,) = SETS[:1]
    little = Predictions(clean.ids, clean.labels, 1.1 * clean.logits)
    one = under_shift(clean, {fog: little}, resamples=100)
    assert one.change.confidence.sign == 1
    for name in ("confidence", "nll", "brier"):
        apart = math.hypot(getattr(one.clean, name).width, getattr(one.mean, name).width)
        assert getattr(one.change, name).width < 0.3 * apart


def test_a_planted_loss_is_found():
    clean = drawn(600, sharpness=1.5)
    one = under_shift(clean, shifted(clean), resamples=100)
    assert one.change.accuracy.sign == -1
    assert one.change.gap.sign == one.change.nll.sign == 1
    assert one.by_set[SETS[2]].gap.sign == 1


def test_weights_of_whole_numbers_are_inputs_that_are_there_as_often(clean):
    weights = torch.arange(240) % 3
    rows = torch.arange(240).repeat_interleave(weights)
    weighted = under_shift(clean, shifted(clean), weights=weights, resamples=2)
    repeated = {where: reordered(one, rows) for where, one in shifted(clean).items()}
    expected = under_shift(reordered(clean, rows), repeated, resamples=2)
    for part in ("clean", "mean", "change"):
        ours, theirs = getattr(weighted, part), getattr(expected, part)
        assert values(ours) == pytest.approx(values(theirs), abs=1e-9)
    equal = under_shift(clean, shifted(clean), weights=torch.full((240,), 5), resamples=20)
    plain = under_shift(clean, shifted(clean), resamples=20)
    for name in FIGURES:
        ours, theirs = getattr(equal.change, name), getattr(plain.change, name)
        assert (ours.n, ours.low, ours.high) == pytest.approx((theirs.n, theirs.low, theirs.high))
