"""The box that inputs lie in, and the norms that a perturbation is measured in.

Also the shortest step onto a plane in each norm.
"""

import math
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import as_tensor
from arcal.errors import ArcalError

Bounds = tuple[float | Tensor, float | Tensor] | None
"""The interval that every entry of an input lies in; None for embeddings. Tensors broadcast against
one input, so each column of a table may have an interval of its own."""


def checked_bounds(x: Tensor, bounds: Bounds) -> Bounds:
    """Refuse inputs `(N, ...)` that are not finite floats within their bounds.

    Numbers come back as they are, tensors and arrays with the shape, dtype and device of one input.

    >>> x = torch.tensor([[0.5, 20.0], [0.25, 40.0]])
    >>> checked_bounds(x, (0.0, torch.tensor([1.0, 50.0])))
    (tensor([0., 0.]), tensor([ 1., 50.]))
    """
    if x.dtype not in (torch.float32, torch.float64) or x.ndim < 2:
        how = (
            "for token ids give their embeddings, with bounds=None, or take the order margin, "
            "confidence or random, or audit with order=None"
        )
        if x.dtype == torch.uint8:
            how = "divide pixels of 0 to 255 by 255"
        elif x.dtype == torch.int16:
            how = "make them floats, as `x / 32768` of audio, with bounds=(-1, 1)"
        elif x.is_floating_point():
            how = "give one input as a batch, `x[None]`"
            if x.ndim > 1:
                how = "convert them and the model, by `.float()`"
        raise ArcalError(
            f"inputs are {x.dtype} {tuple(x.shape)}: float32 or float64 (N, ...) is needed; {how}"
        )
    if len(x) == 0:
        raise ArcalError("there is no input to attack: the batch is empty")
    bounds = _ends(bounds)
    numbers = bounds is not None and not any(isinstance(end, Tensor) for end in bounds)
    if bounds and numbers and ((x >= bounds[0]) & (x <= bounds[1])).all():  # waits once
        return bounds
    if not torch.isfinite(x).all():
        raise ArcalError("an input holds NaN or infinity: clean the data first")
    if bounds is None:
        return None
    low, high = bounds
    if not isinstance(low, Tensor) and not isinstance(high, Tensor):
        raise ArcalError(
            f"inputs reach from {float(x.min()):.4g} to {float(x.max()):.4g}, outside the "
            f"bounds {bounds}: {_remedy(x, (low, high))}"
        )
    try:
        low, high = (
            (end.to(x) if isinstance(end, Tensor) else x.new_tensor(end)).expand(x.shape[1:])
            for end in bounds
        )
    except RuntimeError as error:
        shapes = [tuple(np.shape(end)) for end in bounds]
        raise ArcalError(
            f"bounds of shapes {shapes[0]} and {shapes[1]} do not fit inputs {tuple(x.shape)}: "
            "give what broadcasts against one input"
        ) from error
    outside = (~((x >= low) & (x <= high))).flatten(1).nonzero()  # also if an end is NaN
    if len(outside):
        row, entry = outside[0].tolist()
        raise ArcalError(
            f"entry {entry} of input {row} is {float(x.flatten(1)[row, entry]):.4g}, outside its "
            f"bounds {float(low.flatten()[entry]):.4g} to {float(high.flatten()[entry]):.4g}: "
            "give the bounds the inputs have"
        )
    return low, high


def _ends(bounds: Any) -> Bounds:
    """The two ends, each a number or a tensor."""
    if bounds is None:
        return None
    try:
        low, high = bounds
    except (TypeError, ValueError):
        raise ArcalError(
            "bounds are not two: give (low, high), each a number or what broadcasts against one "
            "input, or None"
        ) from None
    low, high = (end if isinstance(end, Real) else as_tensor(end, "bounds") for end in (low, high))
    return low, high  # pyright: ignore[reportReturnType]


def _remedy(x: Tensor, bounds: tuple[float, float]) -> str:
    """What to do with inputs `(N, ...)` outside their bounds: images hint at their scaling."""
    if are_images(x) and bounds == (0, 1):
        if x.min() < 0:
            return (
                "if they are normalised images, give them in [0, 1] and normalise in the model's "
                "first layer, as nn.Sequential(Normalize(mean, std), model) of torchvision's "
                "transforms; if not, give the bounds they have, or bounds=None"
            )
        if x.max() > 2:
            return (
                "if they are pixels of 0 to 255, divide them by 255; if not, give the bounds they "
                "have, or bounds=None"
            )
    if bounds == (0, 1) and not x.abs().max() > 1:
        return "give the bounds they have, such as bounds=(-1, 1) for waveforms, or bounds=None"
    return "scale them, or give the bounds they have, or bounds=None"


def are_images(x: Tensor) -> bool:
    """Whether these inputs `(N, ...)` seem to be images of 1 or 3 channels, or grey ones without.

    Grey images without channels are whole numbers up to 255, as in `MNIST.data`.

    >>> are_images(torch.zeros(2, 3, 8, 8)), are_images(torch.zeros(2, 8, 8, 3))
    (True, True)
    >>> are_images(torch.full((2, 8, 8), 255.0)), are_images(torch.full((2, 8, 8), 5.5))
    (True, False)
    """
    if x.ndim == 4:
        return x.shape[1] in (1, 3) or x.shape[3] in (1, 3)
    square = x.ndim == 3 and x.shape[1] == x.shape[2]
    return square and float(x.max()) == 255 and bool((x == x.round()).all())


def flattened(bounds: Bounds) -> Bounds:
    """The bounds of inputs `(N, ...)` as those of inputs `(N, D)`."""
    if bounds is None:
        return None
    low, high = (end.flatten() if isinstance(end, Tensor) else end for end in bounds)
    return low, high


def clamped(x: Tensor, bounds: Bounds) -> Tensor:
    """Inputs `(N, ...)` brought within their bounds."""
    return x if bounds is None else x.clamp(*bounds)  # pyright: ignore[reportArgumentType, reportCallIssue]


class L2:
    """`sqrt(sum d_i^2)`, which is its own dual."""

    spread: ClassVar[bool] = False
    """Whether `steepest` needs the average of squared gradients."""

    def length(self, d: Tensor) -> Tensor:
        """The norm `(...)` of vectors `(..., D)`."""
        return torch.linalg.vector_norm(d, dim=-1)

    def dual(self, n: Tensor) -> Tensor:
        """How much `n.d` can change over a step d of length 1, `(...)`."""
        return torch.linalg.vector_norm(n, dim=-1)

    def steepest(self, n: Tensor, square: Tensor | None = None) -> Tensor:
        """The direction `(..., D)`, of any length, in which `n.d` grows most for its length.

        If n is an average of gradients, `square` is the average of their squares.
        """
        return n


class LInf:
    """`max |d_i|`; its dual is `sum |n_i|`.

    Where gradients jump from one linear piece to the next, the nearest point has some entries
    between the ends of their range. There the pieces cancel and the sign of an average is
    accidental, so that the search would go back and forth between the ends. An entry on whose sign
    the gradients do not agree goes a part of the way instead: `c |n_i|` over their root mean
    square, if that is below 1. The more entries, the fewer of them are between the ends, so c grows
    with their number: `1 + log10(D) / 2`.
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
"""Norms by the names that a user gives."""


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

    for one multiplier `t >= 0` per input (Croce and Hein 2020, section 3.1, who sort to find it).
    In L-infinity t is the length, and every entry goes as far as the longest, or to its bound.
    `offset + normal.d` falls with t and is convex and piecewise linear, so Newton's iteration from
    the left reaches its root in finitely many steps: one without bounds, three or four for most
    images. Where the box holds no solution, or the normal is zero, `d` comes as near to one as it
    can. With `square` (see `L2.steepest`) it is as short as its direction allows.

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
    for _ in range(3):  # to look which are done would cost more
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
