"""Two methods over the same seeds: how much a figure differs, and whether by chance."""

import math

import torch
from scipy.special import stdtr, stdtrit

ROUNDING = 1e-12
"""Differences no farther apart count as equal: figures are sums of up to millions of numbers."""


def paired_t(differences: torch.Tensor) -> tuple[float, float, float, float]:
    """The mean of differences `(n,)`, the ends of its 95 % interval, and the two-sided p-value.

    If all differences are the same, up to rounding, they do not show how much they vary; this is
    common for two or three accuracies on the same few inputs. The ends are then nan, and the
    p-value is that of the sign test, 2^(1 - n). If all are 0, so are the ends, and the p-value is
    1.

    >>> [round(x, 3) for x in paired_t(torch.tensor([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484, 0.074]
    >>> paired_t(torch.tensor([0.5, 0.5, 0.5]))
    (0.5, nan, nan, 0.25)
    """
    n, d = len(differences), differences.double()
    mean = float(d.mean())
    if float(d.max() - d.min()) <= ROUNDING:
        if abs(mean) <= ROUNDING:
            return 0.0, 0.0, 0.0, 1.0
        return mean, math.nan, math.nan, 2.0 ** (1 - n)
    error = float(d.std(correction=1)) / n**0.5
    half = float(stdtrit(n - 1, 0.975)) * error
    return mean, mean - half, mean + half, float(2 * stdtr(n - 1, -abs(mean) / error))
