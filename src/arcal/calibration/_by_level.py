"""Calibration by robustness level (Figures 1 and 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.calibration._checks import as_classes, as_confidence, as_correct
from arcal.calibration._ece import ece
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class ByLevel:
    """One entry per level r = 0 (least robust) .. R-1; float64, nan where a level is empty.

    Levels are of equal size, not of equal make-up: `misclassified` and `class_histogram` show it.
    """

    count: Tensor
    """`(R,)` int64: inputs in the level."""
    accuracy: Tensor
    """`(R,)`: share of the level's inputs that are classified correctly."""
    confidence: Tensor
    """`(R,)`: mean probability of the predicted class."""
    ece: Tensor
    """`(R,)`: expected calibration error within the level."""
    gap: Tensor
    """`(R,)`: confidence - accuracy; above 0 is over-confident, below 0 under-confident."""
    misclassified: Tensor
    """`(R,)`: share of all misclassified inputs that fall in the level. They sum to 1, an empty
    level having 0; all nan if nothing is misclassified."""
    class_histogram: Tensor | None
    """`(R, Z)` int64: inputs of each true class in the level; None if labels were not given."""


def by_level(
    confidence: Tensor,
    correct: Tensor,
    levels: Tensor,
    R: int,
    *,
    labels: Tensor | None = None,
    classes: int | None = None,
    bins: int = 15,
) -> ByLevel:
    """Each level's accuracy, confidence and ECE, from `(N,)` confidences, booleans and levels.

    `levels` are 0 .. R-1. With `labels` `(N,)` the true classes are counted, too: `classes` is Z,
    by default the largest label + 1. No inputs at all raise `ArcalError`; a single empty level
    does not.
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    if N == 0:
        raise ArcalError("no inputs to cut into levels: pass at least one confidence")
    correct = as_correct(correct, N)
    levels = as_classes(levels, N, R, "levels")

    count = torch.bincount(levels, minlength=R)
    errors = torch.bincount(levels[~correct], minlength=R).double()
    accuracy = mean_by_level(correct, levels, R)
    mean_confidence = mean_by_level(confidence, levels, R)
    members = [levels == r for r in range(R)]
    return ByLevel(
        count=count,
        accuracy=accuracy,
        confidence=mean_confidence,
        ece=torch.tensor(
            [ece(confidence[i], correct[i], bins) if i.any() else torch.nan for i in members],
            dtype=torch.float64,
        ),
        gap=mean_confidence - accuracy,
        misclassified=errors / errors.sum(),
        class_histogram=None if labels is None else _histogram(labels, classes, levels, R),
    )


def mean_by_level(values: Tensor, levels: Tensor, R: int) -> Tensor:
    """Mean of any `(N,)` values within each level, `(R,)` float64: a variance per input, say.

    nan where a level is empty.
    """
    if values.ndim != 1:
        raise ArcalError(f"values must have shape (N,), not {tuple(values.shape)}: flatten them")
    levels = as_classes(levels, len(values), R, "levels")
    values = values.detach().cpu().double()
    sums = torch.bincount(levels, weights=values, minlength=R)
    return sums.double() / torch.bincount(levels, minlength=R)  # bincount of nothing is int64


def _histogram(labels: Tensor, classes: int | None, levels: Tensor, R: int) -> Tensor:
    Z = int(labels.max()) + 1 if classes is None else classes
    labels = as_classes(labels, len(levels), Z)
    return torch.bincount(levels * Z + labels, minlength=R * Z).reshape(R, Z)
