"""How a model's figures have changed since an audit of other inputs, beyond chance.

The two audits share no input, so no bootstrap is needed: the interval of a change follows from the
intervals of the two figures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from scipy.special import ndtri
from torch import Tensor

from arcal.auditing._audited import Audited
from arcal.auditing._estimate import SIGNIFICANCE, Estimate, accuracy_from, farther
from arcal.auditing._groups import Group
from arcal.auditing._positive import probability_of
from arcal.calibration.checks import as_weights
from arcal.calibration.selective import NORMAL
from arcal.calibration.weighted import weighted_mean

Direction = Literal["higher", "lower", "not shown", "too few"]

SHARES = {
    "accuracy": ("accuracy", 1),
    "gap": ("accuracy", -1),
    "positive.frequency": ("positive.frequency", 1),
    "positive.gap": ("positive.frequency", -1),
}
"""Figures whose interval is that of a share: the share, and -1 if it is subtracted."""
ROUNDING = 1e-9
FEW_DOUBTS = 5
"""A calibrated model with mean confidence c is wrong on n (1 - c) of n inputs. If that is less than
this number, c depends on a few unsure inputs, and a sample may by chance contain none."""


@dataclass(frozen=True)
class Standing:
    """The part of a model's audit that can be compared with an audit of other inputs.

    `figures` are by the names used in conditions, `groups` by column. `variances` are those, over
    inputs, of the values whose mean is a gap: the confidence minus 1 where the model is right,
    minus 0 where it is wrong. `group_variances` are the same within each group, by column and name;
    they are empty for a saved audit. Made by `standing`.
    """

    name: str
    n: int
    figures: Mapping[str, Estimate]
    variances: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    group_variances: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A figure `before` and `after`, and `by` how much it has changed, with a 95 % interval.

    `verdict` is "higher" or "lower" if chance does not explain the change. It is corrected by
    Holm's method: if nothing has changed, the chance of any such verdict among the figures, or
    among the groups of a column, is at most 5 %. It is "too few" for a group that is too small for
    a verdict in either audit. `by.sign` is the answer for one figure considered alone. Made by
    `changes`.
    """

    before: Estimate
    after: Estimate
    by: Estimate
    verdict: Direction


@dataclass(frozen=True)
class Changes:
    """How a model's figures have changed since the audit called `since`, of `n` inputs.

    `model` is the model's name in that audit. `figures` are by name: accuracy, confidence, gap,
    nll, brier, aurc, and for two classes positive.frequency and positive.gap. There is no change of
    an ECE, for the reason given in `Difference`, nor of the mean probability of a class, which is
    the sum of the other two. `groupings` have "accuracy" and "gap" of each group that both audits
    have, by column and group. For each column, `new` are the groups that only the later audit has,
    and `gone` those that only the earlier one had. `same_inputs` means that the inputs seem to be
    the same, which the intervals do not use. Made by `changes`.
    """

    since: str
    model: str
    n: int
    figures: Mapping[str, Change]
    groupings: Mapping[str, Mapping[str, Mapping[str, Change]]]
    new: Mapping[str, Sequence[str]]
    gone: Mapping[str, Sequence[str]]
    same_inputs: bool = False


def standing(model: Audited) -> Standing:
    """The `Standing` of an audited model.

    >>> from arcal.auditing import as_predictions
    >>> predictions = as_predictions(logits=[[3.0, 0.0]] * 60, labels=[0] * 40 + [1] * 20)
    >>> [*standing(Audited("mine", predictions, ("cat", "dog"))).figures]
    ['accuracy', 'confidence', 'gap', 'nll', 'brier', 'aurc', 'positive.frequency', 'positive.gap']
    """
    said, over, positive = model.predictions, model.overall, model.positive
    w = as_weights(model.weights, len(model))

    def variance(values: Tensor) -> float:
        return weighted_mean((values - weighted_mean(values, w)).square(), w).item()

    names = ("accuracy", "confidence", "gap", "nll", "brier", "aurc")
    figures = {name: getattr(over, name) for name in names}
    wrong_by = said.confidence - said.correct.double()
    variances = {"gap": variance(wrong_by)}
    if positive is not None:
        figures |= {f"positive.{name}": getattr(positive, name) for name in ("frequency", "gap")}
        off = probability_of(said, positive.z) - (said.labels == positive.z).double()
        variances["positive.gap"] = variance(off)
    columns = (one.name for one in model.groupings)
    groups = dict(zip(columns, model.by_grouping, strict=True))
    group_variances = {
        one.name: dict(zip(one.groups, _variances_within(wrong_by, w, one.number), strict=False))
        for one in model.groupings
    }
    return Standing(model.name, over.n, figures, variances, groups, group_variances)


def _variances_within(values: Tensor, w: Tensor, number: Tensor) -> list[float]:
    """The variance of the values `(N,)` within each group."""
    whole = number.bincount(weights=w)
    mean = number.bincount(weights=w * values) / whole
    return (number.bincount(weights=w * (values - mean[number]).square()) / whole).tolist()


def mover(after: Estimate, before: Estimate) -> Estimate:
    """How much a figure has changed between two independent sets of inputs, with its interval.

    This is the method of variance estimates recovery (MOVER; Zou and Donner, 2008). If the figures
    a and b have the intervals (l_a, u_a) and (l_b, u_b), that of d = a - b is

        low  = d - sqrt((a - l_a)^2 + (u_b - b)^2)
        high = d + sqrt((u_a - a)^2 + (b - l_b)^2)

    It is as asymmetric as they are, and needs nothing else. With Wilson intervals of two shares it
    is Newcombe's hybrid score interval (1998); arcal's intervals are exact, which makes it a little
    wider. `n` is the smaller of the two.

    >>> change = mover(Estimate(0.80, 0.70, 0.87, 70), Estimate(0.60, 0.49, 0.70, 80))
    >>> round(change.value, 2), round(change.low, 3), round(change.high, 3)
    (0.2, 0.059, 0.33)
    """
    change = after.value - before.value
    fall = math.hypot(after.value - after.low, before.high - before.value)
    rise = math.hypot(after.high - after.value, before.value - before.low)
    return Estimate(change, change - fall, change + rise, min(after.n, before.n))


def changes(
    now: Standing, earlier: Standing, since: str = "the earlier audit", *, same_inputs: bool = False
) -> Changes:
    """How the figures of two audits differ, now minus earlier, and which changes are not chance.

    Intervals are those of `mover`. Within one audit, the interval of a gap takes the confidences as
    given, but here the inputs differ: if the confidences vary so much from input to input that a
    gap varies more than the accuracy or frequency in it, the interval is widened by the excess. A
    saved audit does not say how much they vary within a group, so the other audit's variance is
    used. If the inputs are too few, or the model too sure, for a mean confidence to show how unsure
    it is on others, its interval reaches as far as that of a share.

    >>> from arcal.auditing import as_predictions
    >>> old, new = (
    ...     standing(Audited("mine", as_predictions(logits=[[2.0, 0, 0]] * 500, labels=y), "abc"))
    ...     for y in ([0] * 450 + [1] * 50, [0] * 400 + [1] * 100)
    ... )
    >>> since = changes(new, old, "2026-10")
    >>> change = since.figures["accuracy"]
    >>> round(change.by.value, 3), round(change.by.high, 3), change.verdict
    (-0.1, -0.055, 'lower')
    >>> since.figures["confidence"].verdict
    'not shown'
    """
    names = [name for name in now.figures if name in earlier.figures]
    tests = [_Test(_Side.of(name, now), _Side.of(name, earlier)) for name in names]
    figures = dict(zip(names, _changes(tests), strict=True))
    groupings, new, gone = {}, {}, {}
    for column in now.groups:
        here, there = (
            {one.name: one for one in side.groups.get(column, ()) if one.n}
            for side in (now, earlier)
        )
        both = [name for name in here if name in there]
        vary = [side.group_variances.get(column, {}) for side in (now, earlier)]
        tests = [
            one
            for name in both
            for one in _tests(here[name], there[name], *(side.get(name) for side in vary))
        ]
        every = _changes(tests)
        if both:
            pairs = zip(both, every[::2], every[1::2], strict=True)
            groupings[column] = {name: {"accuracy": one, "gap": gap} for name, one, gap in pairs}
        for these, others, only in ((here, there, new), (there, here, gone)):
            if names := tuple(name for name in these if name not in others):
                only[column] = names
    return Changes(since, earlier.name, earlier.n, figures, groupings, new, gone, same_inputs)


@dataclass(frozen=True)
class _Side:
    """A figure of one audit, and how its interval widens at another significance.

    That is as the exact interval of the `share`, if it has one, which is subtracted if `sign` is
    -1. `extra` is what the confidences of other inputs add to the variance.
    """

    figure: Estimate
    share: Estimate | None = None
    sign: int = 1
    extra: float = 0.0

    @classmethod
    def of(cls, name: str, audit: Standing) -> "_Side":
        """A figure of all inputs."""
        figure = audit.figures[name]
        if name == "confidence":
            return cls(*_with_doubts(figure))
        if name not in SHARES:
            return cls(figure)
        share, sign = SHARES[name]
        share = audit.figures[share]
        return cls(figure, share, sign, _extra(audit.variances.get(name), share))


@dataclass(frozen=True)
class _Test:
    """A figure after and before; of a group of `few` inputs it gets no verdict."""

    after: _Side
    before: _Side
    few: bool = False


def _with_doubts(mean: Estimate) -> tuple[Estimate, Estimate | None]:
    """A mean confidence, widened to a share's interval if few inputs are in doubt; and that share.

    No values in [0, 1] with this mean vary more than zeros and ones, so the interval of a share is
    wide enough.
    """
    if not mean.n * (1 - mean.value) < FEW_DOUBTS:
        return mean, None
    share = accuracy_from(mean.value, mean.n)
    return mean.reaching(share.low, share.high), share


def _extra(variance: float | None, share: Estimate) -> float:
    """What the confidences of other inputs add to the variance of a gap."""
    known = 0.0 if variance is None else variance
    return max(0.0, known - share.value * (1 - share.value)) / max(share.n, 1)


def _tests(
    after: Group, before: Group, now: float | None, earlier: float | None
) -> tuple[_Test, _Test]:
    """The tests of a group's accuracy and gap; one variance stands in for an unknown other."""
    few = after.few or before.few
    varies = earlier if now is None else now, now if earlier is None else earlier
    accuracy = [_Side(one.accuracy, one.accuracy) for one in (after, before)]
    gap = [
        _Side(one.gap, one.accuracy, -1, _extra(variance, one.accuracy))
        for one, variance in zip((after, before), varies, strict=True)
    ]
    return _Test(*accuracy, few=few), _Test(*gap, few=few)


def _changes(tests: Sequence[_Test]) -> list[Change]:
    """Each change with its interval, and a verdict that is corrected for all of them.

    Holm's method, step by step: of the m changes that are not shown yet, those whose interval at
    confidence 1 - 0.05 / m excludes 0 are shown next.
    """
    by = [mover(*ends) for ends in _at_significance(tests, SIGNIFICANCE)]
    said: list[Direction] = ["too few" if one.few else "not shown" for one in tests]
    left = [
        i
        for i, one in enumerate(by)
        if not tests[i].few and math.isfinite(one.low) and math.isfinite(one.high)
    ]
    while left:
        ends = _at_significance([tests[i] for i in left], SIGNIFICANCE / len(left))
        shown = {i: _beyond(mover(*pair)) for i, pair in zip(left, ends, strict=True)}
        for i, sign in shown.items():
            if sign:
                said[i] = "higher" if sign > 0 else "lower"
        if not any(shown.values()):
            break
        left = [i for i in left if not shown[i]]
    return [
        Change(test.before.figure, test.after.figure, one, verdict)
        for test, one, verdict in zip(tests, by, said, strict=True)
    ]


def _beyond(change: Estimate) -> int:
    """The sign of a change whose interval excludes 0 by more than rounding, else 0."""
    return int(change.low > ROUNDING) - int(change.high < -ROUNDING)


def _at_significance(
    tests: Sequence[_Test], significance: float
) -> list[tuple[Estimate, Estimate]]:
    """Both figures of each test, after and before, with intervals at this significance.

    At 5 % these are their own, widened by what the confidences of other inputs add. At another
    significance they are stretched by the same factor as the exact interval of the share, or a
    normal interval if there is no share.
    """
    z = float(ndtri(1 - significance / 2))
    sides = [side for one in tests for side in (one.after, one.before)]
    known = [side.share for side in sides if side.share is not None and side.share.n]
    factors = iter(farther(known, significance))
    stretched = []
    for side in sides:
        one, below, above = side.figure, z / NORMAL, z / NORMAL
        if side.share is not None and side.share.n:
            below, above = next(factors)[:: side.sign]
        low = math.hypot(below * (one.value - one.low), z * math.sqrt(side.extra))
        high = math.hypot(above * (one.high - one.value), z * math.sqrt(side.extra))
        stretched.append(replace(one, low=one.value - low, high=one.value + high))
    return list(zip(stretched[::2], stretched[1::2], strict=True))
