"""Intervals of log-loss, Brier score, gap and AURC, or their differences, with few errors."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from arcal.auditing._estimate import RANGES, Estimate, from_draws
from arcal.calibration import Bootstrap
from arcal.calibration.clusters import Clusters
from arcal.calibration.few_errors import ENOUGH, errors_of, few_errors_interval
from arcal.calibration.resampled import Scores

VALUES: Mapping[str, Callable[[Scores], tuple[Tensor, Tensor]]] = {
    "nll": lambda scores: (scores.loss, _flipped_loss(scores)),
    "brier": lambda scores: (scores.brier, _flipped_brier(scores)),
    "gap": lambda scores: (
        scores.confidence - scores.correct.double(),
        scores.confidence - (~scores.correct).double(),
    ),
}
"""The values `(N,)` whose mean each figure is, and the values if each label were flipped.

The flipped label of an input that is wrong is the predicted class, else the most probable other.
"""


def score_estimates(
    draws: Mapping[str, Bootstrap],
    n: int,
    weights: Tensor,
    *scores: Scores,
    clusters: Clusters | None = None,
    names: tuple[str, ...] = ("nll", "brier"),
) -> dict[str, Estimate]:
    """Figures of a model's `scores`, or of its scores minus another's, with their intervals.

    These are the percentile intervals of the `draws`, stretched if there are few errors.
    """
    return {
        name: with_few_errors(
            from_draws(draws[name], n),
            f"difference.{name}" if len(scores) == 2 else name,
            *map(VALUES[name], scores),
            scores=scores,
            weights=weights,
            clusters=clusters,
        )
        for name in names
    }


def with_few_errors(
    estimate: Estimate,
    name: str,
    *values: tuple[Tensor, Tensor],
    scores: tuple[Scores, ...],
    weights: Tensor,
    variance: float | None = None,
    clusters: Clusters | None = None,
) -> Estimate:
    """The figure called `name`, its interval stretched if fewer than 100 inputs are wrong.

    It then also reaches as far as `few_errors_interval`, within the figure's range. The `values`
    are as in `VALUES`. With two models, an input is wrong if either model is.
    """
    right = torch.stack([one.correct for one in scores]).all(0)
    if errors_of(right, weights, clusters) < ENOUGH and math.isfinite(estimate.value):
        surest = torch.stack([one.confidence * one.correct for one in scores]).amax(0)
        mean, flipped = (one[0] - sum(one[1:]) for one in zip(*values, strict=True))
        ends = few_errors_interval(
            mean,
            flipped,
            ~right,
            weights=weights,
            chance=torch.where(surest > 0, (1 - surest).clamp(min=0), 0),
            variance=variance,
            clusters=clusters,
        )
        estimate = estimate.reaching(*ends)
    least, most = RANGES[name]
    return replace(estimate, low=max(estimate.low, least), high=min(estimate.high, most))


def _flipped_loss(scores: Scores) -> Tensor:
    """A lower bound; a confidence of 1 is taken to be rounded."""
    sure = scores.confidence.clamp(max=1 - 2**-53)
    return -torch.where(scores.correct, 1 - sure, sure).log()


def _flipped_brier(scores: Scores) -> Tensor:
    """A lower bound."""
    p = torch.where(scores.correct, 1 - scores.confidence, (-scores.loss).exp())
    return scores.brier + 2 * torch.where(scores.correct, 1, -1) * (scores.confidence - p)
