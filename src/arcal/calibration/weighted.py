"""Weighted means over inputs, and how weights widen an interval."""

import torch
from scipy.special import stdtrit
from torch import Tensor

from arcal.calibration.clusters import Clusters, variances


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum_i w_i v_i / sum_i w_i of values `(N,)`, or of each column `(N, F)`.

    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))
    tensor(2.)
    """
    w = weights if values.ndim == 1 else weights[:, None]
    return (w * values).sum(0) / weights.sum()


def weighted_deviation(values: Tensor, weights: Tensor) -> Tensor:
    """The weighted standard deviation: the root of the weighted mean squared deviation.

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

    >>> effective_number(torch.tensor([1.0, 1.0, 1.0, 0.0])), effective_number(torch.ones(4))
    (3.0, 4.0)
    """
    return (weights.sum().square() / variances(weights, clusters).sum()).item()


def effective_of(
    weights: Tensor,
    confidence: Tensor,
    correct: Tensor | None = None,
    clusters: Clusters | None = None,
) -> float:
    """`effective_numbers` of all inputs together.

    >>> w, sure = torch.tensor([10.0] * 10 + [1.0] * 90), torch.full((100,), 0.9)
    >>> correct = torch.arange(100) % 2 > 0
    >>> correct[10:] |= torch.arange(90) % 5 > 0  # half of those that weigh much, and 9 of 10
    >>> [round(effective_of(w, sure, *one), 1) for one in ((), (correct,))]
    [33.1, 25.9]
    """
    everything = torch.zeros(len(weights), dtype=torch.int64, device="cpu")
    return effective_numbers(weights, confidence, everything, 1, correct, clusters).item()


def effective_numbers(
    weights: Tensor,
    confidence: Tensor,
    groups: Tensor,
    G: int,
    correct: Tensor | None = None,
    clusters: Clusters | None = None,
) -> Tensor:
    """How many equally weighted inputs would show each of G groups' accuracy as well, `(G,)`.

    This is the effective number, unless the heaviest inputs are the least sure. Then it is the n at
    which the accuracy has the variance of a calibrated model's weighted accuracy (as in Korn and
    Graubard, 1998):

        m (1 - m) / n = sum w^2 c (1 - c) / (sum w)^2    with m = sum w c / sum w

    A model may be sure where it should not be. So if `correct` bool `(N,)` is given, the number is
    at most the n at which the accuracy a has the variance that the errors show:

        a (1 - a) / n = sum w^2 (correct - a)^2 / (sum w)^2

    With `clusters` each sum of squares, such as sum (w q)^2 with q^2 = c (1 - c), is that of inputs
    whose errors come together,

        (1 - rho) sum_i (w_i q_i)^2 + rho sum_g (sum_{i in g} w_i q_i)^2

    with rho = `clusters.alike`, and the last one, which errors show, has rho = 1.

    `weights` and `confidence` c are float64 `(N,)`, `groups` int64 `(N,)` 0 .. G-1. An empty group,
    or one without weight, has 0.
    """

    def sums(values: Tensor) -> Tensor:
        return torch.bincount(groups, weights=values, minlength=G)

    def fewer(n: Tensor, telling: Tensor) -> Tensor:
        """`telling` where it is lower by more than rounding; n where there is no variance."""
        return torch.where(telling < (1 - 1e-9) * n, telling, n)

    alike, by_cell = 0.0, None
    if clusters is not None:  # a cell is what a group has of a cluster
        alike, by_cell = clusters.alike, (groups + G * clusters.number).unique(return_inverse=True)

    def squares(values: Tensor, alike: float) -> Tensor:
        own = sums(values.square())
        if by_cell is None:
            return own
        cells, cell = by_cell
        together = torch.bincount(cell, weights=values).square()
        return (1 - alike) * own + alike * torch.bincount(cells % G, weights=together, minlength=G)

    confidence = confidence.clamp(max=1)  # rounding may exceed 1
    whole = sums(weights)
    variance = squares(weights * (confidence * (1 - confidence)).sqrt(), alike)
    n = whole.square() / squares(weights, alike)
    sure, unsure = sums(weights * confidence), sums(weights * (1 - confidence))
    n = fewer(n, sure * unsure / variance)  # 1 - m would round to 0 where all are sure
    if correct is not None:
        right, wrong = sums(weights * correct), sums(weights * ~correct)
        a = right / whole
        shown = squares(weights * (correct.double() - a[groups]), 1.0)
        n = fewer(n, right * wrong / shown)
    return n.nan_to_num(0)


def widening(weights: Tensor, clusters: Clusters | None = None) -> float:
    """The factor by which unequal `weights` `(N,)`, or few `clusters`, widen an interval.

    The variance of a weighted mean is estimated from the squares of w times a residual. If a few
    inputs have most of the weight, a few squares decide, and the estimate is only as good as that
    from n inputs of equal weight, with

        n = (sum w^2)^2 / sum w^4

    (Satterthwaite, 1946). So the factor is t(n) / t(N), with t the 97.5 % quantile of Student's t,
    as in Korn and Graubard (1998) for a share. It is 1 for equal weights, and inputs without weight
    do not count in N. With clusters, w^2 is the variance `Clusters.sizes` that a cluster adds.

    >>> widening(torch.full((100,), 7.0)), widening(torch.tensor([1.0] * 100 + [0.0] * 900))
    (1.0, 1.0)
    >>> round(widening(torch.tensor([1.0] * 392 + [50.0] * 8)), 3)
    1.165
    """
    w = weights.double() / weights.max()
    square = variances(w, clusters)
    N, n = int((weights > 0).sum()), (square.sum().square() / square.square().sum()).item()
    return float(stdtrit(n, 0.975) / stdtrit(N, 0.975)) if n < (1 - 1e-9) * N else 1.0
