"""Calibration by confidence, and a subject's by robustness level (Figures 1 and 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._estimate import counted
from arcal.auditing._measures import stability
from arcal.auditing._predictions import Predictions
from arcal.auditing._shift import Spread
from arcal.auditing._subject import Subject, shared_levels
from arcal.calibration import Reliability, by_level, exact_interval
from arcal.calibration.bins import bin_of
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_clusters
from arcal.calibration.weighted import effective_numbers
from arcal.errors import ArcalError
from arcal.ranks import levels


def reliability(
    predictions: Predictions,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
) -> Reliability:
    """Confidence and accuracy of a model's predictions in each bin of the ECE.

    With `weights` `(N,)`, 0 or more, or `clusters` as in `overall`, the counts are the effective
    numbers of inputs, as for the intervals, and need not be whole. The other sums are scaled to the
    counts.

    >>> from arcal.auditing import as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> bins = reliability(half)
    >>> int(bins.count.argmax()), round(bins.ece, 2)  # bin 11 of 0 to 14 is (11/15, 12/15]
    (11, 0.25)
    >>> round(reliability(half, weights=[3, 1]).accuracy[11].item(), 2)
    0.75
    """
    confidence, correct = predictions.confidence, predictions.correct
    bins = Reliability()
    if weights is None and clusters is None:
        return bins.update(confidence, correct)
    w, k = as_weights(weights, len(correct)), bin_of(confidence, bins.bins)
    together = as_clusters(clusters, confidence, correct, w)
    right, n, mean, _ = counted(confidence, correct, w, k, bins.bins, together)
    bins.count, bins.correct_sums = n, right
    bins.confidence_sums = (n * mean).nan_to_num(0)
    return bins


def counts_if_calibrated(
    predictions: Predictions,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
) -> Tensor:
    """The counts of `reliability` if every confidence is right: they do not depend on the errors.

    >>> from arcal.auditing import as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25]] * 3, labels=[0, 1, 1])
    >>> counts_if_calibrated(half, weights=[1, 3, 0])[11]
    tensor(1.6000, dtype=torch.float64)
    """
    if weights is None and clusters is None:
        return reliability(predictions).count
    w, bins = as_weights(weights, len(predictions.ids)), Reliability().bins
    confidence = predictions.confidence
    together = as_clusters(clusters, confidence, predictions.correct, w)
    return effective_numbers(w, confidence, bin_of(confidence, bins), bins, clusters=together)


def accuracy_interval(bins: Reliability) -> tuple[Tensor, Tensor]:
    """The ends of each bin's 95 % Clopper-Pearson interval of accuracy, `(K,)`; nan if empty.

    >>> from arcal.auditing import as_predictions
    >>> half = as_predictions(probabilities=[[0.75, 0.25], [0.75, 0.25]], labels=[0, 1])
    >>> low, high = accuracy_interval(reliability(half))
    >>> round(low[11].item(), 3), round(high[11].item(), 3), low[0].item()
    (0.013, 0.987, nan)
    """
    ends = exact_interval(bins.correct_sums, bins.count)
    low, high = (torch.where(bins.count > 0, end, torch.nan) for end in ends)
    return low, high


WEAKEST = 3
"""The number of least robust levels whose mean gap is reported."""


OF_RUNS = ("accuracy", "confidence", "ece", "gap", "misclassified")


@dataclass(frozen=True)
class LevelFigures:
    """A subject's figures on the clean test set by level, from 0 (least robust) to R-1.

    `accuracy`, `confidence`, `ece`, `gap` and `misclassified` (share of the run's misclassified
    images) are float64 `(n, R)` for n runs, each with the levels of its own model. `class_share`
    `(R, Z)` is the make-up of each level, mean over runs. `stability` is how much the runs differ,
    R values for each measure, with the levels of their mean rank for all runs; it is empty for one
    run. It has the three readings of section 3.1's variance and churn. `variance` `(R,)` is the
    main reading, the sum over classes. Made by `figures_by_level`.
    """

    accuracy: Tensor
    confidence: Tensor
    ece: Tensor
    gap: Tensor
    misclassified: Tensor
    class_share: Tensor
    stability: Mapping[str, Sequence[float]]

    @property
    def variance(self) -> Tensor | None:
        values = self.stability.get("variance_all_classes")
        return None if values is None else torch.tensor(values, dtype=torch.float64, device="cpu")

    @property
    def R(self) -> int:
        return self.gap.shape[1]

    @property
    def weakest_gap(self) -> Spread:
        """Mean gap over the three least robust levels (or all, if there are fewer)."""
        return Spread.from_tensor(self.gap[:, :WEAKEST].mean(dim=1))

    @property
    def gap_size(self) -> Spread:
        """Mean over the levels of the absolute gap, so that opposite signs do not cancel."""
        return Spread.from_tensor(self.gap.abs().mean(dim=1))


def figures_by_level(subject: Subject, R: int, Z: int) -> LevelFigures:
    """A subject's figures by level: images of `Z` classes are cut into `R` levels.

    A run without clean predictions or without robustness raises `ArcalError`.

    >>> from arcal.auditing import CLEAN, Predictions
    >>> from arcal.robustness import score
    >>> z = torch.tensor([[0.9, 0.0], [0.1, 0.0], [0.0, 0.2], [0.0, 0.8]])
    >>> ids, labels = torch.arange(4), torch.tensor([0, 1, 1, 1])
    >>> margins = score(torch.nn.Identity(), [(ids, z, labels)], "margin")
    >>> clean = {CLEAN: [Predictions(ids, labels, z[None])]}
    >>> subject = Subject.from_predictions("mine", clean, robustness=[margins])
    >>> figures_by_level(subject, R=2, Z=2).accuracy.tolist()
    [[0.5, 1.0]]
    """
    n = len(subject.seeds)
    if not len(subject.clean) == len(subject.robustness) == n:
        raise ArcalError(
            f"{subject.name}: figures by level need the clean predictions and the robustness of "
            f"each of its {n} run{'s' if n > 1 else ''}: score its test images"
        )
    runs = []
    for predictions, robustness in zip(subject.clean, subject.robustness, strict=True):
        if not torch.equal(predictions.ids, robustness.ids):
            raise ArcalError(f"{subject.name}: predictions and robustness are of different images")
        cut, labels = levels(robustness.robustness, robustness.ids, R), predictions.labels
        pair = predictions.confidence, predictions.correct
        runs.append(by_level(*pair, cut, R, labels=labels, classes=Z))
    histogram = torch.stack([run.class_histogram for run in runs]).double().mean(dim=0)
    stable = {}
    if len(runs) > 1:
        _, stable = stability(subject.clean, shared_levels(subject.robustness, R), R)
    return LevelFigures(
        **{name: torch.stack([getattr(run, name) for run in runs]) for name in OF_RUNS},
        class_share=histogram / histogram.sum(dim=1, keepdim=True),
        stability=stable,
    )
