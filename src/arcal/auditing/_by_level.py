"""A subject's calibration by robustness level (Figures 1 and 2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.auditing._measures import stability
from arcal.auditing._shift import Spread
from arcal.auditing._subject import Subject, shared_levels
from arcal.calibration import by_level
from arcal.errors import ArcalError
from arcal.robustness import levels

WEAKEST = 3
"""The least robust levels whose mean gap is called out."""


OF_RUNS = ("accuracy", "confidence", "ece", "gap", "misclassified")


@dataclass(frozen=True)
class LevelFigures:
    """A subject on the clean test set by level 0 (least robust) .. R-1, each run by its own model.

    `accuracy`, `confidence`, `ece`, `gap` and `misclassified` (share of the run's misclassified
    images) are float64 `(n, R)` for n runs. `class_share` `(R, Z)` is the make-up of a level, the
    mean over runs. `stability` is how much the runs differ, R values each, with one ranking for
    all, their mean rank: the three readings of section 3.1's variance, of which `variance` `(R,)`
    is the main one, the sum over classes, and churn. One run has none. Made by `figures_by_level`.
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
        return None if values is None else torch.tensor(values, dtype=torch.float64)

    @property
    def R(self) -> int:
        return self.gap.shape[1]

    @property
    def weakest_gap(self) -> Spread:
        """Mean gap over the three least robust levels (or all, if there are fewer)."""
        return Spread.from_tensor(self.gap[:, :WEAKEST].mean(dim=1))

    @property
    def gap_size(self) -> Spread:
        """Mean over the levels of the size of the gap, where opposite signs do not cancel."""
        return Spread.from_tensor(self.gap.abs().mean(dim=1))


def figures_by_level(subject: Subject, R: int, Z: int) -> LevelFigures:
    """A subject's figures by level; the images are cut into `R` levels, of `Z` classes.

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
        told = predictions.confidence, predictions.correct
        runs.append(by_level(*told, cut, R, labels=labels, classes=Z))
    histogram = torch.stack([run.class_histogram for run in runs]).double().mean(dim=0)
    stable = {}
    if len(runs) > 1:
        _, stable = stability(subject.clean, shared_levels(subject.robustness, R), R)
    return LevelFigures(
        **{name: torch.stack([getattr(run, name) for run in runs]) for name in OF_RUNS},
        class_share=histogram / histogram.sum(dim=1, keepdim=True),
        stability=stable,
    )
