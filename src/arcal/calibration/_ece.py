"""Expected calibration error (section 3): over bins of equal width, and of equal mass."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration._reliability import NO_INPUTS, Reliability
from arcal.calibration.bins import bin_of, differ
from arcal.calibration.checks import (
    as_classes,
    as_confidence,
    as_correct,
    as_probabilities,
    as_weights,
    check_bins,
)
from arcal.errors import ArcalError


def confidence_and_correct(probabilities: TensorLike, labels: TensorLike) -> tuple[Tensor, Tensor]:
    """The confidence `(N,)` float64 of each prediction, and whether it is correct, `(N,)` bool.

    The predicted class has the largest of the `probabilities` `(N, Z)`, the first of equal ones;
    the confidence is that probability. `labels` `(N,)` are integers in 0 .. Z-1. Rows that do not
    sum to 1, or labels out of range, raise `ArcalError`.

    >>> probabilities = torch.tensor([[0.75, 0.25], [0.125, 0.875]])
    >>> confidence, correct = confidence_and_correct(probabilities, torch.tensor([1, 1]))
    >>> confidence
    tensor([0.7500, 0.8750], dtype=torch.float64)
    >>> correct
    tensor([False,  True])
    """
    probabilities = as_probabilities(probabilities)
    N, Z = probabilities.shape
    labels = as_classes(labels, N, Z)
    prediction = probabilities.argmax(1)
    confidence = probabilities.gather(1, prediction[:, None])[:, 0]
    return confidence, prediction == labels


def ece(
    confidence: TensorLike,
    correct: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
) -> float:
    """Expected calibration error, in [0, 1] (section 3): sum_k |B_k|/N |acc(B_k) - conf(B_k)|.

    `confidence` `(N,)` is in [0, 1] and `correct` `(N,)` bool; N is at least 1. With `weights`
    `(N,)`, 0 or more, it is sum_k |sum_i w_i (correct_i - confidence_i)| / sum w, with the inner
    sum over bin k. Bins and errors are those of `Reliability`.

    >>> ece(torch.tensor([0.875, 0.875]), torch.tensor([True, False]))
    0.375
    """
    if weights is None:
        return Reliability(bins).update(confidence, correct).ece
    whole, gap = _weighted_sums(confidence, correct, bins, weights)
    return (gap.abs().sum() / whole.sum()).item()


def rmsce(
    confidence: TensorLike,
    correct: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
) -> float:
    """Root mean square calibration error (Hendrycks et al., 2019) over bins of equal width.

    The root of sum_k |B_k|/N (acc(B_k) - conf(B_k))^2, in [0, 1] and never below the ECE. With
    `weights` sums and means are weighted. Arguments and errors are those of `ece`;
    `debiased_squared` estimates its square without the bias.

    >>> rmsce(torch.tensor([0.875, 0.875]), torch.tensor([True, False]))
    0.375
    """
    whole, gap = _weighted_sums(confidence, correct, bins, weights)
    squares = gap.square() / whole.where(whole > 0, 1)
    return (squares.sum() / whole.sum()).sqrt().item()


def mce(
    confidence: TensorLike,
    correct: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
) -> float:
    """Maximum calibration error (Naeini et al., 2015) over bins of equal width.

    The largest |acc(B_k) - conf(B_k)| over the bins that are not empty, in [0, 1]; with `weights`
    means are weighted, and a bin without weight is empty. A bin with one input has a gap of up to
    1, so the MCE says little if some bins have few inputs. Arguments and errors are those of `ece`.

    >>> mce(torch.tensor([0.875, 0.5]), torch.tensor([True, True]))
    0.5
    """
    whole, gap = _weighted_sums(confidence, correct, bins, weights)
    return (gap.abs() / whole.where(whole > 0, 1)).max().item()


def _weighted_sums(
    confidence: TensorLike, correct: TensorLike, bins: int, weights: TensorLike | None
) -> tuple[Tensor, Tensor]:
    """The weight of each bin, and the weighted sum of correct - confidence in it, `(K,)`."""
    check_bins(bins)
    confidence = as_confidence(confidence)
    correct = as_correct(correct, len(confidence))
    w = as_weights(weights, len(confidence))
    if not len(w):
        raise ArcalError(NO_INPUTS)
    k, gap = bin_of(confidence, bins), w * (correct.double() - confidence)
    whole, sums = (torch.bincount(k, weights=one, minlength=bins) for one in (w, gap))
    return whole, sums


def equal_mass_ece(
    confidence: TensorLike,
    correct: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
) -> float:
    """Expected calibration error over bins with equally many rows (Nguyen and O'Connor, 2015).

    sum_k 1/K |acc(B_k) - conf(B_k)| over K = `bins` bins, in [0, 1]; O(N) memory. `confidence`
    `(N,)` and `correct` `(N,)` are those of `ece`, but must hold all inputs at once, because the
    edges of the bins depend on all of them. In order of confidence, each bin gets exactly N/K rows;
    if K does not divide N, a row on an edge is split between two bins in proportion. Rows whose
    confidences are equal up to rounding form one block with their mean accuracy, which is split in
    the same way. So the order of the rows does not matter, and repeating every row does not change
    the result. With `weights` `(N,)`, 0 or more, each bin gets 1/K of the weight. No inputs, or
    fewer than one bin, raise `ArcalError`.

    >>> confidence = torch.tensor([0.5, 0.5, 0.75, 0.875])
    >>> equal_mass_ece(confidence, torch.tensor([True, False, True, False]), bins=2)
    0.15625
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    correct = as_correct(correct, N)
    if N == 0:
        raise ArcalError(NO_INPUTS)
    check_bins(bins)
    w = as_weights(weights, N)
    confidence, correct, w = (one[w > 0] for one in (confidence, correct, w))
    confidence, order = confidence.sort()
    last = F.pad(differ(confidence), (0, 1), value=True)  # the last row of each block
    correct, w = correct[order], w[order]
    ends = F.pad(w.cumsum(0)[last], (1, 0))
    gap = F.pad(((w * correct).cumsum(0) - (w * confidence).cumsum(0))[last], (1, 0))
    whole = ends[-1].item()
    edges = torch.arange(bins + 1, dtype=torch.float64, device="cpu") * whole / bins
    return float(np.abs(np.diff(np.interp(edges, ends, gap))).sum() / whole)
