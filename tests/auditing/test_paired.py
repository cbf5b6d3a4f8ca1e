"""Paired tests over seeds, against scipy's."""

import math

import pytest
import torch
from scipy import stats

from arcal.auditing import (
    CLEAN,
    Subject,
    as_predictions,
    paired_differences,
    shift_sets,
)
from arcal.auditing._paired import paired_t
from arcal.calibration import holm
from arcal.errors import ArcalError

FOG, DARK = shift_sets(["fog-3", "contrast-3"])


def subject(name, scale, seeds, sets=(CLEAN, FOG, DARK), N=200):
    """Runs whose logits are too large by a scale, on the same inputs whatever the scale."""
    runs = {where: [] for where in sets}
    for i, where in enumerate(sets):
        labels = torch.arange(N) % 4
        for seed in seeds:
            draw = torch.Generator().manual_seed(10 * seed + i)
            z = torch.randn(N, 4, generator=draw)
            z[torch.arange(N), labels] += 1.0
            runs[where].append(as_predictions(logits=scale * z, labels=labels))
    return Subject.from_predictions(name, runs, seeds=seeds)


def test_differences_are_those_of_scipy_in_the_order_of_the_seeds():
    plain, mine = subject("plain", 3.0, [0, 1, 2, 3, 7]), subject("mine", 1.5, [5, 3, 2, 1, 0])
    by = paired_differences(mine, plain, ["accuracy", "ece", "nll"])
    for measure in ("ece", "nll"):
        one = by[measure]
        every = []
        for method in (mine, plain):
            runs = zip(method.seeds, method.measures[CLEAN].runs, strict=True)
            every.append({seed[0]: run[measure] for seed, run in runs})
        assert one.ours.values == tuple(every[0][s] for s in (3, 2, 1, 0))
        assert one.other.values == tuple(every[1][s] for s in (3, 2, 1, 0))
        expected = stats.ttest_rel(one.ours.values, one.other.values)
        assert one.p == pytest.approx(expected.pvalue)
        ends = expected.confidence_interval(0.95)
        assert (one.low, one.high) == pytest.approx((ends.low, ends.high))
        assert one.low < one.mean < one.high < 0
        assert one.lower == 4
    assert by["accuracy"].mean == by["accuracy"].low == 0  # a scale changes no prediction
    assert by["accuracy"].p == by["accuracy"].corrected == 1
    assert [one.corrected for one in by.values()] == holm([one.p for one in by.values()])


@pytest.mark.parametrize("right", [[190, 171], [190, 171, 150], [190, 171, 166, 150, 133, 121]])
def test_the_same_difference_on_every_seed_is_as_likely_as_the_sign_test_says(right):
    ours, theirs = torch.tensor([[n, n - 3] for n in right]).double().T / 200  # of 200 inputs
    assert (ours - theirs).unique().numel() > 1  # by rounding
    mean, low, high, p = paired_t(ours - theirs)
    assert mean == pytest.approx(0.015)
    assert math.isnan(low)
    assert math.isnan(high)
    assert p == pytest.approx(stats.binomtest(len(right), len(right)).pvalue)


def test_of_two_equal_methods_one_in_twenty_or_fewer_is_called_better():
    draw = torch.Generator().manual_seed(0)
    accuracies = (0.9 + 0.003 * torch.randn(2, 3000, 2, generator=draw).double()) * 200
    ours, theirs = accuracies.round() / 200  # of 200 inputs, on two seeds
    p = torch.tensor([paired_t(one)[3] for one in ours - theirs])
    assert (p < 0.05).double().mean() <= 0.05  # 0.12 with a p-value of 0 for equal differences


def test_under_shift_it_is_the_mean_over_the_sets():
    plain, mine = subject("plain", 3.0, [0, 1]), subject("mine", 1.5, [0, 1])
    shift = paired_differences(mine, plain, ["ece"], where="shift")["ece"]
    each = [paired_differences(mine, plain, ["ece"], where=where)["ece"] for where in (FOG, DARK)]
    assert shift.mean == pytest.approx(sum(one.mean for one in each) / 2)


@pytest.mark.parametrize(
    ("other", "asked", "says"),
    [
        (lambda: subject("mine", 1.5, [2, 8]), {}, "plain and mine share 1 seeds"),
        (lambda: subject("mine", 1.5, [1, 2], N=100), {}, "ids of these runs differ"),
        (lambda: subject("mine", 1.5, [1, 2]), {"measures": ["churn"]}, "one figure of all runs"),
        (lambda: subject("mine", 1.5, [1, 2]), {"measures": ["mce"]}, "no measure 'mce'"),
        (lambda: subject("mine", 1.5, [1, 2], [CLEAN]), {"where": "shift"}, "under any shift"),
    ],
)
def test_what_cannot_be_compared_is_one_line(other, asked, says):
    with pytest.raises(ArcalError, match=says):
        paired_differences(subject("plain", 3.0, [1, 2]), other(), **asked)
