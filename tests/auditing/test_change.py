"""How figures change between audits of different inputs, and what chance explains."""

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from scipy import stats

from arcal.auditing import (
    Audited,
    Estimate,
    Standing,
    as_predictions,
    by_group,
    changes,
    grouping,
    mover,
    standing,
)
from arcal.auditing._estimate import accuracies


def wilson(x, n):
    """The score interval of a share."""
    z = stats.norm.ppf(0.975)
    middle, half = x + z * z / 2, z * math.sqrt(x * (n - x) / n + z * z / 4)
    return Estimate(x / n, (middle - half) / (n + z * z), (middle + half) / (n + z * z), n)


@pytest.mark.parametrize(
    ("first", "second", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((0, 10), (0, 20), -0.1611, 0.2775),
        ((0, 10), (0, 10), -0.2775, 0.2775),
        ((10, 10), (0, 20), 0.6791, 1.0),
        ((10, 10), (0, 10), 0.6075, 1.0),
    ],
)
def test_of_wilsons_intervals_it_is_newcombes_hybrid_score_interval(first, second, low, high):
    """The examples and figures of Newcombe (1998), Table II, method 10."""
    change = mover(wilson(*first), wilson(*second))
    assert (round(change.low, 4), round(change.high, 4)) == (low, high)
    assert change.n == min(first[1], second[1])


@pytest.mark.parametrize(("n", "m", "p", "q"), [(60, 90, 0.9, 0.9), (40, 40, 0.97, 0.9)])
def test_of_exact_intervals_it_holds_the_change_often_enough(n, m, p, q):
    """The chance is summed over all counts of both audits."""
    held = 0.0
    every = [accuracies(torch.arange(k + 1.0), torch.full((k + 1,), float(k))) for k in (n, m)]
    chances = stats.binom.pmf(np.arange(n + 1), n, p), stats.binom.pmf(np.arange(m + 1), m, q)
    for one, chance in zip(every[0], chances[0], strict=True):
        for other, its in zip(every[1], chances[1], strict=True):
            if chance * its > 1e-6:
                change = mover(one, other)
                held += chance * its * (change.low <= p - q <= change.high)
    assert 0.945 < held < 0.99


@cache
def audited(right, n, *, confidence=0.9, site=None):
    """A model that is right on so many of n inputs, all with the same confidence."""
    p = torch.full((n, 3), (1 - confidence) / 2, dtype=torch.float64)
    p[:, 0] = confidence
    labels = torch.ones(n, dtype=torch.int64)
    labels[:right] = 0
    columns = [] if site is None else [grouping("site", [site] * n)]
    said = as_predictions(probabilities=p, labels=labels)
    return standing(Audited("mine", said, ("a", "b", "c"), groupings=columns))


def test_what_has_changed_is_told_from_chance():
    since = changes(audited(800, 1000), audited(870, 1000), "october")
    assert since.since == "october"
    assert [*since.figures] == ["accuracy", "confidence", "gap", "nll", "brier", "aurc"]
    right = since.figures["accuracy"]
    assert right.by == mover(right.after, right.before)
    assert right.verdict == since.figures["gap"].verdict.replace("higher", "lower") == "lower"
    assert since.figures["confidence"].verdict == "not shown"
    back = changes(audited(870, 1000), audited(800, 1000)).figures["accuracy"]
    assert back.verdict == "higher"
    assert back.by.low == pytest.approx(-right.by.high)


def grouped(right, n):
    """A model that is right on so many of the n inputs of each of several groups."""
    groups = torch.arange(len(right)).repeat_interleave(n)
    labels = torch.cat([(torch.arange(n) >= one).long() for one in right])
    p = torch.tensor([0.9, 0.05, 0.05], dtype=torch.float64).expand(len(labels), 3)
    said = as_predictions(probabilities=p, labels=labels)
    names = [f"site {g}" for g in range(len(right))]
    site = by_group(said, groups, names, resamples=20)
    return Standing("mine", len(labels), {}, groups={"site": site})


def exact_ends(x, n, significance):
    tail = significance / 2
    low = stats.beta.ppf(tail, x, n - x + 1) if x else 0.0
    return low, stats.beta.ppf(1 - tail, x + 1, n - x) if x < n else 1.0


@pytest.mark.parametrize("right", [84, 78, 72])
def test_verdicts_on_groups_are_corrected_for_how_many_they_are(right):
    """Of one group alone in question among five, accuracy and gap are ten figures."""
    before, now = (90,) * 5, (right, *(90,) * 4)
    since = changes(grouped(now, 100), grouped(before, 100)).groupings["site"]
    change = since["site 0"]["accuracy"]
    (low, _), (_, high) = exact_ends(right, 100, 0.005), exact_ends(90, 100, 0.005)
    ends = [exact_ends(x, 100, 0.005) for x in (right, 90)]
    rise = math.hypot(ends[0][1] - right / 100, 0.9 - ends[1][0])
    assert (change.verdict == "lower") == (right / 100 - 0.9 + rise < 0)
    assert low < right / 100 < 0.9 < high
    assert since["site 0"]["gap"].verdict == change.verdict.replace("lower", "higher")
    assert {since[f"site {g}"][of].verdict for g in range(1, 5) for of in ("accuracy", "gap")} == {
        "not shown"
    }


def test_groups_that_only_one_audit_has_and_those_of_few_inputs():
    now, before = (audited(8, 10, site=name) for name in ("north", "south"))
    since = changes(now, before)
    assert since.groupings == {}
    assert since.new == {"site": ("north",)}
    assert since.gone == {"site": ("south",)}
    few = changes(grouped((0,), 10), grouped((90,) * 5, 100)).groupings["site"]["site 0"]
    assert few["accuracy"].verdict == few["gap"].verdict == "too few"
    assert few["accuracy"].by.sign == -1


def test_verdicts_go_on_step_by_step():
    """Holm's method: of three, each is held against as many as are not shown yet."""

    def verdicts(*z):
        """Of changes that lie so many standard errors from 0."""
        names = ("nll", "brier", "aurc")
        exact = {name: Estimate(0.0, 0.0, 0.0, 100) for name in names}
        after = {
            name: Estimate(one, one - 1.959964, one + 1.959964, 100)
            for name, one in zip(names, z, strict=True)
        }
        now, earlier = (Standing("mine", 100, one, {}, {}) for one in (after, exact))
        return [change.verdict for change in changes(now, earlier).figures.values()]

    assert verdicts(2.45, -2.3, 2.0) == ["higher", "lower", "higher"]  # beyond 2.39, 2.24, 1.96
    assert verdicts(2.45, 2.2, 2.2) == ["higher", "not shown", "not shown"]
    assert verdicts(2.3, 2.3, 2.3) == ["not shown"] * 3


def test_a_log_loss_that_is_infinite_has_no_change():
    p = [[1.0, 0.0]] * 50 + [[0.5, 0.5]] * 50
    impossible = as_predictions(probabilities=p, labels=[1] + [0] * 99)
    known = as_predictions(probabilities=p, labels=[0] * 100)
    one, other = (standing(Audited("mine", of, ("a", "b"))) for of in (impossible, known))
    change = changes(one, other).figures["nll"]
    assert change.by.value == math.inf
    assert math.isnan(change.by.low)
    assert change.verdict == "not shown"


def test_of_other_inputs_the_probabilities_of_a_rare_class_are_others():
    """They are far too high and vary by far more than the labels do: see `changes`."""
    draw = torch.Generator().manual_seed(0)

    def one():
        x = torch.randn(1000, generator=draw, dtype=torch.float64)
        y = torch.rand(1000, generator=draw, dtype=torch.float64) < (2 * x - 5).sigmoid()
        p = (2 * x - 1.6).sigmoid()
        said = as_predictions(probabilities=torch.stack([1 - p, p], 1), labels=y.long())
        spread = (p - y.double()).var(unbiased=False).item()
        return standing(Audited("mine", said, ("no", "yes"))), spread

    (now, spread), (before, its) = one(), one()
    assert now.variances["positive.gap"] == pytest.approx(spread)
    change = changes(now, before).figures["positive.gap"].by
    plain = mover(now.figures["positive.gap"], before.figures["positive.gap"])
    extra = 0.0
    for of, variance in ((now, spread), (before, its)):
        share = of.figures["positive.frequency"].value
        assert variance > 1.5 * share * (1 - share)
        extra += (variance - share * (1 - share)) / 1000
    reach = math.hypot(plain.high - plain.value, 1.959964 * math.sqrt(extra))
    assert change.high - change.value == pytest.approx(reach, rel=1e-6)
    calm = replace(now, variances={}), replace(before, variances={})
    assert changes(*calm).figures["positive.gap"].by.width == pytest.approx(plain.width, rel=1e-6)


def unsure_without_need(seed, n=500, sites=4):
    """A model right on 99 % whatever its confidence, which is anything from a half to 1."""
    draw = torch.Generator().manual_seed(seed)
    c = 0.5 + torch.rand(n, generator=draw, dtype=torch.float64) / 2
    wrong = torch.rand(n, generator=draw) < 0.01
    said = as_predictions(probabilities=torch.stack([c, 1 - c], 1), labels=wrong.long())
    site = grouping("site", [f"site {i % sites}" for i in range(n)])
    return Audited("mine", said, ("no", "yes"), groupings=[site])


def test_the_confidences_of_a_groups_other_inputs_are_others():
    """They vary by more than what is right does: see `changes`."""
    now, before = (standing(unsure_without_need(seed)) for seed in range(2))
    said = unsure_without_need(0).predictions
    off = (said.confidence - said.correct.double())[::4]
    assert now.group_variances["site"]["site 0"] == pytest.approx(off.var(unbiased=False).item())
    given = mover(*(one.groups["site"][0].gap for one in (now, before)))
    change = changes(now, before).groupings["site"]["site 0"]["gap"].by
    extra = 0.0
    for one in (now, before):
        share, vary = one.groups["site"][0].accuracy, one.group_variances["site"]["site 0"]
        extra += max(0.0, vary - share.value * (1 - share.value)) / share.n
    reach = math.hypot(given.high - given.value, 1.959964 * math.sqrt(extra))
    assert change.high - change.value == pytest.approx(reach, rel=1e-6)
    saved = replace(before, group_variances={})  # which does not say how much they vary
    again = changes(now, saved).groupings["site"]["site 0"]["gap"].by
    assert again.width == pytest.approx(change.width, rel=0.1)
    assert again.width > 1.05 * given.width
