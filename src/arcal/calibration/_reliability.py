"""The sums behind a reliability diagram, and the calibration errors that follow from them."""

import math
from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.bins import bin_of
from arcal.calibration.checks import as_confidence, as_correct, check_bins
from arcal.errors import ArcalError

NO_INPUTS = "the ECE of no inputs is undefined: pass at least one confidence"


@dataclass(eq=False)
class Reliability:
    """The sums behind a reliability diagram and its ECE, in O(K) memory.

    Bin k of the K = `bins` bins holds the confidences in (k/K, (k+1)/K], with edges and comparisons
    in float64; a confidence above an edge by less than 2**-46 counts as on it, as 0.6 should after
    a logarithm and its exponential, and exactly 0 belongs to the first bin. The state is three
    `(K,)` tensors, which can be added over batches and processes: `count` (int64),
    `confidence_sums` (float64) and `correct_sums` (int64). With 15 bins, float64 holds the sum of
    up to 2**23 float32 confidences of 1000 classes exactly, so the result is the same to the last
    bit for any batches in any order; sums of float64 confidences agree up to rounding.

    >>> reliability = Reliability(bins=2)
    >>> batches = [([0.25, 0.75], [False, True]), ([0.875, 0.875], [True, False])]
    >>> for confidence, correct in batches:
    ...     reliability = reliability.update(torch.tensor(confidence), torch.tensor(correct))
    >>> reliability.count
    tensor([1, 3])
    >>> reliability.accuracy - reliability.confidence
    tensor([-0.2500, -0.1667], dtype=torch.float64)
    >>> reliability.ece  # 1/4 x 0.25 + 3/4 x 0.1667
    0.1875
    """

    bins: int = 15
    count: Tensor = field(init=False)
    confidence_sums: Tensor = field(init=False)
    correct_sums: Tensor = field(init=False)

    def __post_init__(self) -> None:
        check_bins(self.bins)
        self.count = torch.zeros(self.bins, dtype=torch.int64, device="cpu")
        self.confidence_sums = torch.zeros(self.bins, dtype=torch.float64, device="cpu")
        self.correct_sums = torch.zeros(self.bins, dtype=torch.int64, device="cpu")

    def update(self, confidence: TensorLike, correct: TensorLike) -> Self:
        """Add a batch of confidences `(N,)` in [0, 1] and booleans `(N,)`; N may be 0.

        Confidences outside [0, 1] by up to 1e-6, the effect of rounding, are clipped. Others, nan
        or a wrong shape raise `ArcalError` and leave the sums unchanged. Returns the object itself.
        """
        confidence = as_confidence(confidence)
        correct = as_correct(correct, len(confidence))
        k = bin_of(confidence, self.bins)
        self.count += torch.bincount(k, minlength=self.bins)
        self.confidence_sums += torch.bincount(k, weights=confidence, minlength=self.bins)
        self.correct_sums += torch.bincount(k[correct], minlength=self.bins)
        return self

    def merge(self, other: Self) -> Self:
        """Add the sums of `other`, which is left unchanged. Returns the object itself.

        Another number of bins raises `ArcalError`.
        """
        if other.bins != self.bins:
            raise ArcalError(
                f"cannot merge {other.bins} bins into {self.bins}: use the same number of bins"
            )
        self.count += other.count
        self.confidence_sums += other.confidence_sums
        self.correct_sums += other.correct_sums
        return self

    @property
    def accuracy(self) -> Tensor:
        """acc(B_k), `(K,)` float64: the accuracy in each bin, nan for an empty one."""
        return self.correct_sums.double() / self.count

    @property
    def confidence(self) -> Tensor:
        """conf(B_k), `(K,)` float64: the mean confidence in each bin, nan for an empty one."""
        return self.confidence_sums / self.count

    @property
    def ece(self) -> float:
        """Sum over k of |B_k|/N |acc(B_k) - conf(B_k)|, in [0, 1].

        Raises `ArcalError` before the first input.
        """
        n = self._inputs()
        # |B_k| cancels, so there is no division to round and empty bins need no special case.
        return ((self.correct_sums - self.confidence_sums).abs().sum() / n).item()

    @property
    def debiased_squared(self) -> float:
        """`arcal.calibration.debiased_squared`; raises `ArcalError` if no bin has two rows."""
        usable = self.count > 1
        if not usable.any():
            raise ArcalError("no bin has two rows: pass more inputs, or use fewer bins")
        n, accuracy = self.count[usable], self.accuracy[usable]
        gap = accuracy - self.confidence[usable]
        squared = gap.square() - accuracy * (1 - accuracy) / (n - 1)
        return ((n * squared).sum() / self.count.sum()).item()

    @property
    def debiased_ece(self) -> float:
        """`arcal.calibration.debiased_ece`; errors are those of `ece`."""
        self._inputs()
        filled = self.count > 0
        n, accuracy = self.count[filled].double(), self.accuracy[filled]
        gap = (accuracy - self.confidence[filled]).abs()
        deviation = (accuracy * (1 - accuracy) / n).sqrt()
        # without variance |gap| is expected
        z = torch.where(deviation > 0, gap / deviation, math.inf)
        spread = deviation * math.sqrt(2 / math.pi) * (-z.square() / 2).exp()
        expected = spread + gap * torch.erf(z / math.sqrt(2))
        return 2 * self.ece - ((n * expected).sum() / n.sum()).item()

    @property
    def ece_if_calibrated(self) -> float:
        """`arcal.calibration.ece_if_calibrated`; errors are those of `ece`."""
        self._inputs()
        filled = self.count > 0
        n, mean = self.count[filled].double(), self.confidence_sums[filled]
        above = mean.floor() + 1
        choose = torch.lgamma(n + 1) - torch.lgamma(above + 1) - torch.lgamma(n - above + 1)
        log = choose + torch.xlogy(above, mean / n) + torch.xlogy(n - above + 1, (n - mean) / n)
        return ((2 * above * log.exp()).sum() / n.sum()).item()

    def _inputs(self) -> float:
        n = self.count.sum().item()  # may be a fraction: see `arcal.auditing.reliability`
        if n == 0:
            raise ArcalError(NO_INPUTS)
        return n
