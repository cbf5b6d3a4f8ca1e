"""Class-wise expected calibration error: that of the probabilities of all classes."""

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from arcal.arrays import BLOCK, TensorLike, row_blocks
from arcal.calibration.bins import bin_of
from arcal.calibration.checks import as_classes, as_probabilities, as_weights, check_bins
from arcal.errors import ArcalError

NO_INPUTS = "the ECE of no inputs is undefined: pass at least one row"

GRID = 2.0**-30
"""Probabilities are rounded to multiples of this, so that their sums are exact."""


@dataclass(eq=False)
class ClassWise:
    """The sums behind Z reliability diagrams and their mean ECE, in O(Z K) memory.

    For each of the Z = `classes` classes, bin k of the K = `bins` bins holds the probabilities of
    that class in (k/K, (k+1)/K], as in `Reliability`. The state is three `(Z, K)` tensors, which
    can be added over batches and processes: `count` (int64), `probability_sums` (float64) and
    `label_sums` (int64), the number of rows in the bin whose label is the class. Probabilities can
    be so small that float64 does not hold their sum exactly; so after binning each is rounded to a
    multiple of 2**-30. Then up to 2**23 rows give the same bits in any batches and any order, and
    no figure is wrong by more than 2**-31.

    >>> reliability = ClassWise(classes=2)
    >>> probabilities = torch.tensor([[0.75, 0.25], [0.75, 0.25]])
    >>> reliability.update(probabilities, torch.tensor([0, 1])).per_class
    tensor([0.2500, 0.2500], dtype=torch.float64)
    """

    classes: int
    bins: int = 15
    count: Tensor = field(init=False)
    probability_sums: Tensor = field(init=False)
    label_sums: Tensor = field(init=False)

    def __post_init__(self) -> None:
        if self.classes < 1:
            raise ArcalError(f"classes must be at least 1, not {self.classes}: pass their number")
        check_bins(self.bins)
        shape = (self.classes, self.bins)
        self.count = torch.zeros(shape, dtype=torch.int64, device="cpu")
        self.probability_sums = torch.zeros(shape, dtype=torch.float64, device="cpu")
        self.label_sums = torch.zeros(shape, dtype=torch.int64, device="cpu")

    def update(self, probabilities: TensorLike, labels: TensorLike) -> Self:
        """Add a batch of probabilities `(N, Z)` and labels `(N,)` in 0 .. Z-1; N may be 0.

        Rows that are not probabilities of Z classes, or labels out of range, raise `ArcalError` and
        leave the sums unchanged. Returns the object itself.
        """
        probabilities = as_probabilities(probabilities)
        N, Z = probabilities.shape
        if self.classes != Z:
            raise ArcalError(
                f"probabilities have {Z} classes, not {self.classes}: pass one column per class"
            )
        labels = as_classes(labels, N, Z)
        first = self.bins * torch.arange(Z, device="cpu")
        rows = max(BLOCK // Z, self.bins)  # fewer, and adding up the bins dominates
        for some, own in zip(probabilities.split(rows), labels.split(rows), strict=True):
            cell = bin_of(some, self.bins) + first
            self.count += self._sums(cell)
            self.probability_sums += self._sums(cell, (some / GRID).round_().mul_(GRID))
            self.label_sums += self._sums(cell.gather(1, own[:, None]))
        return self

    def merge(self, other: Self) -> Self:
        """Add the sums of `other`, which is left unchanged. Returns the object itself.

        Another number of classes or bins raises `ArcalError`.
        """
        if other.count.shape != self.count.shape:
            raise ArcalError(
                f"cannot merge {other.classes} classes in {other.bins} bins into {self.classes} "
                f"in {self.bins}: use the same numbers of classes and bins"
            )
        self.count += other.count
        self.probability_sums += other.probability_sums
        self.label_sums += other.label_sums
        return self

    @property
    def per_class(self) -> Tensor:
        """`(Z,)` float64 in [0, 1]: sum over k of |B_k|/N |frequency(B_k) - probability(B_k)|.

        Raises `ArcalError` before the first input.
        """
        n = int(self.count[0].sum())
        if n == 0:
            raise ArcalError(NO_INPUTS)
        return (self.label_sums - self.probability_sums).abs().sum(1) / n

    @property
    def ece(self) -> float:
        """The mean of `per_class`, in [0, 1] (Kull et al., 2019)."""
        return self.per_class.mean().item()

    def _sums(self, cell: Tensor, weights: Tensor | None = None) -> Tensor:
        weights = None if weights is None else weights.flatten()
        sums = torch.bincount(cell.flatten(), weights, minlength=self.count.numel())
        return sums.reshape(self.count.shape)


def class_wise_ece(
    probabilities: TensorLike,
    labels: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
) -> float:
    """Class-wise ECE, in [0, 1], of probabilities `(N, Z)` and labels `(N,)` in 0 .. Z-1.

    The mean over classes z of the ECE of "the label is z" under the probability of z (Kull et al.,
    2019); bins and errors are those of `ClassWise`. With `weights` `(N,)`, 0 or more, it is
    1/Z sum_z sum_k |sum_i w_i ([z = y_i] - p_i[z])| / sum w, with the inner sum over bin k of z.

    >>> class_wise_ece(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), torch.tensor([0, 1]))
    0.25
    """
    probabilities = as_probabilities(probabilities)
    N, Z = probabilities.shape
    if weights is None:
        return ClassWise(Z, bins).update(probabilities, labels).ece
    check_bins(bins)
    labels, w = as_classes(labels, N, Z), as_weights(weights, N)
    if N == 0:
        raise ArcalError(NO_INPUTS)
    sums = torch.zeros(Z * bins, dtype=torch.float64, device="cpu")
    first = bins * torch.arange(Z, device="cpu")
    for some in row_blocks(N, Z):
        gap = -probabilities[some]
        gap[torch.arange(len(gap), device="cpu"), labels[some]] += 1
        cell = bin_of(probabilities[some], bins) + first
        weighted = (w[some, None] * gap).flatten()
        sums += torch.bincount(cell.flatten(), weights=weighted, minlength=Z * bins)
    return (sums.abs().sum() / w.sum() / Z).item()
