"""Expected calibration error over bins of equal mass (adaptive ECE)."""

import numpy as np
import torch
import torch.nn.functional as F

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_confidence, as_correct
from arcal.errors import ArcalError


def equal_mass_ece(confidence: TensorLike, correct: TensorLike, bins: int = 15) -> float:
    """Expected calibration error over bins with equally many rows (Nguyen and O'Connor, 2015).

    sum_k 1/K |acc(B_k) - conf(B_k)| over K = `bins` bins, in [0, 1]; O(N) memory. `confidence`
    `(N,)` and `correct` `(N,)` are those of `ece`, but of all inputs at once, because the edges of
    the bins depend on all of them. Sorted by confidence, each bin gets exactly N/K rows; where K
    does not divide N, a row on an edge is shared between two bins in proportion. Rows of equal
    confidence count as one block with their mean accuracy, and the block is shared in the same way:
    so the order of the rows does not matter, and repeating every row does not change the result.
    No inputs, or fewer than one bin, raise `ArcalError`.

    >>> confidence = torch.tensor([0.5, 0.5, 0.75, 0.875])
    >>> equal_mass_ece(confidence, torch.tensor([True, False, True, False]), bins=2)
    0.15625
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    correct = as_correct(correct, N)
    if N == 0:
        raise ArcalError("the ECE of no inputs is undefined: pass at least one confidence")
    if bins < 1:
        raise ArcalError(f"bins must be at least 1, not {bins}: the usual number is 15")
    confidence, order = confidence.sort()
    last = F.pad(confidence.diff() > 0, (0, 1), value=True)  # the last row of each block
    ends = F.pad(last.nonzero()[:, 0] + 1, (1, 0))
    gap = F.pad((correct[order].cumsum(0) - confidence.cumsum(0))[last], (1, 0))
    edges = torch.arange(bins + 1, dtype=torch.float64) * N / bins
    return float(np.abs(np.diff(np.interp(edges, ends, gap))).sum() / N)
