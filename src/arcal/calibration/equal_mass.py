"""Expected calibration error over bins of equal mass (adaptive ECE)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.calibration._checks import as_confidence, as_correct
from arcal.errors import ArcalError


def equal_mass_ece(confidence: Tensor, correct: Tensor, bins: int = 15) -> float:
    """Sum over K = `bins` bins of 1/K |acc(B_k) - conf(B_k)|, in [0, 1]; O(N) memory.

    `confidence` `(N,)` and `correct` `(N,)` as for `ece`, but all at once: where the bins end is
    not known before all confidences are. In order of confidence, every bin gets N/K rows exactly
    (Nguyen and O'Connor, 2015). A row on a cut is divided in proportion, which is what happens
    where K does not divide N or exceeds it. Rows of equal confidence are one mass, all with the
    mass's mean accuracy, and divided in the same way; so no bit depends on the order of the rows,
    and every row twice gives the same figure. No inputs raise `ArcalError`.
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    correct = as_correct(correct, N)
    if N == 0:
        raise ArcalError("the ECE of no inputs is undefined: pass at least one confidence")
    if bins < 1:
        raise ArcalError(f"bins must be at least 1, not {bins}: the usual number is 15")
    confidence, order = confidence.sort()
    last = F.pad(confidence.diff() > 0, (0, 1), value=True)  # of the rows of equal confidence
    ends = F.pad(last.nonzero()[:, 0] + 1, (1, 0))
    gap = F.pad((correct[order].cumsum(0) - confidence.cumsum(0))[last], (1, 0))
    cuts = torch.arange(bins + 1, dtype=torch.float64) * N / bins
    return float(np.abs(np.diff(np.interp(cuts, ends, gap))).sum() / N)
