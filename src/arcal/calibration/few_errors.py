"""Intervals of means that rest on few errors, such as a log-loss or its change."""

import math

import torch
from scipy.special import gammaincinv
from torch import Tensor

from arcal.calibration.clusters import Clusters, summed, variances

ENOUGH = 100
"""With this many errors a bootstrap or normal interval needs no allowance for errors not seen."""

SCARCE = 20
"""With at most this many errors, one more may be at any input, drawn at random from all."""


def errors_of(
    correct: Tensor, weights: Tensor | None = None, clusters: Clusters | None = None
) -> float:
    """How many inputs are wrong, or their effective number if they are weighted.

    With `weights` `(N,)`, 0 or more, and E the sum over inputs that are wrong, this is the smaller
    of two numbers. (E w)^2 / E w^2 is small if a few heavy errors dominate, however many others
    there are. E w / m, with m = sum w^2 / sum w the mean weight of an input drawn by weight, is
    small if the errors are light: they do not show how often heavy inputs are wrong. With
    `clusters` the errors of one cluster count as one heavy error, and w^2 as in `Clusters.sizes`.

    >>> correct = torch.tensor([False, False, True])
    >>> errors_of(correct), errors_of(correct, torch.tensor([1.0, 3.0, 1.0]))
    (2.0, 1.6)
    >>> round(errors_of(correct, torch.tensor([1.0, 1.0, 10.0])), 2)
    0.24
    """
    w = (torch.ones_like(correct) if weights is None else weights).double()
    wrong = w * ~correct
    E, squares = wrong.sum(), summed(wrong, clusters).square().sum()
    seen, light = E.square() / squares, E * w.sum() / variances(w, clusters).sum()
    return min(one.nan_to_num(0).item() for one in (seen, light))


def few_errors_interval(
    values: Tensor,
    flipped: Tensor,
    wrong: Tensor,
    *,
    weights: Tensor,
    chance: Tensor | None = None,
    variance: float | None = None,
    clusters: Clusters | None = None,
) -> tuple[float, float]:
    """The ends of a 95 % interval of the mean of `values` that allows for errors not seen.

    A mean that rests on few errors is treated as a sum of Poisson counts, each times a value of its
    own. With y the mean of the values of one sign, v its variance, and G(q; y, v) the quantile of
    the gamma distribution with this mean and variance,

        low = G(0.025; y, v),   high = G(0.975; y + m, v + m2)

    as if there had been one more error, of mean cost m and mean squared cost m2 (Fay and Feuer,
    1997; Tiwari, Clegg and Zou, 2006). An error costs the `flipped` value of its input, the value
    with another label. Each of m and m2 is the larger of two means over inputs. One draws inputs by
    weight and by the model's own `chance` of being wrong. The other draws them by weight alone,
    which costs more where the model is sure, and is multiplied by (20 / E)^2 if there are E > 20
    errors: these show by themselves what errors cost. E is `errors_of`, by the weights or by their
    squares, which variances depend on, whichever is less.

    The positive and the negative part of a difference each have such an interval, and the distances
    to their ends are combined as the root of a sum of squares (MOVER: Zou and Donner, 2008).

    All are `(N,)`: `wrong` bool, the others float64, `weights` with a sum above 0. `variance` is
    that of the mean, needed if the values are not independent. With `clusters` it is that of sums
    over clusters, and one more error is as many as come together: sum v_g / sum w^2, with v_g from
    `Clusters.sizes`.

    >>> wrong = torch.arange(1000) < 3  # of which Clopper and Pearson say .0006 to .0087
    >>> one = torch.ones(1000, dtype=torch.float64)
    >>> low, high = few_errors_interval(wrong.double(), one, wrong, weights=one)
    >>> round(low, 4), round(high, 4)
    (0.0006, 0.0088)
    """
    there = weights > 0
    values, flipped = (one.where(there, 0) for one in (values, flipped))  # 0 x inf is nan
    w = weights / weights.sum()
    mean = (w * values).sum()
    together = (variances(w, clusters).sum() / w.square().sum()).item()
    if variance is None:
        variance = summed(w * (values - mean), clusters).square().sum().item()
    square = (w * values).square().sum().item()
    scale = variance / square if square > 0 else 0.0
    E, by_squares = (errors_of(~wrong, one, clusters) for one in (w, w.square()))
    E = by_squares if by_squares < (1 - 1e-9) * E else E  # E for equal weights
    anywhere = min(1.0, SCARCE / max(E, 1)) ** 2

    def beyond(sign: int) -> tuple[float, float]:
        """How far the part of one sign may be below and above its value."""
        part, unseen = ((sign * w * one).clamp(min=0) for one in (values, flipped))
        y, v = part.sum().item(), scale * part.square().sum().item()
        unseen = together * unseen
        m, m2 = (anywhere * (w * power).sum().item() for power in (unseen, unseen.square()))
        if chance is not None and (likely := chance * w * (unseen > 0)).any():
            likely = likely / likely.sum()
            m = max(m, (likely * unseen).sum().item())
            m2 = max(m2, (likely * unseen.square()).sum().item())
        return y - _quantile(0.025, y, v), _quantile(0.975, y + m, v + m2) - y

    (fall, rise), (other_fall, other_rise) = beyond(1), beyond(-1)
    return mean.item() - math.hypot(fall, other_rise), mean.item() + math.hypot(rise, other_fall)


def _quantile(q: float, y: float, v: float) -> float:
    """The quantile of a gamma distribution of mean y and variance v."""
    return float(gammaincinv(y * y / v, q)) * v / y if v > 0 else y
