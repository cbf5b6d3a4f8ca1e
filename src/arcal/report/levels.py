"""The numbers of the report's pictures: a method's calibration by robustness level."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from arcal.calibration import by_level, confidence_and_correct
from arcal.errors import ArcalError
from arcal.evaluation import MethodRuns, shared_levels, stability
from arcal.report.tables import Spread
from arcal.robustness import levels
from arcal.smoothing import soft_label_of

WEAKEST = 3
"""The least robust levels whose mean gap is called out."""


@dataclass(frozen=True)
class LevelFigures:
    """One method on the clean test set by level 0 (least robust) .. R-1, each run by its own model.

    `accuracy`, `confidence`, `ece`, `gap` and `misclassified` (share of the run's misclassified
    images) are float64 `(n, R)` for n runs. `class_share` `(R, Z)` is the make-up of a level, the
    mean over runs. `stability` is how much the runs differ, R values each, with one ranking for
    all, their mean rank: the three readings of section 3.1's variance, of which `variance` `(R,)`
    is the main one, the sum over classes, and churn. One run has none.
    """

    accuracy: Tensor
    confidence: Tensor
    ece: Tensor
    gap: Tensor
    misclassified: Tensor
    class_share: Tensor
    stability: dict[str, list[float]]

    @property
    def variance(self) -> Tensor | None:
        found = self.stability.get("variance_all_classes")
        return None if found is None else torch.tensor(found, dtype=torch.float64)

    @property
    def R(self) -> int:
        return self.gap.shape[1]

    @property
    def weakest_gap(self) -> Spread:
        """Mean gap over the three least robust levels (or all, if there are fewer)."""
        return Spread(tuple(self.gap[:, :WEAKEST].mean(dim=1).tolist()))

    @property
    def gap_size(self) -> Spread:
        """Mean over the levels of the size of the gap, where opposite signs do not cancel."""
        return Spread(tuple(self.gap.abs().mean(dim=1).tolist()))


def levels_of(runs: MethodRuns, R: int, Z: int) -> LevelFigures:
    """A method's figures by level; the images are cut into `R` levels."""
    found = []
    for predictions, robustness in zip(runs.predictions, runs.robustness, strict=True):
        if not torch.equal(predictions.ids, robustness.ids):
            raise ArcalError(f"{runs.label}: predictions and robustness are of different images")
        probabilities = predictions.log_probabilities.exp()
        confidence, correct = confidence_and_correct(probabilities, predictions.labels)
        cut = levels(robustness.robustness, robustness.ids, R)
        labels = predictions.labels
        found.append(by_level(confidence, correct, cut, R, labels=labels, classes=Z))
    histogram = torch.stack([of_run.class_histogram for of_run in found]).double().mean(dim=0)
    return LevelFigures(
        accuracy=torch.stack([of_run.accuracy for of_run in found]),
        confidence=torch.stack([of_run.confidence for of_run in found]),
        ece=torch.stack([of_run.ece for of_run in found]),
        gap=torch.stack([of_run.gap for of_run in found]),
        misclassified=torch.stack([of_run.misclassified for of_run in found]),
        class_share=histogram / histogram.sum(dim=1, keepdim=True),
        stability=_stability(runs, R) if len(found) > 1 else {},
    )


def _stability(runs: MethodRuns, R: int) -> dict[str, list[float]]:
    _, found = stability(runs.predictions, shared_levels(runs, R), R)
    return found


def soft_labels_of(runs: MethodRuns, Z: int) -> Tensor | None:
    """The correct class's soft label (Eq. 2) after each epoch, mean over runs, `(epochs + 1, R)`.

    The first row is the start, one-hot. None for a method that does not adapt its labels.
    """
    histories = [
        [record["epsilon"] for record in folder.epochs() if "epsilon" in record]
        for folder in runs.folders
    ]
    epochs = min(len(history) for history in histories)
    if epochs == 0:
        return None
    epsilon = torch.tensor([history[:epochs] for history in histories], dtype=torch.float64)
    learned = soft_label_of(epsilon.mean(dim=0), Z)
    return torch.cat([torch.ones_like(learned[:1]), learned])


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two `(N,)`; ties share their mean rank, +inf ranks highest.

    nan if one of them is constant.
    """
    ranks = np.stack([stats.rankdata(a.numpy()), stats.rankdata(b.numpy())])
    return torch.corrcoef(torch.from_numpy(ranks))[0, 1].item()
