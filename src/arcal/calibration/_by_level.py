"""Calibration by robustness level (Figures 1 and 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_float64, as_tensor
from arcal.calibration._ece import ece
from arcal.calibration.checks import as_classes, as_confidence, as_correct, as_weights
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class ByLevel:
    """Accuracy, confidence and ECE of each level r = 0 (least robust) .. R-1.

    All are float64 unless said otherwise, and nan for an empty level. Levels are of equal size but
    not alike: `misclassified` and `class_histogram` show what they contain. Made by `by_level`.
    """

    count: Tensor
    """`(R,)` int64: inputs in the level."""
    accuracy: Tensor
    """`(R,)`: the share of the level's inputs that are classified correctly."""
    confidence: Tensor
    """`(R,)`: the mean probability of the predicted class."""
    ece: Tensor
    """`(R,)`: the expected calibration error within the level."""
    gap: Tensor
    """`(R,)`: confidence - accuracy, above 0 where the level is over-confident."""
    misclassified: Tensor
    """`(R,)`: the share of all misclassified inputs that fall in the level, 0 for an empty level.
    The shares sum to 1; all are nan when nothing is misclassified."""
    class_histogram: Tensor | None
    """`(R, Z)` int64: the number of inputs of each true class; None without labels."""


def by_level(
    confidence: TensorLike,
    correct: TensorLike,
    levels: TensorLike,
    R: int,
    *,
    labels: TensorLike | None = None,
    classes: int | None = None,
    bins: int = 15,
    weights: TensorLike | None = None,
) -> ByLevel:
    """Accuracy, confidence and ECE of each robustness level (Figures 1 and 2).

    `confidence` `(N,)` is in [0, 1], `correct` `(N,)` bool, `levels` `(N,)` integers in 0 .. R-1,
    and `bins` the number of bins of each ECE. With `labels` `(N,)` in 0 .. Z-1 the inputs of each
    true class are counted, too; `classes` is Z, by default the largest label + 1. With `weights`
    `(N,)`, 0 or more, all figures are weighted but the numbers of inputs, `count` and
    `class_histogram`; a level without weight has nan, as an empty one. No inputs at all raise
    `ArcalError`; an empty level does not.

    >>> confidence = torch.tensor([0.875, 0.75, 0.625, 0.75])
    >>> correct = torch.tensor([False, True, True, True])
    >>> result = by_level(confidence, correct, torch.tensor([0, 1, 0, 1]), R=2)
    >>> result.accuracy
    tensor([0.5000, 1.0000], dtype=torch.float64)
    >>> result.gap  # over-confident, under-confident
    tensor([ 0.2500, -0.2500], dtype=torch.float64)
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    if N == 0:
        raise ArcalError("there are no inputs to cut into levels: pass at least one confidence")
    correct = as_correct(correct, N)
    levels, w = as_classes(levels, N, R, "levels"), as_weights(weights, N)

    count = torch.bincount(levels, minlength=R)
    errors = torch.bincount(levels, weights=w * ~correct, minlength=R)
    accuracy = mean_by_level(correct, levels, R, weights=weights)
    mean_confidence = mean_by_level(confidence, levels, R, weights=weights)

    def ece_of(some: Tensor) -> float:
        if not w[some].any():
            return torch.nan
        own = None if weights is None else w[some]
        return ece(confidence[some], correct[some], bins, weights=own)

    return ByLevel(
        count=count,
        accuracy=accuracy,
        confidence=mean_confidence,
        ece=torch.tensor(
            [ece_of(levels == r) for r in range(R)], dtype=torch.float64, device="cpu"
        ),
        gap=mean_confidence - accuracy,
        misclassified=errors / errors.sum(),
        class_histogram=None if labels is None else _histogram(labels, classes, levels, R),
    )


def mean_by_level(
    values: TensorLike, levels: TensorLike, R: int, *, weights: TensorLike | None = None
) -> Tensor:
    """The mean of `values` `(N,)` within each level, `(R,)` float64; nan for an empty level.

    `levels` `(N,)` are integers in 0 .. R-1. With `weights` `(N,)`, 0 or more, means are weighted,
    and a level without weight is empty. Another shape or level raises `ArcalError`.

    >>> mean_by_level(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([0, 2, 2]), R=3)
    tensor([1., nan, 4.], dtype=torch.float64)
    """
    values = as_float64(values, "values")
    if values.ndim != 1:
        raise ArcalError(f"values must have shape (N,), not {tuple(values.shape)}: flatten them")
    levels = as_classes(levels, len(values), R, "levels")
    w = as_weights(weights, len(values))
    weighted = torch.where(w > 0, w * values, 0)  # 0 x inf would be nan
    sums, whole = (torch.bincount(levels, weights=one, minlength=R) for one in (weighted, w))
    # Without any values, bincount ignores the type of the weights and returns int64.
    return sums.double() / whole


def _histogram(labels: TensorLike, classes: int | None, levels: Tensor, R: int) -> Tensor:
    labels = as_tensor(labels, "labels")
    if classes is None:
        classes = int(labels.max()) + 1 if labels.numel() else 0
    Z, labels = classes, as_classes(labels, len(levels), classes)
    return torch.bincount(levels * Z + labels, minlength=R * Z).reshape(R, Z)
