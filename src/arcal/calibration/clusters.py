"""Inputs that belong together, such as images of one patient, whose errors come together.

Intervals and tests usually take inputs to be independent. If several are of one patient, a model
that is wrong on one of them is more often wrong on the others, and such intervals are too narrow:
with 50 patients of 10 images each they may contain the accuracy in half of all draws.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_integers
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Clusters:
    """N inputs in clusters that are drawn as a whole, and how much their errors come together.

    `number` int64 `(N,)` is the cluster of each input. `alike`, rho in [0, 1], is the correlation
    of errors within a cluster in this model of chance: an input of confidence c is right if its
    luck u, uniform in [0, 1], is below c. With probability sqrt(rho) it shares the luck of its
    cluster, otherwise it has its own, so

        cov(correct_i, correct_j) = rho (min(c_i, c_j) - c_i c_j)

    within a cluster. Made by `as_clusters`.
    """

    number: Tensor
    alike: float

    def rows(self, chosen: Tensor) -> "Clusters":
        """The clusters of some of the inputs, by position int64 `(n,)` or bool `(N,)`."""
        return Clusters(self.number[chosen], self.alike)

    def sums(self, values: Tensor) -> Tensor:
        """The sum of the values `(N,)` in each cluster."""
        return torch.bincount(self.number, weights=values)

    def sizes(self, weights: Tensor) -> Tensor:
        """The variance that each cluster adds to a weighted sum of inputs of variance 1.

        v_g = (1 - rho) sum w^2 + rho (sum w)^2    over its inputs
        """
        own, together = self.sums(weights.square()), self.sums(weights).square()
        return (1 - self.alike) * own + self.alike * together


def summed(values: Tensor, clusters: Clusters | None) -> Tensor:
    """The sum of the values `(N,)` in each cluster; without clusters each is its own.

    >>> summed(torch.tensor([1.0, 2.0, 4.0]), Clusters(torch.tensor([0, 0, 1]), 0.0))
    tensor([3., 4.])
    """
    return values if clusters is None else clusters.sums(values)


def variances(weights: Tensor, clusters: Clusters | None) -> Tensor:
    """`Clusters.sizes` of these weights `(N,)`; without clusters their squares.

    >>> variances(torch.tensor([1.0, 3.0]), None)
    tensor([1., 9.])
    """
    return weights.square() if clusters is None else clusters.sizes(weights)


def as_clusters(
    number: TensorLike | None, confidence: Tensor, correct: Tensor, weights: Tensor
) -> Clusters | None:
    """The clusters that have these numbers `(N,)`, or None without numbers.

    `alike` is estimated from all pairs of inputs of one cluster. With G clusters, and the errors
    r = correct - e beyond those that are expected,

        rho = (G/(G-1) sum_g (sum_{i in g} w_i r_i)^2 - sum_i w_i^2 r_i^2)
              / sum w_i w_j (min(e_i, e_j) - e_i e_j),    cut to [0, 1]

    It is the larger of two estimates. For one, e is the accuracy at each confidence, by isotonic
    regression. With the confidence itself, the errors of a model that is over-confident everywhere
    would all have one sign, as if they came together. For the other, e is the accuracy of all
    inputs, so that clusters that are harder than others count. If all inputs are right, or all
    wrong, or there is one cluster, e is the confidence, and G/(G-1) is left out.

    `confidence` is float64 `(N,)`, `correct` bool `(N,)`, and `weights` float64 `(N,)`. Other
    numbers than N integers, 0 or more, raise `ArcalError`.

    >>> right = torch.tensor([True, True, False, False])
    >>> half, one = torch.full((4,), 0.5, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    >>> as_clusters([0, 0, 1, 1], half, right, one).alike
    1.0
    >>> as_clusters([0, 1, 0, 1], half, right, one).alike
    0.0
    """
    if number is None:
        return None
    place = as_numbers(number, len(confidence))
    clusters, right, w = Clusters(place, 0.0), correct.double(), weights
    c, G = confidence.clamp(0, 1), len(place[w > 0].unique())
    if G == 1 or (share := float(w @ right / w.sum())) in (0, 1):
        return Clusters(place, _alike(clusters, right, c, w, 1))
    few, expected = G / (G - 1), (_accuracy_at(c, right, w), torch.full_like(c, share))
    return Clusters(place, max(_alike(clusters, right, e, w, few) for e in expected))


def _alike(clusters: Clusters, right: Tensor, e: Tensor, w: Tensor, few: float) -> float:
    """The correlation rho if inputs `(N,)` are expected to be right with the probabilities `e`."""
    r = w * (right - e)
    shown = few * clusters.sums(r).square().sum().item() - r.square().sum().item()
    possible = _least_of_pairs(clusters.number, e, w) - _pairs(clusters, w * e)
    return min(max(shown / possible, 0.0), 1.0) if possible > 0 else 0.0


def _accuracy_at(c: Tensor, right: Tensor, w: Tensor) -> Tensor:
    """The accuracy at the confidence of each input `(N,)`, by isotonic regression."""
    from scipy.optimize import isotonic_regression  # takes a fifth of a second to import

    place = c.unique(return_inverse=True)[1]
    weight = torch.bincount(place, weights=w)
    share = torch.bincount(place, weights=w * right) / weight
    counts = weight > 0
    e = torch.zeros_like(share)
    e[counts] = torch.from_numpy(
        isotonic_regression(share[counts].numpy(), weights=weight[counts].numpy()).x
    )
    return e[place]


def more_alike(one: Clusters | None, other: Clusters | None) -> Clusters | None:
    """The clusters of two models' predictions of the same inputs: those that are more alike.

    >>> number = torch.tensor([0, 0, 1])
    >>> more_alike(Clusters(number, 0.1), Clusters(number, 0.3)).alike
    0.3
    """
    if one is None or other is None:
        return None
    return max(one, other, key=lambda clusters: clusters.alike)


def as_numbers(number: TensorLike, N: int) -> Tensor:
    """The clusters `(N,)` of N inputs, numbered from 0; others than N integers, 0 or more, raise.

    >>> as_numbers([7, 3, 7], 3)
    tensor([1, 0, 1])
    """
    given = as_integers(number, "clusters")
    if given.shape != (N,) or (given < 0).any():
        raise ArcalError(f"clusters must be {N} numbers of at least 0, one for each input")
    return given.unique(return_inverse=True)[1]


def design_effect(values: Tensor, weights: Tensor, number: Tensor) -> float:
    """How many times larger clusters make the variance of a weighted mean of values `(N,)`.

    With e the values minus their mean, `number` int64 `(N,)` the cluster of each, and G clusters,

        G / (G - 1) sum_g (sum_{i in g} w_i e_i)^2 / sum_i w_i^2 e_i^2

    but at least 1. If all values are equal, or there is one cluster, it does not show how alike
    those of a cluster are, and each counts as a single input.

    >>> one = torch.ones(4, dtype=torch.float64)
    >>> design_effect(torch.tensor([1.0, 1.0, 0.0, 0.0]).double(), one, torch.tensor([0, 0, 1, 1]))
    4.0
    """
    w, G = weights, int(number.max()) + 1
    e, few = values - (w @ values) / w.sum(), G / max(G - 1, 1)
    if G == 1 or values.min() == values.max():
        e, few = torch.ones_like(values), 1.0
    together = torch.bincount(number, weights=w * e).square().sum()
    return max(few * (together / (w * e).square().sum()).item(), 1.0)


def _pairs(clusters: Clusters, values: Tensor) -> float:
    """The sum of the products of all pairs of values within a cluster, each pair in both orders."""
    return (clusters.sums(values).square().sum() - values.square().sum()).item()


def _least_of_pairs(number: Tensor, c: Tensor, w: Tensor) -> float:
    """The sum of w_i w_j min(c_i, c_j) over the same pairs."""
    order = c.argsort(descending=True)
    order = order[number[order].argsort(stable=True)]  # by cluster, and within it from the largest
    c, w = c[order], w[order]
    size = torch.bincount(number)
    total = w.cumsum(0) - w
    first = size.cumsum(0) - size
    larger = total - total[first].repeat_interleave(size)
    return 2 * (w * c * larger).sum().item()
