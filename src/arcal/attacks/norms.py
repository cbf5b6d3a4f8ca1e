"""The norms that a perturbation is measured in, and the shortest step onto a plane in each."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from arcal.attacks.bounds import Bounds


class L2:
    """`sqrt(sum d_i^2)`, which is its own dual."""

    spread: ClassVar[bool] = False
    """Whether `steepest` asks how far gradients were apart."""

    def length(self, d: Tensor) -> Tensor:
        """The norm `(...)` of vectors `(..., D)`."""
        return d.norm(dim=-1)

    def dual(self, n: Tensor) -> Tensor:
        """How much `n.d` can change over a step d of length 1, `(...)`."""
        return n.norm(dim=-1)

    def steepest(self, n: Tensor, square: Tensor | None = None) -> Tensor:
        """The direction `(..., D)`, of any length, in which `n.d` grows most for its length.

        Where n is an average of gradients, `square` is that of their squares.
        """
        return n


class LInf:
    """`max |d_i|`; its dual is `sum |n_i|`.

    Where gradients jump from one linear piece to the next, the nearest point has entries between
    the ends, at which the pieces cancel and the sign of an average is an accident: the search would
    go from one end to the other and back. An entry on whose sign the gradients do not agree goes a
    part of the way instead: `c |n_i|` over their root mean square, if that is below 1. Of many
    entries few are between the ends, so that c grows with their number: `1 + log10(D) / 2`.
    """

    spread: ClassVar[bool] = True

    def length(self, d: Tensor) -> Tensor:
        return d.abs().amax(dim=-1)

    def dual(self, n: Tensor) -> Tensor:
        return n.abs().sum(dim=-1)

    def steepest(self, n: Tensor, square: Tensor | None = None) -> Tensor:
        if square is None:
            return n.sign()
        c = 1 + math.log10(n.shape[-1]) / 2
        return (c * n / square.sqrt().clamp(min=torch.finfo(n.dtype).tiny)).clamp(-1, 1)


Norm = L2 | LInf
NORMS: dict[str, Norm] = {"l2": L2(), "linf": LInf()}
"""By the names that a user gives."""


def project(
    x: Tensor,
    offset: Tensor,
    normal: Tensor,
    bounds: Bounds,
    norm: Norm = NORMS["l2"],
    square: Tensor | None = None,
) -> Tensor:
    """The shortest `d` with `offset + normal.d <= 0` and `x + d` within bounds, all `(N, D)`.

    The offset is `(N,)`. Without bounds it is `offset / |n|_*` long, with the dual norm of n (Hein
    and Andriushchenko 2017; Moosavi-Dezfooli et al. 2016, section 3). With them it is

        d = clip(-t s),   s = n in L2,   s = sign(n) in L-infinity,

    for one multiplier `t >= 0` each (Croce and Hein 2020, section 3.1, who sort for it): in
    L-infinity t is the length, and every entry goes as far as the longest does, or to its bound.
    `offset + normal.d` falls with t, is convex and piecewise linear, so that Newton's iteration
    from the left reaches its root in finitely many steps: one without bounds, three or four for
    most images. Where the box holds no solution, or the normal is zero, `d` comes as near to one
    as it can. With `square`, see `L2.steepest`, it is as short as its direction allows.

    >>> x, n = torch.zeros(1, 2), torch.tensor([[-3.0, 1.0]])
    >>> project(x, torch.tensor([2.0]), n, None, NORMS["linf"])
    tensor([[ 0.5000, -0.5000]])
    >>> project(x, torch.tensor([2.0]), n, (0.0, 1.0), NORMS["linf"])
    tensor([[0.6667, 0.0000]])
    """
    s = norm.steepest(normal, square)
    weight = normal * s
    missing, slope = offset.clamp(min=0), weight.sum(dim=1)
    if bounds is None:
        return -torch.where(slope > 0, missing / slope, 0).unsqueeze(1) * s
    sides = bounds[0] - x, bounds[1] - x
    t, d = torch.zeros_like(offset), torch.zeros_like(normal)
    for _ in range(3):  # looking who is there already would cost more
        t, d, missing, slope = _newton(t, missing, slope, offset, normal, s, weight, *sides)
    for _ in range(100):
        active = ((missing > 1e-6 * offset.abs()) & (slope > 0)).nonzero().squeeze(1)
        if len(active) == 0:
            break
        of = (t, missing, slope, offset, normal, s, weight, *sides)
        t[active], d[active], missing[active], slope[active] = _newton(*(one[active] for one in of))
    return d


def _newton(t, missing, slope, offset, n, s, weight, lower, upper):
    """One step of `t`; with the `d` there, what is missing and the slope."""
    t = t + torch.where(slope > 0, missing / slope, 0)
    moved = -t.unsqueeze(1) * s
    d = moved.clamp(lower, upper)
    missing = (offset + torch.linalg.vecdot(n, d)).clamp(min=0)
    return t, d, missing, torch.linalg.vecdot(weight, (d == moved).to(n.dtype))
