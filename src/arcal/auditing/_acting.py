"""Where a model may act alone: how often it is right when it is confident."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration import (
    SelectiveAccuracy,
    Threshold,
    act_above,
    exact_interval,
    selective_accuracy,
)
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters
from arcal.calibration.resampled import Scores
from arcal.calibration.weighted import effective_of

TARGETS = (0.9, 0.95, 0.99, 0.999)
"""The accuracies that may be required of a model where it acts alone."""

POINTS = 100
"""The curve is given at this many coverages at most."""


@dataclass(frozen=True, eq=False)
class Acting:
    """How often a model is right on its most confident inputs, and how confident it must be.

    `curve` is the accuracy over the coverage, the share of inputs that the model acts on.
    `thresholds` has, for each of `TARGETS`, the confidence from which on the model is shown to be
    right that often (`arcal.calibration.act_above`), or None. Made by `acting`.
    """

    curve: SelectiveAccuracy
    thresholds: Mapping[float, Threshold | None]

    def __repr__(self) -> str:
        shares = (
            f"{100 * (one.coverage if one else 0):.3g} % to be right on {100 * target:g} %"
            for target, one in self.thresholds.items()
        )
        return f"<Acting on {', '.join(shares)}>"

    @property
    def coverages(self) -> dict[str, float]:
        """The coverage above each threshold, by name of the figure; 0 without a threshold."""
        return {
            coverage_name(target): threshold.coverage if threshold else 0.0
            for target, threshold in self.thresholds.items()
        }


def coverage_name(target: float) -> str:
    """The name, among an audit's figures, of the coverage at which a target accuracy is met.

    >>> coverage_name(0.999)
    'coverage_at_99.9'
    """
    return f"coverage_at_{100 * target:g}"


def acting(
    scores: Scores, *, weights: TensorLike | None = None, clusters: TensorLike | None = None
) -> Acting:
    """Where a model with these scores may act alone; `weights` and `clusters` as in `overall`.

    >>> from arcal.auditing import as_predictions
    >>> predictions = as_predictions(logits=[[3.0, 0.0]] * 100, labels=[0] * 99 + [1])
    >>> threshold = acting(predictions.scores).thresholds[0.9]
    >>> round(threshold.confidence, 3), threshold.coverage
    (0.953, 1.0)
    >>> acting(predictions.scores)
    <Acting on 100 % to be right on 90 %, 0 % to be right on 95 %, ...>
    """
    sure, right = scores.confidence.clamp(max=1), scores.correct
    curve = selective_accuracy(sure, right, POINTS, weights=weights)
    if weights is not None or clusters is not None:
        curve = _with_intervals(curve, sure, right, weights, clusters)
    return Acting(
        curve,
        {
            target: act_above(sure, right, target, weights=weights, clusters=clusters)
            for target in TARGETS
        },
    )


def most_frequent(labels: Tensor, *, weights: Tensor | None = None) -> float:
    """The share of the most frequent class among labels `(N,)`, weighted by `weights` `(N,)`.

    >>> most_frequent(torch.tensor([0, 2, 2, 1]))
    0.5
    """
    shares = labels.bincount(weights).double()
    return float(shares.max() / shares.sum())


def _with_intervals(
    curve: SelectiveAccuracy,
    sure: Tensor,
    right: Tensor,
    weights: TensorLike | None,
    clusters: TensorLike | None,
) -> SelectiveAccuracy:
    """The curve with the intervals that an audit gives any accuracy of such inputs."""
    w = as_weights(weights, len(sure))
    together = as_clusters(clusters, sure, right, w)
    numbers = []
    for threshold in curve.threshold.tolist():
        rows = sure >= threshold
        some = None if together is None else together.rows(rows)
        numbers.append(effective_of(w[rows], sure[rows], right[rows], some))
    n = torch.tensor(numbers, dtype=torch.float64, device="cpu")
    low, high = exact_interval(curve.accuracy.clamp(max=1) * n, n)
    return replace(curve, low=low, high=high, n=n)
