"""The classifier as an attack sees it: frozen, and read through its margin."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from arcal.attacks.inputs import Model, PositionModel, RowwiseModel
from arcal.attacks.switched import Setting, switched
from arcal.errors import ArcalError


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """How far class `y` is ahead of every other: `z_y - max_{k != y} z_k`, `(N,)`.

    Takes logits z, floats `(N, Z)`, and classes y, int64 `(N,)`. Negative where the model does not
    predict `y`.

    >>> margin(torch.tensor([[3.0, 1.0, 2.5], [0.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    tensor([ 0.5000, -1.0000])
    """
    others = logits.scatter(1, y.unsqueeze(1), -torch.inf)
    return logits.gather(1, y.unsqueeze(1)).squeeze(1) - others.amax(dim=1)


MASKED = 100
"""A class is masked if it is this many times farther below the top one than the top two are from
0."""


def extent(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The spread of each row of logits `(N, Z)`, and its largest magnitude, both `(N,)`.

    Masked classes do not count: those at -inf, or at a number in its place such as -1e9.

    >>> extent(torch.tensor([[3.0, -4.0, 1.0], [3.0, -1e9, 1.0]]))
    (tensor([7., 2.]), tensor([4., 3.]))
    """
    leading = logits.topk(2, dim=1).values
    lowest = leading[:, :1] - MASKED * leading.abs().amax(dim=1, keepdim=True)
    unmasked = torch.where(logits < lowest, leading[:, 1:], logits)
    return unmasked.amax(dim=1) - unmasked.amin(dim=1), unmasked.abs().amax(dim=1)


def rounding(logits: Tensor) -> Tensor:
    """The lead `(N,)` below which float32 rounding may decide which class is ahead.

    It is 1e-5 of the spread of the logits, or 1e-6 of the largest if that is more. Logits differ by
    that much between memory layouts and batch sizes.
    """
    spread, largest = extent(logits)
    return (1e-5 * spread).maximum(1e-6 * largest)


def finite(gradient: Tensor) -> Tensor:
    """A gradient `(N, ...)` without infinities and NaN, such as those of a root or logarithm at 0.

    An infinite entry keeps its sign and gets the magnitude of the input's largest finite entry, or
    1: dropping it would drop the steepest direction. NaN, which has no sign, becomes 0.

    >>> finite(torch.tensor([[torch.inf, -2.0], [-torch.inf, torch.nan]]))
    tensor([[ 2., -2.],
            [-1.,  0.]])
    """
    flat = gradient.flatten(1)
    if flat.device.type == "cpu" and flat.isfinite().all():  # elsewhere, asking means waiting
        return gradient
    largest = flat.nan_to_num(0, 0, 0).abs().amax(dim=1, keepdim=True)
    largest = torch.where(largest > 0, largest, 1)
    return flat.nan_to_num(0).clamp(-largest, largest).view_as(gradient)


def gradient_to(x: Tensor, values: Tensor) -> Tensor:
    """The gradient `(N, ...)` to inputs `x` of values `(N,)` computed from a model's logits.

    Logits without a gradient to the inputs raise `ArcalError`.

    >>> x = torch.ones(1, 2, requires_grad=True)
    >>> gradient_to(x, 3 * x.sum(dim=1))
    tensor([[3., 3.]])
    """
    gradient = None
    if values.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(values.sum(), x, allow_unused=True)
        except RuntimeError as error:
            if "use_reentrant" not in str(error):
                raise
            raise ArcalError(
                "the model has torch.utils.checkpoint with use_reentrant=True, which gives no "
                "gradient to inputs alone: set use_reentrant=False, or leave checkpoints out of "
                "evaluation"
            ) from error
    if gradient is None:
        raise ArcalError(
            "the model's logits have no gradient to its inputs: they must be computed by torch "
            "operations, outside torch.no_grad and without detach; the order margin needs none"
        )
    return gradient


def difference(logits: Tensor, expected: Tensor) -> Tensor:
    """The largest difference `(N,)` between logits of the same inputs, without what both mask."""
    return torch.where(logits == expected, 0, logits - expected).abs().amax(dim=1)


def module_of(model: Model) -> nn.Module:
    """The module inside a model; an empty one for a callable that is not a module."""
    whole = model.model if isinstance(model, PositionModel | RowwiseModel) else model
    if isinstance(whole, type) or not callable(whole):
        what = f"the class {whole.__name__}" if isinstance(whole, type) else type(whole).__name__
        raise ArcalError(f"the model is {what}: give a module, or a function from inputs to logits")
    return whole if isinstance(whole, nn.Module) else nn.Module()


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Evaluation mode, no weight gradients, full float32 precision; all restored on leaving.

    A callable that is not a module is used as it is: put what it wraps in evaluation mode yourself.
    Recurrent layers run without cuDNN, which gives them no gradients in evaluation mode. Several
    threads may freeze one model at the same time.

    >>> model = nn.Linear(2, 2)
    >>> with frozen(model):
    ...     model.training, model.weight.requires_grad
    (False, False)
    >>> model.training, model.weight.requires_grad
    (True, True)
    """
    modules = list(module_of(model).modules())
    parameters = [one for one in module_of(model).parameters() if not one.is_inference()]
    settings: list[Setting] = [
        (one, "training", False) for one in modules if hasattr(one, "training")
    ]
    settings += [(parameter, "requires_grad", False) for parameter in parameters]
    if any(isinstance(module, nn.RNNBase) for module in modules):
        settings.append((torch.backends.cudnn, "enabled", False))
    settings += _whole_float32()
    off = [torch.autocast(kind, enabled=False) for kind in ("cpu", "cuda", "mps")]
    gradients = torch.set_grad_enabled(torch.is_grad_enabled())  # leaving it switches them on
    with switched(settings), torch.inference_mode(False), gradients, off[0], off[1], off[2]:
        yield


def _whole_float32() -> list[Setting]:
    """Settings that keep float32 matrix products and convolutions in full precision.

    From torch 2.9 on, a place without a precision of its own takes that of the place above it. So
    the places above are set first. Below them only a place with its own precision is set, because
    only that can be restored.
    """
    on = torch.backends
    if not hasattr(on.cuda.matmul, "fp32_precision"):
        return [(place, "allow_tf32", False) for place in (on.cuda.matmul, on.cudnn)]
    places: list[Any] = [on, on.cudnn, on.mkldnn, on.cuda.matmul, on.cudnn.conv, on.cudnn.rnn]  # pyright: ignore
    places += [on.mkldnn.matmul, on.mkldnn.conv, on.mkldnn.rnn]  # pyright: ignore
    return [(place, "fp32_precision", "ieee") for place in places]
