"""Robust accuracy: the share of predictions that are right and stay so within a radius."""

from dataclasses import dataclass
from numbers import Integral

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import TensorLike, as_float64
from arcal.calibration.checks import as_correct, as_scores, as_weights
from arcal.calibration.clusters import as_numbers, design_effect
from arcal.calibration.intervals import exact_interval
from arcal.calibration.weighted import effective_number, weighted_mean
from arcal.errors import ArcalError


@dataclass(frozen=True)
class RobustAccuracy:
    """The share of N inputs that are right and whose distance is above each of R radii.

    `radii`, `accuracy`, the ends `low` and `high` of its exact 95 % interval, and the number `n` of
    independent inputs of equal weight that show it as well are float64 `(R,)`. `without_distance`
    inputs are right but have no distance because the attack failed. They are counted at every
    radius, even if the attack only failed for lack of gradients.

    >>> curve = robust_accuracy(torch.tensor([0.1, 0.3]), torch.tensor([True, True]))
    >>> curve.accuracy, curve.low
    (tensor([1.0000, 0.5000, 0.0000], dtype=torch.float64), tensor([0.1581, 0.0126, 0.0000], ...
    """

    radii: Tensor
    accuracy: Tensor
    low: Tensor
    high: Tensor
    n: Tensor
    without_distance: int = 0


def robust_accuracy(
    robustness: TensorLike,
    correct: TensorLike,
    radii: TensorLike | float | None = None,
    *,
    points: int | None = None,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
) -> RobustAccuracy:
    """The curve of robust accuracy over `radii` `(R,)`, or at one radius.

    `robustness` `(N,)` are distances, +inf where an attack found nothing, and `correct` bool `(N,)`
    says which predictions are right. At radius 0 the curve is the accuracy. An attack's distances
    are upper bounds, so the curve is one too: a better attack may lower it, and the interval only
    accounts for the random draw of inputs. By default `radii` are 0 and the distances of the inputs
    that are right, in ascending order, so that the curve has all its steps, or `points` of them.

    With `weights` `(N,)`, 0 or more, shares are those of the weight; `clusters` int64 `(N,)` are
    the numbers of inputs that belong together, and whose errors may come together. Intervals are
    then exact intervals of the effective number of inputs n: if s_i is 1 for an input that counts
    and a the accuracy, it is at most that of the weights, and that which the deviations show,

        n = min((sum w)^2 / sum w^2 / d, a (1 - a) (sum w)^2 / (d sum w^2 (s - a)^2))

    with d the `arcal.calibration.clusters.design_effect` of s.

    Distances that are NaN or negative, different lengths, and no inputs raise `ArcalError`.

    >>> robustness = torch.tensor([0.1, 0.3, 0.2, torch.inf])
    >>> correct = torch.tensor([True, True, False, True])
    >>> robust_accuracy(robustness, correct, torch.tensor([0.0, 0.2, 0.5])).accuracy
    tensor([0.7500, 0.5000, 0.2500], dtype=torch.float64)
    >>> robust_accuracy(robustness, correct, 0.2).accuracy
    tensor([0.5000], dtype=torch.float64)
    """
    distance = as_scores(robustness, "robustness")
    right = as_correct(correct, len(distance))
    if len(distance) == 0 or not (distance >= 0).all():
        raise ArcalError("distances of at least one input are needed, from 0 to +inf")
    w = as_weights(weights, len(distance))
    number = None if clusters is None else as_numbers(clusters, len(distance))
    known, order = distance[right].sort()
    radii = _steps(known, points) if radii is None else as_float64(radii, "radii")
    radii = radii[None] if radii.ndim == 0 else radii
    if radii.ndim != 1 or not (radii >= 0).all():
        raise ArcalError(f"radii are {tuple(radii.shape)}: give (R,), each 0 or more")
    lost = torch.searchsorted(known, radii.contiguous(), right=True)
    lost = torch.where(radii == 0, 0, lost)
    left = F.pad(w[right][order].flip(0).cumsum(0).flip(0), (0, 1))[lost]
    n = torch.full_like(radii, len(distance))
    if weights is not None or number is not None:
        stays = ((right & ((distance > r) | (r == 0))).double() for r in radii)
        numbers = [_effective_number(one, w, number) for one in stays]
        n = torch.tensor(numbers, dtype=torch.float64, device="cpu")
    accuracy = (left / w.sum()).clamp(max=1)
    low, high = exact_interval((left * (n / w.sum())).minimum(n), n)
    return RobustAccuracy(radii, accuracy, low, high, n, int(known.isinf().sum()))


def _steps(known: Tensor, points: int | None) -> Tensor:
    """0 and the distances of the right inputs, or `points` of these radii, equal steps apart."""
    if points is not None and (not isinstance(points, Integral) or points < 1):
        raise ArcalError(f"points must be a whole number, 1 or more, not {points}")
    steps = torch.cat([known.new_zeros(1), known[known.isfinite()]]).unique()
    if points is None or points >= len(steps):
        return steps
    return steps[torch.linspace(0, len(steps) - 1, points, device="cpu").round().long()]


def _effective_number(stays: Tensor, w: Tensor, number: Tensor | None) -> float:
    """How many independent inputs of equal weight show the weighted share of `stays` as well."""
    n = effective_number(w)
    d = 1.0 if number is None else design_effect(stays, w, number)
    a = weighted_mean(stays, w)
    shown = (w * (stays - a)).square().sum() / w.sum().square()
    least = (a * (1 - a) / shown).item() if 0 < a < 1 else n
    return min(n, least) / d
