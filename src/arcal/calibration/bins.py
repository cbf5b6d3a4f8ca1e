"""The bin of a confidence, and which confidences are equal up to rounding."""

import torch
from torch import Tensor

from arcal.calibration.checks import check_bins

ROUNDING = 2.0**-46
"""The most that a confidence such as 0.6 may be off after a logarithm and its exponential."""


def bin_of(confidence: Tensor, bins: int) -> Tensor:
    """The bin, 0 .. bins-1, of float64 confidences: (k/bins, (k+1)/bins] is bin k, 0 in bin 0.

    A confidence that is above an edge by no more than `ROUNDING` is on it.
    """
    check_bins(bins)
    inner_edges = torch.arange(1, bins, dtype=torch.float64, device="cpu") / bins + ROUNDING
    # an edge belongs to the bin below it; torch warns about tensors that are not contiguous
    return torch.bucketize(confidence.contiguous(), inner_edges, right=False)


def differ(ordered: Tensor) -> Tensor:
    """Whether each ordered confidence but the first differs from the one before it.

    Confidences within a relative `ROUNDING` count as equal: those of equal inputs may differ so
    much.
    """
    return ~torch.isclose(ordered[1:], ordered[:-1], rtol=ROUNDING, atol=0)
