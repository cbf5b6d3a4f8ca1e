"""Weighted means over inputs, and how weights widen an interval."""

from scipy.special import stdtrit
from torch import Tensor

from arcal.calibration.clusters import Clusters, variances


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum_i w_i v_i / sum_i w_i of values `(N,)`, or of each column `(N, F)`.

    >>> import torch
    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))
    tensor(2.)
    """
    w = weights if values.ndim == 1 else weights[:, None]
    return (w * values).sum(0) / weights.sum()


def weighted_deviation(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted standard deviation: the root of the weighted mean squared deviation.

    >>> import torch
    >>> weighted_deviation(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 1.0]))
    tensor(1.5000)
    """
    if (weights == 1).all():  # exactly torch's result
        return values.std(0, correction=0)
    return weighted_mean((values - weighted_mean(values, weights)).square(), weights).sqrt()


def effective_number(weights: Tensor, clusters: Clusters | None = None) -> float:
    """The effective number (sum w)^2 / sum w^2 (Kish, 1965): N if all inputs weigh the same.

    `weights` `(N,)` are floats, 0 or more and not all 0. With `clusters` it is
    (sum w)^2 / sum v_g, with v_g from `Clusters.sizes`.

    >>> import torch
    >>> effective_number(torch.tensor([1.0, 1.0, 1.0, 0.0])), effective_number(torch.ones(4))
    (3.0, 4.0)
    """
    return (weights.sum().square() / variances(weights, clusters).sum()).item()


def widening(weights: Tensor, clusters: Clusters | None = None) -> float:
    """The factor by which unequal `weights` `(N,)`, or few `clusters`, widen an interval.

    The variance of a weighted mean is estimated from the squares of w times a residual. If a few
    inputs have most of the weight, a few squares decide, and the estimate is only as good as that
    from n inputs of equal weight, with

        n = (sum w^2)^2 / sum w^4

    (Satterthwaite, 1946). So the factor is t(n) / t(N), with t the 97.5 % quantile of Student's t,
    as in Korn and Graubard (1998) for a share. It is 1 for equal weights, and inputs without weight
    do not count in N. With clusters, w^2 is the variance `Clusters.sizes` that a cluster adds.

    >>> import torch
    >>> widening(torch.full((100,), 7.0)), widening(torch.tensor([1.0] * 100 + [0.0] * 900))
    (1.0, 1.0)
    >>> round(widening(torch.tensor([1.0] * 392 + [50.0] * 8)), 3)
    1.165
    """
    w = weights.double() / weights.max()
    square = variances(w, clusters)
    N, n = int((weights > 0).sum()), (square.sum().square() / square.square().sum()).item()
    return float(stdtrit(n, 0.975) / stdtrit(N, 0.975)) if n < (1 - 1e-9) * N else 1.0
