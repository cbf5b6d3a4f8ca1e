"""Calibration errors with less bias, and the ECE that chance alone produces.

With few rows, the ECE is too large: chance alone opens gaps between accuracy and confidence. These
functions estimate the binned error, in which P(B_k) is the probability of bin k; a `Reliability`
has them as properties. Errors that cancel within a bin stay hidden, however many rows there are.
"""

from arcal.arrays import TensorLike
from arcal.calibration._reliability import Reliability
from arcal.calibration.checks import as_confidence


def debiased_squared(confidence: TensorLike, correct: TensorLike, bins: int = 15) -> float:
    """Estimate of the squared (l2) calibration error sum_k P(B_k) (E[correct - conf | B_k])^2.

    sum_k |B_k|/N [(acc - conf)^2 - acc (1 - acc) / (|B_k| - 1)], in [-1/4, 1] (Kumar et al., 2019;
    Ferro and Fricker, 2012). It is often below 0 for a calibrated model, and not clipped, so that
    means over seeds or sets stay unbiased. If all confidences in a bin are equal, the estimate is
    unbiased; they differ by at most 1/K, and the bias is below 1/N. A bin with a single row has no
    variance to subtract and counts as 0, which lowers the estimate by at most 1/N. If no bin has
    two rows, `ArcalError` is raised. Arguments are those of `ece`, without weights: the variance
    that is subtracted is that of a share of whole inputs.

    >>> debiased_squared([0.75] * 4, [True, True, True, False])
    -0.0625
    """
    return Reliability(bins).update(confidence, correct).debiased_squared


def debiased_ece(confidence: TensorLike, correct: TensorLike, bins: int = 15) -> float:
    """The ECE with part of its bias removed: an estimate of sum_k P(B_k) |E[correct - conf | B_k]|.

    2 ECE - E[ECE], where the expectation takes the accuracy of bin k as normal with mean acc(B_k)
    and variance acc (1 - acc) / |B_k|: the parametric bootstrap of Kumar et al. (2019) in closed
    form, in [-.3, 1]. It is not unbiased, because the gaps it starts from are already too wide:
    for a calibrated model more than half of the bias remains, and hardly any where the gaps are far
    larger than chance. It can be below 0 and is not clipped. Arguments and errors are those of
    `ece`, without weights, as in `debiased_squared`.

    >>> round(debiased_ece([0.75] * 4, [True, True, True, False]), 4)  # the ECE is 0
    -0.1727
    """
    return Reliability(bins).update(confidence, correct).debiased_ece


def ece_if_calibrated(confidence: TensorLike, bins: int = 15) -> float:
    """The expected ECE of a perfectly calibrated model with these counts and confidences.

    An ECE that is no larger shows no miscalibration. The value is sum_k 1/N E|X_k - n p|, in
    [0, 1/2], with X_k binomial with n = |B_k| and p = conf(B_k), by de Moivre's formula. Because
    confidences within a bin differ, this is an upper bound, and a close one (Hoeffding, 1956). Do
    not subtract it from an ECE: the bias for a miscalibrated model is smaller. It depends on the
    confidences alone; errors are those of `ece`.

    >>> round(ece_if_calibrated([0.5, 0.5]), 6)  # 1/2 x 1/2
    0.25
    """
    confidence = as_confidence(confidence)
    return Reliability(bins).update(confidence, confidence > 0).ece_if_calibrated
