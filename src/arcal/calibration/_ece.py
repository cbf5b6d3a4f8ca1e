"""Expected calibration error (section 3), from streaming sums over confidence bins."""

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from arcal.calibration._checks import as_classes, as_confidence, as_correct, as_probabilities
from arcal.errors import ArcalError


def confidence_and_correct(probabilities: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Confidence `(N,)` float64 and whether the prediction is right `(N,)` bool.

    Confidence is the probability of the predicted class, the largest of `probabilities` `(N, Z)`;
    of equal ones the first is predicted. `labels` `(N,)` are 0 .. Z-1.
    """
    probabilities = as_probabilities(probabilities)
    N, Z = probabilities.shape
    labels = as_classes(labels, N, Z)
    prediction = probabilities.argmax(1)
    confidence = probabilities.gather(1, prediction[:, None])[:, 0]
    return confidence, prediction == labels


@dataclass(eq=False)
class Reliability:
    """The sums behind a reliability diagram and its ECE, in O(K) memory.

    Bin k of K = `bins` holds the confidences in (k/K, (k+1)/K], with edges and comparisons in
    float64; a confidence of exactly 0 belongs to the first bin. The state is three `(K,)` tensors
    that add up over batches and processes: `count` (int64), `confidence_sums` (float64) and
    `correct_sums` (int64). At 15 bins, float64 holds the sum of up to 2**23 float32 confidences of
    1000 classes exactly, so neither batches nor merge order change a bit; sums of float64
    confidences agree to rounding.
    """

    bins: int = 15
    count: Tensor = field(init=False)
    confidence_sums: Tensor = field(init=False)
    correct_sums: Tensor = field(init=False)

    def __post_init__(self):
        if self.bins < 1:
            raise ArcalError(f"bins must be at least 1, not {self.bins}: the usual number is 15")
        self.count = torch.zeros(self.bins, dtype=torch.int64)
        self.confidence_sums = torch.zeros(self.bins, dtype=torch.float64)
        self.correct_sums = torch.zeros(self.bins, dtype=torch.int64)

    def update(self, confidence: Tensor, correct: Tensor) -> Self:
        """Add a batch of confidences `(N,)` in [0, 1] and booleans `(N,)`; N may be 0.

        What lies outside [0, 1] by no more than 1e-6, as rounding does, is clipped; anything
        further out, nan, or a wrong shape raises `ArcalError` and leaves the sums as they were.
        """
        confidence = as_confidence(confidence)
        correct = as_correct(correct, len(confidence))
        inner_edges = torch.arange(1, self.bins, dtype=torch.float64) / self.bins
        k = torch.bucketize(confidence, inner_edges, right=False)  # a value on an edge goes below
        self.count += torch.bincount(k, minlength=self.bins)
        self.confidence_sums += torch.bincount(k, weights=confidence, minlength=self.bins)
        self.correct_sums += torch.bincount(k[correct], minlength=self.bins)
        return self

    def merge(self, other: Self) -> Self:
        """Add the sums of `other`, which must have as many bins; `other` is left as it is."""
        if other.bins != self.bins:
            raise ArcalError(
                f"cannot merge {other.bins} bins into {self.bins}: use one number of bins for all"
            )
        self.count += other.count
        self.confidence_sums += other.confidence_sums
        self.correct_sums += other.correct_sums
        return self

    @property
    def accuracy(self) -> Tensor:
        """acc(B_k) `(K,)` float64, nan where a bin is empty."""
        return self.correct_sums.double() / self.count

    @property
    def confidence(self) -> Tensor:
        """conf(B_k) `(K,)` float64, nan where a bin is empty."""
        return self.confidence_sums / self.count

    @property
    def ece(self) -> float:
        """Sum over k of |B_k|/N |acc(B_k) - conf(B_k)|, in [0, 1]. No input yet: `ArcalError`."""
        n = int(self.count.sum())
        if n == 0:
            raise ArcalError("the ECE of no inputs is undefined: pass at least one confidence")
        # |B_k| cancels: the gap of the sums has no division to round, and no empty bin to except.
        return ((self.correct_sums - self.confidence_sums).abs().sum() / n).item()


def ece(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Expected calibration error of confidences `(N,)` and booleans `(N,)`; see `Reliability`."""
    return Reliability(bins).update(confidence, correct).ece
