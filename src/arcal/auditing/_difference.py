"""How two models differ on the same inputs, with paired intervals."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._estimate import (
    Estimate,
    gap_to,
)
from arcal.auditing._few_errors import VALUES, score_estimates, with_few_errors
from arcal.auditing._predictions import Predictions
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import Clusters, as_clusters, more_alike, summed
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.few_errors import ENOUGH, errors_of
from arcal.calibration.intervals import tango
from arcal.calibration.resampled import Scores, resampled_scores
from arcal.calibration.selective import NORMAL, aurc_parts
from arcal.calibration.weighted import (
    effective_number,
    effective_of,
    weighted_mean,
    widening,
)
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Difference:
    """The figures of a model minus those of another, `than`, on the same N inputs.

    `accuracy` has Tango's score interval; with weights, that of the effective number of inputs.
    `gap` (confidence minus accuracy), `nll` (nats) and `brier` have bootstrap percentile intervals;
    that of `aurc` is normal, by the infinitesimal jackknife
    (`calibration.selective.aurc_parts`). These four are wider if weights differ
    (`calibration.weighted.widening`). With fewer than 100 inputs on which either model is wrong,
    they also allow for errors not seen (`arcal.calibration.few_errors`), and that of `gap` reaches
    as far as the accuracy's. Both models are drawn together, so inputs that are hard for both do
    not widen an interval: that of the difference may exclude 0 even if the two models' own
    intervals overlap.

    `churn` is the share of inputs on which the two predictions differ; `negative_flips` is the
    share that only `than` gets right, and `positive_flips` the share that only this model does.

    There is no difference of ECEs. By chance alone the less accurate of two calibrated models gets
    the higher ECE, and the ECE of a nearly calibrated model is too high, by more than an interval
    allows for. Made by `difference`.
    """

    than: str
    accuracy: Estimate
    gap: Estimate
    nll: Estimate
    brier: Estimate
    aurc: Estimate
    churn: float
    negative_flips: float
    positive_flips: float


def difference(
    predictions: Predictions,
    other: Predictions,
    *,
    than: str = "other",
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> Difference:
    """How the figures of `predictions` differ from those of the `other` model, called `than`.

    Both have the same ids and labels, in the same order, or `ArcalError` is raised. The labels of
    answers, right or wrong, may differ, and `churn` counts the answers that only one model gets
    right. `weights`, `clusters` and `resamples` as in `overall`.

    >>> from arcal.auditing import as_predictions
    >>> labels = [0] * 60 + [1] * 40
    >>> one = as_predictions(logits=[[2.0, 0.0]] * 60 + [[0.0, 2.0]] * 40, labels=labels)
    >>> other = as_predictions(logits=[[2.0, 0.0]] * 100, labels=labels)
    >>> better = difference(one, other)
    >>> better.accuracy.value, better.positive_flips, better.nll.sign
    (0.4, 0.4, -1)
    """
    alike = torch.equal(predictions.ids, other.ids) and predictions.answers == other.answers
    same = predictions.answers or torch.equal(predictions.labels, other.labels)
    if not alike or not same:
        raise ArcalError("two models differ on the same inputs: give both the same ids and labels")
    N = len(predictions.labels)
    w = as_weights(weights, N)
    together = more_alike(
        *(as_clusters(clusters, one.confidence, one.correct, w) for one in (predictions, other))
    )
    sure = predictions.confidence, other.confidence
    n = round(min(effective_of(w, one, clusters=together) for one in sure))
    resamples = usual_resamples(N) if resamples is None else resamples
    draws = stored_counts(N, resamples, seed=0, clusters=together)
    both = predictions.scores, other.scores
    options: dict[str, Any] = {"weights": weights, "clusters": together}
    ours, theirs = (resampled_scores(one, draws, smooth=False, **options) for one in both)
    apart = {name: ours[name] - theirs[name] for name in VALUES}
    figures = score_estimates(apart, n, w, *both, clusters=together, names=tuple(VALUES))
    gained, lost = predictions.correct & ~other.correct, other.correct & ~predictions.correct
    accuracy = _accuracy(gained, lost, w, together)
    if errors_of(predictions.correct & other.correct, w, together) < ENOUGH:
        given = gap_to(accuracy, figures["gap"].value + accuracy.value)
        figures["gap"] = figures["gap"].reaching(given.low, given.high)
    changed = gained | lost if predictions.answers else predictions.predicted != other.predicted
    return Difference(
        than,
        **figures,
        accuracy=accuracy,
        aurc=_aurc(both, w, together, n),
        churn=weighted_mean(changed, w).item(),
        negative_flips=weighted_mean(lost, w).item(),
        positive_flips=weighted_mean(gained, w).item(),
    )


def _accuracy(gained: Tensor, lost: Tensor, weights: Tensor, clusters: Clusters | None) -> Estimate:
    """The difference of two accuracies, from the inputs that only one model gets right."""
    n = effective_of_pairs(weights, gained.double() - lost.double(), clusters)
    less, more = (weighted_mean(one, weights).item() * n for one in (lost, gained))
    return Estimate((more - less) / n, *tango(less, more, n), round(n))


def _aurc(
    both: tuple[Scores, Scores], weights: Tensor, clusters: Clusters | None, n: int
) -> Estimate:
    """The AURC of the first model minus that of the other, its interval by their influence."""
    ours, theirs = (aurc_parts(one.confidence, one.correct, weights) for one in both)
    value, influence = (
        ours.value - theirs.value,
        summed(ours.influence - theirs.influence, clusters),
    )
    variance = influence.square().sum().item()
    reach = widening(weights, clusters) * NORMAL * math.sqrt(variance)
    costs = [  # the values whose mean is the AURC, and the values if each label were flipped
        (aurc.costs * ~one.correct, aurc.costs * one.correct)
        for aurc, one in zip((ours, theirs), both, strict=True)
    ]
    return with_few_errors(
        Estimate(value, value - reach, value + reach, n),
        "difference.aurc",
        *costs,
        scores=both,
        weights=weights,
        variance=variance,
        clusters=clusters,
    )


def effective_of_pairs(weights: Tensor, gained: Tensor, clusters: Clusters | None = None) -> float:
    """How many equally weighted pairs say as much about the difference of two accuracies.

    `gained` `(N,)` is 1 where only this model is right, -1 where only the other is, else 0. The
    number is the effective number, unless the inputs on which the models differ, d = |gained|,
    weigh more than others. Then it is the n that gives their weighted share its variance:

        sum w d / (n sum w) = sum w^2 d / (sum w)^2

    With `clusters` it is the n at which the mean a of what is gained has the variance that the
    clusters show, if that is less:

        (sum w d / sum w - a^2) / n = sum_g (sum_{i in g} w (gained - a))^2 / (sum w)^2
    """
    whole, w_d = weights.sum(), weights * gained.abs()
    n, heavy = effective_number(weights, clusters), (weights * w_d).sum()
    if heavy > 0:
        n = min(n, float(whole * w_d.sum() / heavy))
    if clusters is not None:
        a = (weights * gained).sum() / whole
        shown = clusters.sums(weights * (gained - a)).square().sum()
        n = min(n, float(whole * (w_d.sum() - a * a * whole) / shown)) if shown > 0 else n
    return n
