"""The group that stands out of many: its interval, against scipy's and many draws."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import binomtest

from arcal.auditing import as_predictions, by_group, jointly, with_joint_intervals
from arcal.auditing._estimate import accuracy_from
from arcal.report.audited._figures import worst_group


def groups_of(right, n, confidence):
    """The groups of `n` inputs of one confidence, of which so many are right in each."""
    labels = torch.cat([(torch.arange(n) >= x).long() for x in right])
    sure = torch.tensor([confidence, 1 - confidence]).double().expand(len(labels), 2)
    number = torch.arange(len(labels)) // n
    names = [f"group {g}" for g in range(len(right))]
    predictions = as_predictions(probabilities=sure, labels=labels)
    return by_group(predictions, number, names, resamples=1)


def draws_of(number, n, share, draw):
    """So many draws of 30 groups, whose inputs are right with this share.

    Groups in which as many are right have the same figures, which are worked out once.
    """
    right = (torch.rand(30 * number, n, generator=draw) < share).sum(1).tolist()
    different = sorted(set(right))
    figures = dict(zip(different, groups_of(different, n, 0.85), strict=True))
    groups = [replace(figures[x], name=f"group {i}") for i, x in enumerate(right)]
    return [groups[30 * i : 30 * (i + 1)] for i in range(number)]


def test_joint_intervals_are_those_of_bonferroni():
    right, n = [80, 100, 93, 0], 100
    for x, share in zip(right, jointly([accuracy_from(x / n, n) for x in right]), strict=True):
        peer = binomtest(x, n).proportion_ci(1 - 0.05 / len(right), method="exact")
        assert (share.low, share.high) == pytest.approx((peer.low, peer.high), abs=1e-9)
        assert (share.value, share.n) == (x / n, n)
    one = accuracy_from(0.9, 50)
    assert jointly([one]) == [one]
    assert jointly([]) == []


def test_those_of_few_inputs_are_left_out():
    several, few = groups_of([80, 90], 100, 0.85), groups_of([7], 10, 0.85)
    joint = with_joint_intervals([*several, *few])
    assert [one.name for one in joint] == ["group 0", "group 1"]
    assert joint[0].gap.low < several[0].gap.low < several[0].gap.high < joint[0].gap.high
    assert joint[0].gap.high == pytest.approx(0.85 - joint[0].accuracy.low)
    assert worst_group(few) is None


def test_of_calibrated_groups_the_worst_leaves_0_out_in_one_draw_of_twenty_or_fewer():
    draw = torch.Generator().manual_seed(0)
    n, draws, beyond, alone = 100, 200, 0, 0
    for groups in draws_of(draws, n, 0.85, draw):
        worst = worst_group(groups)
        assert worst is not None
        beyond += worst.gap.sign != 0
        alone += any(one.gap.sign != 0 for one in groups)
    assert beyond <= 0.05 * draws + 6  # two deviations above 5 %
    assert alone > 0.5 * draws  # their own intervals


def test_the_worst_with_a_verdict_leaves_0_out():
    groups = groups_of([85, 84, 66, 90, 86, 85], 100, 0.85)
    worst = worst_group(groups)
    assert worst is not None
    assert worst.verdict == "over-confident"
    assert 0 < worst.gap.low < groups[2].gap.low
