"""The same inputs under several shifts: means over the sets, and changes from the clean set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._difference import effective_of_pairs
from arcal.auditing._estimate import (
    Estimate,
    accuracy_from,
    estimates,
    gap_to,
    stretched,
)
from arcal.auditing._few_errors import VALUES, score_estimates, with_few_errors
from arcal.auditing._measures import EvaluationSet
from arcal.auditing._predictions import Predictions
from arcal.calibration import Bootstrap
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import Clusters, as_clusters
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.few_errors import ENOUGH, errors_of
from arcal.calibration.intervals import tango
from arcal.calibration.resampled import Scores, resampled_scores
from arcal.calibration.weighted import (
    effective_number,
    effective_of,
)

FIGURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier")


@dataclass(frozen=True)
class ShiftFigures:
    """Accuracy, confidence, gap (confidence minus accuracy), ECE, NLL and Brier score.

    For a single set the intervals are those of `Overall`. For a mean or a change they are bootstrap
    intervals: outer for the ECE, percentile for the others. With fewer than 100 inputs that are
    wrong in one set or more, all but those of the confidence and of a change of the ECE also allow
    for errors not seen (`arcal.calibration.few_errors`). Unlike in `Overall`, the interval of an
    ECE is not compared with chance: for a calibrated model it is too high. Made by `under_shift`.
    """

    accuracy: Estimate
    confidence: Estimate
    gap: Estimate
    ece: Estimate
    nll: Estimate
    brier: Estimate


@dataclass(frozen=True)
class Shift:
    """N inputs clean and on S shifted sets: `mean` is over the sets, with equal weights.

    `change` is the mean minus the clean figure, over the same draws of inputs, and `by_set` has the
    figures of each set. The intervals are over draws of inputs, the same in all sets; the sets are
    taken as fixed. Made by `under_shift`.
    """

    clean: ShiftFigures
    mean: ShiftFigures
    change: ShiftFigures
    by_set: Mapping[EvaluationSet, ShiftFigures]


def under_shift(
    clean: Predictions,
    shifted: Mapping[EvaluationSet, Predictions],
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> Shift:
    """Figures of the same inputs, clean and shifted, with intervals over draws of inputs.

    `weights`, `clusters` and `resamples` as in `overall`. All sets have the same inputs, in the
    same order.

    >>> from arcal.auditing import as_predictions, shift_sets
    >>> right, wrong = (
    ...     as_predictions(probabilities=[[0.75, 0.25]] * 50, labels=[y] * 50) for y in (0, 1)
    ... )
    >>> fog, darker = shift_sets(["fog-3", "contrast-3"])
    >>> under_shift(right, {fog: wrong, darker: right}).mean.accuracy.value
    0.5
    """
    N = len(clean.ids)
    w, every = as_weights(weights, N), (clean, *shifted.values())
    alike = [as_clusters(clusters, one.confidence, one.correct, w) for one in every]
    resamples = usual_resamples(N) if resamples is None else resamples
    draws = stored_counts(N, resamples, seed=0, clusters=alike[0])
    first, *rest = (
        resampled_scores(one.scores, draws, weights=weights, clusters=together, smooth=False)
        for one, together in zip(every, alike, strict=True)
    )
    most = max(alike, key=lambda one: 0 if one is None else one.alike)
    mean = {name: _mean([figures[name] for figures in rest]) for name in FIGURES}
    change = {name: mean[name] - first[name] for name in FIGURES}
    n = round(effective_number(w, most))
    scores = [one.scores for one in shifted.values()]
    return Shift(
        clean=_alone(clean, first, w, alike[0]),
        mean=_together(estimates(mean, FIGURES, n), w, most, scores),
        change=_together(estimates(change, FIGURES, n, cut=False), w, most, scores, [clean.scores]),
        by_set={
            where: _alone(one, figures, w, together)
            for (where, one), figures, together in zip(
                shifted.items(), rest, alike[1:], strict=True
            )
        },
    )


def _alone(
    predictions: Predictions,
    draws: Mapping[str, Bootstrap],
    weights: Tensor,
    clusters: Clusters | None,
) -> ShiftFigures:
    """The figures of one set, with intervals as in `Overall`."""
    effective = effective_of(weights, predictions.confidence, predictions.correct, clusters)
    accuracy = accuracy_from(draws["accuracy"].estimate, effective)
    gap = gap_to(accuracy, draws["confidence"].estimate)
    bootstrapped = estimates(draws, ("confidence", "ece"), accuracy.n)
    return ShiftFigures(
        accuracy=accuracy,
        confidence=bootstrapped["confidence"],
        gap=gap,
        ece=stretched(bootstrapped["ece"], gap, errors_of(predictions.correct, weights, clusters)),
        **score_estimates(draws, accuracy.n, weights, predictions.scores, clusters=clusters),
    )


def _together(
    bootstrapped: Mapping[str, Estimate],
    weights: Tensor,
    clusters: Clusters | None,
    sets: Sequence[Scores],
    less: Sequence[Scores] = (),
) -> ShiftFigures:
    """The mean over sets, minus the clean one if it is given, with few errors allowed for.

    With few errors the interval of the accuracy reaches as far as one for shares of as many inputs:
    exact, or for a change Tango's. That is wide enough: inputs that are right in only some of the
    sets vary less.
    """
    every, figures = (*sets, *less), dict(bootstrapped)
    wrong = errors_of(torch.stack([one.correct for one in every]).all(0), weights, clusters)
    if wrong >= ENOUGH:
        return ShiftFigures(**figures)
    for name in ("gap", "nll", "brier"):
        values = [_mean_values(name, some) for some in (sets, less) if some]
        one, kind = figures[name], f"difference.{name}" if less else name
        figures[name] = with_few_errors(
            one, kind, *values, scores=every, weights=weights, clusters=clusters
        )
    right = torch.stack([one.correct for one in sets]).double().mean(0)
    if less:
        gained = right - less[0].correct.double()
        n = effective_of_pairs(weights, gained.sign(), clusters)
        share = weights / weights.sum() * n
        ends = tango(
            float((share * -gained).clamp(min=0).sum()),
            float((share * gained).clamp(min=0).sum()),
            n,
        )
    else:
        n = min(effective_of(weights, one.confidence, clusters=clusters) for one in sets)
        accuracy = accuracy_from(figures["accuracy"].value, n)
        ends = accuracy.low, accuracy.high
    accuracy = figures["accuracy"] = figures["accuracy"].reaching(*ends)
    given = gap_to(accuracy, figures["confidence"].value)
    figures["gap"] = figures["gap"].reaching(given.low, given.high)
    if not less:
        figures["ece"] = stretched(figures["ece"], figures["gap"], wrong)
    return ShiftFigures(**figures)


def _mean_values(name: str, sets: Sequence[Scores]) -> tuple[Tensor, Tensor]:
    """The mean over sets of the `VALUES` of each input."""
    values, flipped = zip(*map(VALUES[name], sets), strict=True)
    return torch.stack(values).mean(0), torch.stack(flipped).mean(0)


def _mean(draws: list[Bootstrap]) -> Bootstrap:
    value = sum(one.estimate for one in draws) / len(draws)
    samples = torch.stack([one.samples for one in draws]).mean(dim=0)
    return Bootstrap(value, samples, 0.95, max(one.widening for one in draws))
