"""Robust accuracy: the share of predictions that are right and stay so within a radius."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_float64
from arcal.calibration.checks import as_correct, as_scores
from arcal.calibration.intervals import clopper_pearson
from arcal.errors import ArcalError


@dataclass(frozen=True)
class RobustAccuracy:
    """The share of N inputs that are right and whose distance is above each of R radii.

    `radii`, `accuracy` and the ends `low` and `high` of its exact 95 % interval are float64 `(R,)`.
    `without_distance` inputs are right but have no distance because the attack failed. They are
    counted at every radius, even if the attack only failed for lack of gradients.

    >>> curve = robust_accuracy(torch.tensor([0.1, 0.3]), torch.tensor([True, True]))
    >>> curve.N, curve.accuracy, curve.low
    (2, tensor([1.0000, 0.5000, 0.0000], dtype=torch.float64), tensor([0.1581, 0.0126, 0.0000], ...
    """

    radii: Tensor
    accuracy: Tensor
    low: Tensor
    high: Tensor
    N: int
    without_distance: int = 0


def robust_accuracy(
    robustness: TensorLike, correct: TensorLike, radii: TensorLike | None = None
) -> RobustAccuracy:
    """The curve of robust accuracy over `radii` `(R,)`.

    `robustness` `(N,)` are distances, +inf where an attack found nothing, and `correct` bool `(N,)`
    says which predictions are right. At radius 0 the curve is the accuracy. An attack's distances
    are upper bounds, so the curve is one too: a better attack may lower it, and the interval only
    accounts for the random draw of inputs. By default `radii` are 0 and the distances of the inputs
    that are right, in ascending order, so that the curve has all its steps.

    Distances that are NaN or negative, different lengths, and no inputs raise `ArcalError`.

    >>> robustness = torch.tensor([0.1, 0.3, 0.2, torch.inf])
    >>> correct = torch.tensor([True, True, False, True])
    >>> robust_accuracy(robustness, correct, torch.tensor([0.0, 0.2, 0.5])).accuracy
    tensor([0.7500, 0.5000, 0.2500], dtype=torch.float64)
    """
    distance = as_scores(robustness, "robustness")
    right = as_correct(correct, len(distance))
    if len(distance) == 0 or not (distance >= 0).all():
        raise ArcalError("distances of at least one input are needed, from 0 to +inf")
    known = distance[right].sort().values
    steps = torch.cat([known.new_zeros(1), known[known.isfinite()]]).unique()
    radii = steps if radii is None else as_float64(radii, "radii")
    if radii.ndim != 1 or not (radii >= 0).all():
        raise ArcalError(f"radii are {tuple(radii.shape)}: give (R,), each 0 or more")
    stays = len(known) - torch.searchsorted(known, radii.contiguous(), right=True)
    stays = torch.where(radii == 0, len(known), stays)
    low, high = clopper_pearson(stays, torch.full_like(stays, len(distance)))
    endless = int(known.isinf().sum())
    return RobustAccuracy(radii, stays.double() / len(distance), low, high, len(distance), endless)
