"""The box that inputs lie in."""

from numbers import Real
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import as_tensor
from arcal.errors import ArcalError

Bounds = tuple[float | Tensor, float | Tensor] | None
"""The interval that every entry of an input lies in; None for embeddings. Tensors broadcast against
one input, so each column of a table may have an interval of its own."""


def checked_bounds(x: Tensor, bounds: Bounds) -> Bounds:
    """Refuse inputs `(N, ...)` that are not finite floats within their bounds.

    Numbers come back as they are, tensors and arrays in the shape, dtype and place of one input.

    >>> x = torch.tensor([[0.5, 20.0], [0.25, 40.0]])
    >>> checked_bounds(x, (0.0, torch.tensor([1.0, 50.0])))
    (tensor([0., 0.]), tensor([ 1., 50.]))
    """
    if x.dtype not in (torch.float32, torch.float64) or x.ndim < 2:
        how = (
            "divide pixels of 0 to 255 by 255"
            if x.dtype == torch.uint8
            else "of token ids give their embeddings, with bounds=None"
        )
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
        low, high = (torch.as_tensor(end).to(x).expand(x.shape[1:]) for end in bounds)
    except RuntimeError as error:
        shapes = [tuple(torch.as_tensor(end).shape) for end in bounds]
        raise ArcalError(
            f"bounds of shapes {shapes[0]} and {shapes[1]} do not fit inputs {tuple(x.shape)}: "
            "give what broadcasts against one input"
        ) from error
    outside = (~((x >= low) & (x <= high))).flatten(1).nonzero()  # as if an end is NaN
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
    """What to do with inputs `(N, ...)` outside their bounds: images show what they were."""
    if x.ndim == 4 and x.shape[1] in (1, 3) and bounds == (0, 1):
        if x.min() < 0:
            return (
                "if they are normalised images, give them in [0, 1] and normalise in the model's "
                "first layer; if not, give the bounds they have"
            )
        if x.max() > 2:
            return "if they are pixels of 0 to 255, divide them by 255; if not, give the bounds"
    return "scale them, or give the bounds they have"


def flattened(bounds: Bounds) -> Bounds:
    """The bounds of inputs `(N, ...)` as those of inputs `(N, D)`."""
    if bounds is None:
        return None
    low, high = (end.flatten() if isinstance(end, Tensor) else end for end in bounds)
    return low, high


def clamped(x: Tensor, bounds: Bounds) -> Tensor:
    """Inputs `(N, ...)` brought within their bounds."""
    return x if bounds is None else x.clamp(*bounds)  # pyright: ignore[reportArgumentType, reportCallIssue]
