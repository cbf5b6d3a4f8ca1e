"""The figures of a set of predictions as a whole."""

from dataclasses import dataclass

import torch

from arcal.arrays import TensorLike
from arcal.auditing._estimate import (
    Estimate,
    accuracy_from,
    ece_from,
    from_draws,
    gap_to,
)
from arcal.auditing._few_errors import score_estimates
from arcal.auditing._predictions import Predictions
from arcal.auditing._reliability import reliability
from arcal.calibration import aurc, ece_by_chance
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters
from arcal.calibration.draws import drawn_counts, usual_resamples
from arcal.calibration.few_errors import errors_of
from arcal.calibration.resampled import resampled_scores
from arcal.calibration.selective import interval_of_aurc
from arcal.calibration.smooth import smooth_ece_by_chance
from arcal.calibration.weighted import effective_of

SMOOTH = 200
"""Draws of the smooth ECE by chance: few, as they are by far the slowest, for one end only."""


@dataclass(frozen=True)
class Overall:
    """The figures of N inputs, each with its 95 % interval.

    `accuracy` has the exact interval. `gap`, confidence minus accuracy, is positive if the model is
    over-confident; its interval follows from that of the accuracy, so it takes the confidences as
    given. `ece`, with 15 bins, and `smooth_ece` have the outer bootstrap interval, cut to [0, 1],
    which begins at 0 if they may be chance. `confidence`, `nll` (nats) and `brier` (in [0, 2]) have
    the percentile interval. `aurc`, the area under the risk-coverage curve
    (`arcal.calibration.aurc`), has that of `arcal.calibration.aurc_interval`. All intervals but
    those of `accuracy` and `gap` are wider if weights differ
    (`arcal.calibration.weighted.widening`). With fewer than 100 errors those of `nll` and `brier`
    also allow for errors not seen (`arcal.calibration.few_errors`), and those of the ECEs reach up
    as far as that of the gap, because an ECE is never less than the gap.

    `ece_if_calibrated` is the ECE by chance alone, if every confidence were the probability of
    being right: its mean, and an interval from 0 to the value that 95 % of such ECEs stay below. An
    ECE above that end is not chance. Made by `overall`.
    """

    n: int
    accuracy: Estimate
    confidence: Estimate
    gap: Estimate
    ece: Estimate
    ece_if_calibrated: Estimate
    smooth_ece: Estimate
    nll: Estimate
    brier: Estimate
    aurc: Estimate


def overall(
    predictions: Predictions,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> Overall:
    """The figures of a set of predictions, with intervals over draws of its inputs.

    With `weights` `(N,)`, 0 or more, sums, means and bins are weighted; the exact interval is that
    of the effective number of inputs; and the bootstrap draws inputs with equal chances, each with
    its weight. `resamples` is the number of draws, by default 1,000 for up to 100,000 inputs and
    fewer for more, 200 from 500,000 on (`usual_resamples`). This takes seconds for 10,000 inputs,
    whatever the number of classes. Other weights, and no inputs, raise `ArcalError`.

    `clusters` int64 `(N,)` says which inputs belong together, such as images of one patient: those
    with equal numbers. The bootstrap then draws whole clusters, chance lets their errors come
    together (`arcal.calibration.clusters.Clusters`), and the exact interval is that of as many
    independent inputs as show the accuracy equally well.

    >>> from arcal.auditing import as_predictions
    >>> probabilities = torch.tensor([0.75, 0.25]).repeat(100, 1)
    >>> predictions = as_predictions(probabilities=probabilities, labels=[0] * 60 + [1] * 40)
    >>> overall(predictions).accuracy.value
    0.6
    >>> overall(predictions, weights=[2] * 60 + [1] * 40).accuracy.value
    0.75
    """
    N = len(predictions.labels)
    resamples = usual_resamples(N) if resamples is None else resamples
    confidence, correct = predictions.confidence, predictions.correct
    w, scores = as_weights(weights, N), predictions.scores
    together = as_clusters(clusters, confidence, correct, w)
    draws = drawn_counts(N, resamples, seed=0, clusters=together)
    figures = resampled_scores(scores, draws, weights=weights, clusters=together)
    effective = effective_of(w, confidence, correct, together)
    accuracy = accuracy_from(figures["accuracy"].estimate, effective)
    gap, wrong = gap_to(accuracy, figures["confidence"].estimate), errors_of(correct, w, together)
    n = accuracy.n
    everything = torch.zeros(N, dtype=torch.int64, device="cpu")
    drawn = predictions.chance if together is None else Chance(confidence, clusters=together)
    by_chance = ece_by_chance(drawn, everything, 1, weights=weights, resamples=resamples)
    expected = by_chance.mean().item()
    if weights is None and clusters is None:  # the binomial formula holds
        expected = reliability(predictions).ece_if_calibrated
    chance = Estimate(expected, 0.0, by_chance.quantile(0.95).item(), n)
    smooth = smooth_ece_by_chance(drawn, weights=weights, resamples=min(resamples, SMOOTH))
    return Overall(
        n=N,
        accuracy=accuracy,
        confidence=from_draws(figures["confidence"], n, (0, 1)),
        gap=gap,
        ece=ece_from(figures["ece"], n, chance.high, gap, wrong),
        ece_if_calibrated=chance,
        smooth_ece=ece_from(figures["smooth_ece"], n, smooth.quantile(0.95).item(), gap, wrong),
        **score_estimates(figures, n, w, scores, clusters=together),
        aurc=Estimate(
            aurc(confidence, correct, weights=weights),
            *interval_of_aurc(confidence, correct, weights, together),
            n,
        ),
    )
