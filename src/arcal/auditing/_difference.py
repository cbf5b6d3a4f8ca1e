"""How two models differ on the same inputs, with paired intervals."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.auditing._estimate import RANGES, Estimate, effective_of, from_draws
from arcal.auditing._predictions import Predictions
from arcal.calibration import aurc
from arcal.calibration.checks import as_weights
from arcal.calibration.draws import stored_counts, usual_resamples
from arcal.calibration.intervals import tango
from arcal.calibration.resampled import resampled_scores
from arcal.calibration.selective import NORMAL, aurc_influence
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Difference:
    """The figures of a model minus those of another, `than`, on the same N inputs.

    `accuracy` has Tango's score interval, or with weights the percentile one of a bootstrap, as
    have `gap` (confidence minus accuracy), `nll` (nats) and `brier`; that of `aurc` is normal, by
    the infinitesimal jackknife (`calibration.selective.aurc_influence`). Both models are drawn
    together, so inputs that are hard for both do not widen an interval: two intervals that overlap
    may have a difference that leaves 0 out.

    `churn` is the share of inputs that the two predict otherwise; `negative_flips` is the share
    that only `than` predicts rightly, and `positive_flips` the share that only this model does.

    There is no difference of ECEs. Chance alone gives the less accurate of two calibrated models
    the higher ECE, and the nearly calibrated one of any two a higher ECE than it has, by more than
    an interval allows for. Made by `difference`.
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
    than: str = "other",
    weights: Tensor | None = None,
    *,
    resamples: int | None = None,
) -> Difference:
    """How the figures of `predictions` differ from those of the `other` model, called `than`.

    Both have the same ids and labels, in the same order, or `ArcalError` is raised. `weights` and
    `resamples` are as of `overall`.

    >>> from arcal.auditing import as_predictions
    >>> labels = [0] * 60 + [1] * 40
    >>> one = as_predictions(logits=[[2.0, 0.0]] * 60 + [[0.0, 2.0]] * 40, labels=labels)
    >>> other = as_predictions(logits=[[2.0, 0.0]] * 100, labels=labels)
    >>> better = difference(one, other)
    >>> better.accuracy.value, better.positive_flips, better.nll.sign
    (0.4, 0.4, -1)
    """
    alike = torch.equal(predictions.ids, other.ids)
    if not alike or not torch.equal(predictions.labels, other.labels):
        raise ArcalError("two models differ on the same inputs: give both the same ids and labels")
    N = len(predictions.labels)
    resamples = usual_resamples(N) if resamples is None else resamples
    w = as_weights(weights, N)
    n = round(effective_of(w, predictions.confidence))

    draws = stored_counts(N, resamples, seed=0)

    first, second = (
        resampled_scores(one.scores, draws, weights=weights, smooth=False)
        for one in (other, predictions)
    )
    figures = {
        name: from_draws(second[name] - first[name], n, RANGES[f"difference.{name}"])
        for name in ("accuracy", "gap", "nll", "brier")
    }
    ours, theirs = ((one.confidence, one.correct) for one in (predictions, other))
    less = aurc(*ours, weights=weights) - aurc(*theirs, weights=weights)
    influence = aurc_influence(*ours, weights=weights) - aurc_influence(*theirs, weights=weights)
    reach = NORMAL * influence.square().sum().sqrt().item()
    figures["aurc"] = Estimate(less, max(less - reach, -1.0), min(less + reach, 1.0), n)
    gained, lost = predictions.correct & ~other.correct, other.correct & ~predictions.correct
    if weights is None:
        counts = int(lost.sum()), int(gained.sum())
        figures["accuracy"] = Estimate((counts[1] - counts[0]) / N, *tango(*counts, N), N)

    def share(inputs: Tensor) -> float:
        return ((w * inputs).sum() / w.sum()).item()

    changed = predictions.predicted != other.predicted
    return Difference(
        than,
        **figures,
        churn=share(changed),
        negative_flips=share(lost),
        positive_flips=share(gained),
    )
