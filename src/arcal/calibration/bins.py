"""Which bin a confidence is in, and which confidences are one, whatever rounding did to them."""

import torch
from torch import Tensor

from arcal.calibration.checks import check_bins

ROUNDING = 2.0**-46
"""How far off a confidence such as 0.6 may be after a logarithm and its exponential."""


def bin_of(confidence: Tensor, bins: int) -> Tensor:
    """The bin, 0 .. bins-1, of float64 confidences: (k/bins, (k+1)/bins] is bin k, 0 in bin 0.

    One that `ROUNDING` may have taken across an edge is on it.
    """
    check_bins(bins)
    inner_edges = torch.arange(1, bins, dtype=torch.float64, device="cpu") / bins + ROUNDING
    # an edge is in the bin below it; torch warns of what is not contiguous
    return torch.bucketize(confidence.contiguous(), inner_edges, right=False)


def differ(ordered: Tensor) -> Tensor:
    """Whether each ordered confidence but the first differs from the one before it.

    Confidences of equal inputs may be apart by rounding, a share of `ROUNDING`.
    """
    return ~torch.isclose(ordered[1:], ordered[:-1], rtol=ROUNDING, atol=0)
