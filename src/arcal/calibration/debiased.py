"""Calibration errors with less bias, and the ECE that chance alone produces.

With few rows, the ECE is too large: chance alone opens gaps between accuracy and confidence. These
functions take the sums of a `Reliability` and estimate the binned error, in which P(B_k) is the
probability of bin k. Errors that cancel within a bin stay hidden, however many rows there are.
"""

import math

import torch
from torch import Tensor

from arcal.calibration._ece import NO_INPUTS, Reliability
from arcal.errors import ArcalError


def debiased_squared(reliability: Reliability) -> float:
    """Estimate of the squared (l2) calibration error sum_k P(B_k) (E[correct - conf | B_k])^2.

    sum_k |B_k|/N [(acc - conf)^2 - acc (1 - acc) / (|B_k| - 1)], in [-1/4, 1] (Kumar et al., 2019;
    Ferro and Fricker, 2012). It is often below 0 for a calibrated model, and not clipped, so that
    means over seeds or sets stay unbiased. If all confidences in a bin are equal, the estimate is
    unbiased; they differ by at most 1/K, and the bias is below 1/N. A bin with a single row has no
    variance to subtract and counts as 0, which lowers the estimate by at most 1/N. If no bin has
    two rows, `ArcalError` is raised.

    >>> from arcal.calibration import Reliability
    >>> confidence, correct = torch.full((4,), 0.75), torch.tensor([True, True, True, False])
    >>> debiased_squared(Reliability().update(confidence, correct))
    -0.0625
    """
    usable = reliability.count > 1
    if not usable.any():
        raise ArcalError("no bin has two rows: pass more inputs, or use fewer bins")
    n, accuracy = reliability.count[usable], reliability.accuracy[usable]
    gap = accuracy - reliability.confidence[usable]
    squared = gap.square() - accuracy * (1 - accuracy) / (n - 1)
    return ((n * squared).sum() / reliability.count.sum()).item()


def debiased_ece(reliability: Reliability) -> float:
    """The ECE with part of its bias removed: an estimate of sum_k P(B_k) |E[correct - conf | B_k]|.

    2 ECE - E[ECE], where the expectation takes the accuracy of bin k as normal with mean acc(B_k)
    and variance acc (1 - acc) / |B_k|: the parametric bootstrap of Kumar et al. (2019) in closed
    form, in [-.3, 1]. It is not unbiased, because the gaps it starts from are already too wide:
    for a calibrated model more than half of the bias remains, and hardly any where the gaps are far
    larger than chance. It can be below 0 and is not clipped. Without inputs `ArcalError` is raised.

    >>> from arcal.calibration import Reliability
    >>> confidence, correct = torch.full((4,), 0.75), torch.tensor([True, True, True, False])
    >>> round(debiased_ece(Reliability().update(confidence, correct)), 4)  # the ECE is 0
    -0.1727
    """
    n, gap, accuracy = _filled(reliability)
    deviation = (accuracy * (1 - accuracy) / n).sqrt()
    z = torch.where(deviation > 0, gap / deviation, math.inf)  # without variance |gap| is expected
    spread = deviation * math.sqrt(2 / math.pi) * (-z.square() / 2).exp()
    expected = spread + gap * torch.erf(z / math.sqrt(2))
    return 2 * reliability.ece - ((n * expected).sum() / n.sum()).item()


def ece_if_calibrated(reliability: Reliability) -> float:
    """The expected ECE of a perfectly calibrated model with these counts and confidences.

    An ECE that is no larger shows no miscalibration. The value is sum_k 1/N E|X_k - n p|, in
    [0, 1/2], with X_k binomial with n = |B_k| and p = conf(B_k), by de Moivre's formula. Because
    confidences within a bin differ, this is an upper bound, and a close one (Hoeffding, 1956). Do
    not subtract it from an ECE: the bias for a miscalibrated model is smaller. Without inputs
    `ArcalError` is raised.

    >>> from arcal.calibration import Reliability
    >>> confidence, correct = torch.full((2,), 0.5), torch.tensor([True, True])
    >>> round(ece_if_calibrated(Reliability().update(confidence, correct)), 6)  # 1/2 x 1/2
    0.25
    """
    n, _, _ = _filled(reliability)
    mean = reliability.confidence_sums[reliability.count > 0]
    above = mean.floor() + 1
    choose = torch.lgamma(n + 1) - torch.lgamma(above + 1) - torch.lgamma(n - above + 1)
    log = choose + torch.xlogy(above, mean / n) + torch.xlogy(n - above + 1, (n - mean) / n)
    return ((2 * above * log.exp()).sum() / n.sum()).item()


def _filled(reliability: Reliability) -> tuple[Tensor, Tensor, Tensor]:
    """|B_k| as float64, |acc - conf| and acc of the bins that are not empty."""
    filled = reliability.count > 0
    if not filled.any():
        raise ArcalError(NO_INPUTS)
    accuracy = reliability.accuracy[filled]
    gap = (accuracy - reliability.confidence[filled]).abs()
    return reliability.count[filled].double(), gap, accuracy
