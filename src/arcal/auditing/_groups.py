"""Groups of inputs: where a classifier is over- or under-confident, and where that is not shown."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._estimate import (
    SIGNIFICANCE,
    Estimate,
    accuracies,
    counted,
    ece_from,
    gap_to,
    jointly,
)
from arcal.auditing._predictions import Predictions
from arcal.auditing._subject import R
from arcal.calibration import Bootstrap, bootstrap_ece_by_group, ece_by_chance, exact_interval, holm
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_classes, as_weights
from arcal.calibration.clusters import Clusters, as_clusters
from arcal.calibration.draws import usual_resamples
from arcal.calibration.few_errors import errors_of
from arcal.calibration.intervals import binomial_p
from arcal.calibration.weighted import widening
from arcal.errors import ArcalError
from arcal.ranks import levels

Verdict = Literal["over-confident", "under-confident", "not shown", "too few"]

MISCALIBRATED: tuple[Verdict, ...] = ("over-confident", "under-confident")
"""The verdicts that chance does not explain."""

FEW = 0.21
"""A group is too small if, were it calibrated, its accuracy's interval would be wider than this."""

LEAST = 16
"""A group of fewer inputs is too small however confident the model is."""


@dataclass(frozen=True)
class Group:
    """The figures of a group of `n` inputs, with 95 % intervals.

    `accuracy` has the exact Clopper-Pearson interval. `gap` is `confidence`, the group's mean,
    minus the accuracy. Its interval follows from that of the accuracy: it takes the confidences as
    given, and even if all inputs are right it allows for errors not seen. `ece` has the outer
    bootstrap interval over draws within the group, cut to [0, 1]. It begins at 0 if the ECE may be
    chance, and with fewer than 100 errors it reaches up as far as that of the gap.
    `ece_if_calibrated` is what chance alone would give, see `Overall`. `share_of_errors` is the
    group's share of all errors, nan if there are none. `recall`, for a class, is the accuracy on
    the inputs with this label.

    `few` means that the group is too small for a verdict or an ECE: even if its accuracy equalled
    its mean confidence, the interval would be wider than 21 points. Only the number of inputs (some
    95 at a confidence of a half, 17 near 1) and their confidence decide this, not how many are
    right, so it favours neither verdict.

    `p` is the two-sided binomial p-value of the gap. `verdict` follows from it by Holm's correction
    for all groups that are not few: if every group is calibrated, the chance that any is called
    over- or under-confident is at most 5 %. `gap.sign` is the answer for one group considered
    alone. Made by `by_group`.
    """

    name: str
    n: int
    accuracy: Estimate
    confidence: float
    gap: Estimate
    ece: Estimate | None
    ece_if_calibrated: Estimate | None
    share_of_errors: float
    few: bool
    p: float
    verdict: Verdict
    recall: Estimate | None = None


def by_group(
    predictions: Predictions,
    groups: Tensor,
    names: Sequence[str],
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> tuple[Group, ...]:
    """The figures of each of G groups of inputs, in the order of their `names`.

    `groups` int64 `(N,)` are 0 .. G-1. The verdicts hold only if the groups were chosen without
    looking at the labels. The figures of an empty group are nan. `weights`, `clusters` and
    `resamples` as in `overall`, where the default number of draws is that for all N inputs. Other
    groups or weights raise `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = torch.tensor([0.75, 0.25]).repeat(150, 1)
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0] * 150)
    >>> many, few = by_group(predictions, (torch.arange(150) >= 140).long(), ("many", "few"))
    >>> many.verdict, few.n, few.verdict, few.ece
    ('under-confident', 10, 'too few', None)
    """
    confidence, correct = predictions.confidence, predictions.correct
    N, G = len(confidence), len(names)
    groups, w = as_classes(groups, N, G, "groups"), as_weights(weights, N)
    size = torch.bincount(groups, minlength=G)
    together = as_clusters(clusters, confidence, correct, w)
    right, effective, mean, n = counted(confidence, correct, w, groups, G, together)
    said, p = verdicts(right, effective, mean, n)
    few = torch.tensor([one == "too few" for one in said], device="cpu")
    tested = (~few).nonzero()[:, 0]
    accuracy = accuracies(right, effective)
    gaps = [gap_to(one, sure) for one, sure in zip(accuracy, mean.tolist(), strict=True)]
    weighing = None if weights is None else w
    ece = _eces(predictions, groups, tested, weighing, together, gaps, resamples)
    wrong = torch.bincount(groups, weights=w * ~correct, minlength=G)
    share = (wrong / wrong.sum()).tolist()
    return tuple(
        Group(
            name=name,
            n=int(size[g]),
            accuracy=accuracy[g],
            confidence=sure,
            gap=gaps[g],
            ece=ece[g][0] if g in ece else None,
            ece_if_calibrated=ece[g][1] if g in ece else None,
            share_of_errors=share[g],
            few=bool(few[g]),
            p=p[g].item() if size[g] else math.nan,
            verdict=said[g],
        )
        for g, (name, sure) in enumerate(zip(names, mean.tolist(), strict=True))
    )


def verdicts(
    right: Tensor, n: Tensor, confidence: Tensor, n_if_calibrated: Tensor | None = None
) -> tuple[list[Verdict], Tensor]:
    """The verdict of each of G groups `(G,)`, and the p-value of its gap before Holm's correction.

    A group has `n` inputs with a mean `confidence`, of which `right` are right; with weighted
    inputs both numbers may be fractions. Whether a group is too small is decided by
    `n_if_calibrated`, by default n, which does not depend on what is right.

    >>> right, n = torch.tensor([15.0, 50.0, 90.0]), torch.tensor([20.0, 100.0, 100.0])
    >>> verdicts(right, n, torch.tensor([0.75, 0.75, 0.875]))[0]
    ['too few', 'over-confident', 'not shown']
    """
    expected = confidence.nan_to_num(0).clamp(max=1)
    enough = n if n_if_calibrated is None else n_if_calibrated
    low, high = exact_interval(expected * enough, enough)
    tested = (high - low <= FEW).nonzero()[:, 0]
    p = binomial_p(right, n, expected)
    said: list[Verdict] = ["too few"] * len(n)
    for g, corrected in zip(tested.tolist(), holm(p[tested].tolist()), strict=True):
        over = expected[g] * n[g] > right[g]
        said[g] = "not shown"
        if corrected < SIGNIFICANCE:
            said[g] = "over-confident" if over else "under-confident"
    return said, p


def with_joint_intervals(groups: Iterable[Group]) -> list[Group]:
    """The groups that are not few, with intervals of accuracy and gap that hold all at once.

    See `jointly`: the own interval of a group that was picked because it stands out is too narrow.
    If any group has a verdict, at least one joint interval excludes a gap of 0.

    >>> right, wrong = ([0] * 70 + [1] * 30, [0] * 60 + [1] * 40)
    >>> from arcal.auditing import as_predictions
    >>> some = as_predictions(probabilities=[[0.75, 0.25]] * 200, labels=right + wrong)
    >>> groups = by_group(some, torch.arange(200) // 100, ["north", "south"])
    >>> for one in (groups[1], with_joint_intervals(groups)[1]):
    ...     print(round(one.gap.low, 3), round(one.gap.high, 3))
    0.053 0.253
    0.041 0.267
    """
    judged = [one for one in groups if not one.few]
    return [
        replace(one, accuracy=share, gap=gap_to(share, one.confidence))
        for one, share in zip(judged, jointly([one.accuracy for one in judged]), strict=True)
    ]


def by_level(
    predictions: Predictions,
    robustness: Tensor,
    R: int = R,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> tuple[Group, ...]:
    """The groups of the `R` robustness levels, from "level 0", the least robust, up.

    `robustness` `(N,)` is in the order of the predictions. Other arguments are those of `by_group`,
    errors also those of `levels`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = torch.tensor([0.75, 0.25]).repeat(300, 1)
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0] * 150 + [1] * 150)
    >>> [(level.name, level.verdict) for level in by_level(predictions, -torch.arange(300.0), R=2)]
    [('level 0', 'over-confident'), ('level 1', 'under-confident')]
    """
    cut = levels(robustness, predictions.ids, R)
    names = [f"level {r}" for r in range(R)]
    return by_group(
        predictions, cut, names, weights=weights, clusters=clusters, resamples=resamples
    )


def by_class(
    predictions: Predictions,
    classes: Sequence[str],
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> tuple[Group, ...]:
    """The groups of inputs by *predicted* class: a prediction is what a user sees.

    A group's accuracy is the share of these predictions that are right, and its `recall` the share
    of the inputs with this label that are recognised. `classes` are the Z names; a wrong number of
    them raises `ArcalError`. Other arguments are those of `by_group`.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = torch.tensor([[0.75, 0.25]] * 150 + [[0.0, 1.0]] * 50)
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0] * 100 + [1] * 100)
    >>> cat, dog = by_class(predictions, ("cat", "dog"))
    >>> dog.accuracy.value, dog.recall.value
    (1.0, 0.5)
    """
    Z = _named(predictions, classes)
    labels = predictions.labels
    w = as_weights(weights, len(labels))
    pair = predictions.confidence, predictions.correct
    right, effective, *_ = counted(*pair, w, labels, Z, as_clusters(clusters, *pair, w))
    options: dict[str, Any] = {"weights": weights, "clusters": clusters, "resamples": resamples}
    groups = by_group(predictions, predictions.predicted, classes, **options)
    recalls = accuracies(right, effective)
    return tuple(replace(group, recall=one) for group, one in zip(groups, recalls, strict=True))


def by_class_and_level(
    predictions: Predictions,
    classes: Sequence[str],
    robustness: Tensor,
    R: int = R,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> tuple[tuple[Group, ...], ...]:
    """A row for each predicted class: its inputs in each of the `R` robustness levels.

    The levels are those of all inputs, and the verdicts are corrected for all cells that are not
    few. Arguments and errors are those of `by_class` and `by_level`.
    """
    _named(predictions, classes)
    cell = predictions.predicted * R + levels(robustness, predictions.ids, R)
    names = [f"{name}, level {r}" for name in classes for r in range(R)]
    cells = by_group(
        predictions, cell, names, weights=weights, clusters=clusters, resamples=resamples
    )
    return tuple(cells[first : first + R] for first in range(0, len(cells), R))


def _eces(
    predictions: Predictions,
    groups: Tensor,
    chosen: Tensor,
    weights: Tensor | None,
    clusters: Clusters | None,
    gaps: Sequence[Estimate],
    resamples: int | None,
) -> dict[int, tuple[Estimate, Estimate]]:
    """The ECE of each chosen group, and what it would be by chance, by group."""
    if not len(chosen):
        return {}
    confidence, correct = predictions.confidence, predictions.correct
    number = torch.full((len(gaps),), -1, device="cpu")
    number[chosen] = torch.arange(len(chosen), device="cpu")
    rows = number[groups] >= 0
    within = (number[groups[rows]], len(chosen))
    resamples = usual_resamples(len(confidence)) if resamples is None else resamples
    weights = None if weights is None else weights[rows]
    clusters = None if clusters is None else clusters.rows(rows)
    options = {"weights": weights, "resamples": resamples}
    together = None if clusters is None else clusters.number
    value, samples = bootstrap_ece_by_group(
        confidence[rows], correct[rows], *within, clusters=together, **options
    )
    shared = rows.all() and clusters is None
    drawn = predictions.chance if shared else Chance(confidence[rows], clusters=clusters)
    chance = ece_by_chance(drawn, *within, **options)
    ends = chance.quantile(0.95, dim=0)
    order = within[0].argsort(stable=True)
    sizes = torch.bincount(within[0], minlength=len(chosen)).tolist()
    w = as_weights(weights, len(order))
    eces = {}
    for i, (g, some) in enumerate(zip(chosen.tolist(), order.split(sizes), strict=True)):
        n = gaps[g].n
        calibrated = Estimate(chance[:, i].mean().item(), 0.0, ends[i].item(), n)
        counting = w[some], None if clusters is None else clusters.rows(some)
        draws = Bootstrap(value[i].item(), samples[:, i], 0.95, widening(*counting))
        wrong = errors_of(correct[rows][some], *counting)
        eces[g] = ece_from(draws, n, calibrated.high, gaps[g], wrong), calibrated
    return eces


def _named(predictions: Predictions, classes: Sequence[str]) -> int:
    """Z, after a check that there is a name for each class."""
    if len(classes) != predictions.classes:
        raise ArcalError(
            f"{len(classes)} class names for predictions of {predictions.classes}: name each"
        )
    return len(classes)
