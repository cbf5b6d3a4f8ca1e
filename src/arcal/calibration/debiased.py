"""What chance adds to a calibration error of few rows, and estimates without it.

All take the sums of a `Reliability` and are about the error between its bins, P(B_k) being the
chance of bin k: errors that cancel within a bin stay hidden, with few rows or many.
"""

import math

import torch
from torch import Tensor

from arcal.calibration._ece import Reliability
from arcal.errors import ArcalError


def debiased_squared(reliability: Reliability) -> float:
    """Estimate of sum_k P(B_k) (E[correct - confidence | B_k])^2: squared, l2, not the ECE's l1.

    Sum over k of |B_k|/N [(acc - conf)^2 - acc (1 - acc) / (|B_k| - 1)], in [-1/4, 1] (Kumar et
    al., 2019; Ferro and Fricker, 2012): often below 0 if nothing is wrong, and not clipped, so that
    means over seeds or sets stay right. It is unbiased if the confidences of a bin are equal; as
    they differ, by 1/K at most, its bias is below 1/N. A bin of one row shows no variance to
    subtract and counts as 0, which is too little by at most 1/N. If no bin holds two rows,
    `ArcalError`.
    """
    several = reliability.count > 1
    if not several.any():
        raise ArcalError("no bin holds two rows: pass more inputs, or use fewer bins")
    n, accuracy = reliability.count[several], reliability.accuracy[several]
    gap = accuracy - reliability.confidence[several]
    squared = gap.square() - accuracy * (1 - accuracy) / (n - 1)
    return ((n * squared).sum() / reliability.count.sum()).item()


def debiased_ece(reliability: Reliability) -> float:
    """Estimate of sum_k P(B_k) |E[correct - confidence | B_k]|, in [-.3, 1]: the ECE, less bias.

    2 ECE - E[ECE if bin k's accuracy were normal around acc(B_k), of variance acc (1 - acc)/|B_k|]:
    the parametric bootstrap of Kumar et al. (2019), its expectation in closed form. Not unbiased:
    the gaps that it starts from are too wide already, so more than half of the bias stays where a
    model is calibrated, and hardly any where its gaps stand out from chance. It can be below 0 and
    is not clipped. No input yet: `ArcalError`.
    """
    n, gap, accuracy = _filled(reliability)
    deviation = (accuracy * (1 - accuracy) / n).sqrt()
    z = torch.where(deviation > 0, gap / deviation, math.inf)  # nothing varies: |gap| as it is
    spread = deviation * math.sqrt(2 / math.pi) * (-z.square() / 2).exp()
    expected = spread + gap * torch.erf(z / math.sqrt(2))
    return 2 * reliability.ece - ((n * expected).sum() / n.sum()).item()


def ece_if_calibrated(reliability: Reliability) -> float:
    """The ECE to expect of a perfectly calibrated model with these counts and confidences.

    The floor below which an ECE of N rows says nothing, in [0, 1/2]. Sum over k of 1/N E|X_k - n p|
    with X_k binomial of n = |B_k| rows and p = conf(B_k), by de Moivre's formula. As confidences
    differ within a bin it is an upper bound, a close one (Hoeffding, 1956). It is not a bias to
    subtract: that of a miscalibrated model is smaller. No input yet: `ArcalError`.
    """
    n, _, _ = _filled(reliability)
    mean = reliability.confidence_sums[reliability.count > 0]
    above = mean.floor() + 1
    choose = torch.lgamma(n + 1) - torch.lgamma(above + 1) - torch.lgamma(n - above + 1)
    log = choose + torch.xlogy(above, mean / n) + torch.xlogy(n - above + 1, (n - mean) / n)
    return ((2 * above * log.exp()).sum() / n.sum()).item()


def _filled(reliability: Reliability) -> tuple[Tensor, Tensor, Tensor]:
    """|B_k| as float64, |acc - conf| and acc of the bins that hold anything."""
    filled = reliability.count > 0
    if not filled.any():
        raise ArcalError("the ECE of no inputs is undefined: pass at least one confidence")
    accuracy = reliability.accuracy[filled]
    gap = (accuracy - reliability.confidence[filled]).abs()
    return reliability.count[filled].double(), gap, accuracy
