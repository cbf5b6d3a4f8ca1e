"""The classifier as an attack sees it: frozen, fast, and read through its margin."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from arcal.attacks.inputs import Model, PositionModel, RowwiseModel, rows
from arcal.attacks.switched import Setting, switched
from arcal.errors import ArcalError, first_line
from arcal.logits import are_probabilities


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """How far class `y` is ahead of every other: `z_y - max_{k != y} z_k`, `(N,)`.

    Of logits z, floats `(N, Z)`, and classes int64 `(N,)`. Negative where the model no longer
    predicts `y`.

    >>> margin(torch.tensor([[3.0, 1.0, 2.5], [0.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    tensor([ 0.5000, -1.0000])
    """
    others = logits.scatter(1, y.unsqueeze(1), -torch.inf)
    return logits.gather(1, y.unsqueeze(1)).squeeze(1) - others.amax(dim=1)


MASKED = 100
"""A masked class is so many times further below the top one than the first two are from 0."""


def extent(logits: Tensor) -> tuple[Tensor, Tensor]:
    """The spread of each row of logits `(N, Z)`, and the largest of them, both `(N,)`.

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

    It is 1e-5 of the spread of the logits, or 1e-6 of the largest if that is more: by so much they
    differ between memory layouts and batch sizes.
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
    if flat.device.type == "cpu" and flat.isfinite().all():  # elsewhere to ask is to wait
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


def _module(model: Model) -> nn.Module:
    """The module inside a model; an empty one for a callable that is no module."""
    whole = model.model if isinstance(model, PositionModel | RowwiseModel) else model
    if isinstance(whole, type) or not callable(whole):
        what = f"the class {whole.__name__}" if isinstance(whole, type) else type(whole).__name__
        raise ArcalError(f"the model is {what}: give a module, or a function from inputs to logits")
    return whole if isinstance(whole, nn.Module) else nn.Module()


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Evaluation mode, no weight gradients, whole float32; all restored on leaving.

    A callable that is no module is used as it is: put what it wraps in evaluation mode yourself.
    Recurrent layers run without cuDNN, which gives them no gradients in evaluation mode. Several
    threads may freeze one model at a time.

    >>> model = nn.Linear(2, 2)
    >>> with frozen(model):
    ...     model.training, model.weight.requires_grad
    (False, False)
    >>> model.training, model.weight.requires_grad
    (True, True)
    """
    modules = list(_module(model).modules())
    parameters = [one for one in _module(model).parameters() if not one.is_inference()]
    settings: list[Setting] = [(module, "training", False) for module in modules]
    settings += [(parameter, "requires_grad", False) for parameter in parameters]
    if any(isinstance(module, nn.RNNBase) for module in modules):
        settings.append((torch.backends.cudnn, "enabled", False))
    settings += _whole_float32()
    off = [torch.autocast(kind, enabled=False) for kind in ("cpu", "cuda", "mps")]
    gradients = torch.set_grad_enabled(torch.is_grad_enabled())  # which leaving it switches on
    with switched(settings), torch.inference_mode(False), gradients, off[0], off[1], off[2]:
        yield


def _whole_float32() -> list[Setting]:
    """No matrix product or convolution of float32 in fewer bits.

    From torch 2.9 on a place without a precision of its own has that of the place above it. So
    those above are set first, and below them only what has its own, which alone can be restored.
    """
    on = torch.backends
    if not hasattr(on.cuda.matmul, "fp32_precision"):
        return [(place, "allow_tf32", False) for place in (on.cuda.matmul, on.cudnn)]
    places: list[Any] = [on, on.cudnn, on.mkldnn, on.cuda.matmul, on.cudnn.conv, on.cudnn.rnn]  # pyright: ignore
    places += [on.mkldnn.matmul, on.mkldnn.conv, on.mkldnn.rnn]  # pyright: ignore
    return [(place, "fp32_precision", "ieee") for place in places]


def checked_logits(model: Model, x: Tensor, *, differentiable: bool = False) -> Tensor:
    """Logits `(N, Z)`, or one line that says why what the model returns is none.

    A class that a model masks may have -inf, if two others have not. They have a gradient to `x`
    only if they are to be `differentiable`.
    """
    try:
        with torch.set_grad_enabled(differentiable):
            logits = model(x.clone())
    except RuntimeError as error:
        if apart := on_other_devices(model, x.device, error):
            raise ArcalError(apart) from error
        weights = _module(model).parameters()
        dtypes = sorted({str(weight.dtype) for weight in weights if weight.is_floating_point()})
        if not dtypes or str(x.dtype) in dtypes:
            raise
        raise ArcalError(
            f"the inputs are {x.dtype} and the model's weights {' and '.join(dtypes)}: convert "
            "the model to the inputs' dtype, or the inputs, by `.to(dtype)`"
        ) from error
    if isinstance(logits, Tensor) and logits.device != x.device:
        raise ArcalError(
            f"the model returns logits on {logits.device} for inputs on {x.device}: pass inputs on "
            f"{logits.device}"
        )
    if isinstance(logits, Tensor) and logits.ndim == 2 and (masked := logits.isneginf()).any():
        if ((~masked).sum(dim=1) < 2).any():
            raise ArcalError(
                "the model gives all classes but one -inf, as the logarithm of a rounded softmax "
                "does: there is no class to change to; take `log_softmax` of the logits"
            )
        logits = logits.masked_fill(masked, logits[~masked].min())
        check_logits(logits, len(x), x.dtype)
        return logits.masked_fill(masked, -torch.inf)
    check_logits(logits, len(x), x.dtype)
    return logits


def logits_of_one(model: Model, x: Tensor) -> Tensor:
    """Logits `(1, Z)` of one input `x` `(...)`, or one line that says why there are none.

    >>> logits_of_one(torch.nn.Flatten(), torch.zeros(2, 3))
    tensor([[0., 0., 0., 0., 0., 0.]])
    >>> logits_of_one(torch.nn.Linear(3, 2), torch.zeros(5, 3))
    Traceback (most recent call last):
    arcal.errors.ArcalError: x (5, 3) is a batch of 5 inputs: give one of them, such as x[0], or ...
    """
    try:
        return checked_logits(model, x.unsqueeze(0))
    except (ArcalError, RuntimeError) as error:
        shape = tuple(x.shape)
        if _is_a_batch(model, x):
            raise ArcalError(
                f"x {shape} is a batch of {len(x)} inputs: give one of them, such as x[0], or "
                "score them all with arcal.score"
            ) from error
        if isinstance(error, ArcalError):
            raise
        raise ArcalError(
            f"the model fails on one input of shape {shape} ({first_line(error)}): give x in "
            "the shape that the model takes, without that of a batch"
        ) from error


def _is_a_batch(model: Model, x: Tensor) -> bool:
    try:
        return x.ndim > 1 and len(checked_logits(model, x)) == len(x)
    except (ArcalError, RuntimeError):
        return False


def on_other_devices(model: Model, device: torch.device, error: BaseException) -> str | None:
    """A message if none of the model's weights are on the inputs' device, otherwise None.

    A model may move its inputs itself and fail for another reason, so the message has the `error`.

    >>> linear = nn.Linear(2, 2, device="meta")
    >>> print(on_other_devices(linear, torch.device("cpu"), RuntimeError("no")))
    the model fails (no): the inputs are on cpu and the model's weights on meta: move one of them \
to the other's device
    """
    devices = {weight.device for weight in _module(model).parameters()}
    if not devices or device in devices:
        return None
    return (
        f"the model fails ({first_line(error)}): the inputs are on {device} and the model's "
        f"weights on {' and '.join(sorted(map(str, devices)))}: move one of them to the other's "
        "device"
    )


@torch.no_grad()
def check_steady(model: Model, x: Tensor, logits: Tensor) -> None:
    """Refuse a model that gives some of the inputs `(N, ...)` other logits than in the whole batch.

    It draws at random, or mixes rows. At most 8 inputs, and half of them, are run again.
    """
    some = slice(max(1, min(8, len(x) // 2)))
    n, remedy = len(logits[some]), "switch off what is drawn at random, such as dropout"
    if len(x) > 1:
        remedy += ", and give batch norm running statistics"
    try:
        again = rows(model, some)(x[some].clone())
    except Exception as error:
        raise ArcalError(
            f"the model takes {len(x)} inputs and fails on {n} of them ({first_line(error)}): it "
            "must take each input as if it were alone"
        ) from error
    allowed = rounding_between_calls(logits, coarsest(model, x, logits))
    apart = float(_apart(again, logits[some]).max())
    if not apart <= allowed:
        raise ArcalError(
            f"two calls with the same inputs give logits that differ by {apart:.2g}, where "
            f"{allowed:.2g} is rounding, so no distance or rank would be right: {remedy}"
        )


def _apart(logits: Tensor, expected: Tensor) -> Tensor:
    """The largest difference `(N,)` of logits of the same inputs; what both mask does not count."""
    return torch.where(logits == expected, 0, logits - expected).abs().amax(dim=1)


def rounding_between_calls(logits: Tensor, e: float) -> float:
    """How far logits `(N, Z)` of the same inputs may differ by rounding alone.

    Kernels sum in another order at another batch size. With `e` the precision of the coarsest dtype
    among weights, inputs and logits, it is `sqrt(e)`, half of the digits, of the widest spread of a
    row's logits, or `10 e` of the largest logit if that is more. One number for the batch: a row
    whose classes tie has no spread, but rounding all the same.
    """
    spread, largest = extent(logits)
    return max(e**0.5 * float(spread.max()), 10 * e * float(largest.max()))


def coarsest(model: Model, *tensors: Tensor) -> float:
    """The precision of the coarsest floating dtype among the model's weights and tensors."""
    every = (*_module(model).parameters(), *tensors)
    return max(torch.finfo(one.dtype).eps for one in every if one.is_floating_point())


def check_logits(logits: Tensor, N: int, dtype: torch.dtype | None) -> None:
    """Raise unless a model's output for N inputs is logits `(N, Z)`, of the `dtype` if given."""
    if not isinstance(logits, Tensor):
        raise ArcalError(
            f"the model returns {type(logits).__name__}, not a tensor of logits: "
            "`arcal.auditing.as_model` takes them out"
        )
    if logits.ndim != 2 or len(logits) != N or logits.shape[1] < 2:
        one = "; `arcal.auditing.as_model` makes two of one logit"
        one *= logits.shape in ((N,), (N, 1))
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)} for {N} input{'s' * (N != 1)}: logits "
            f"(N, Z) of at least 2 classes are needed{one}"
        )
    if dtype not in (None, logits.dtype):
        raise ArcalError(
            f"the model returns {logits.dtype} for {dtype} inputs: both must be the same; let it "
            f"return `logits.to({dtype})`"
        )
    if not (good := torch.isfinite(logits).all(dim=1)).all():
        wrong = (~good).nonzero().squeeze(1)
        raise ArcalError(
            f"the model returns logits that are not finite for {len(wrong)} of a batch of {N} "
            f"inputs, first in its row {int(wrong[0])}: check these; take `log_softmax` of "
            "logits, and where there are none clip probabilities to 1e-7 before their logarithm"
        )
    if are_probabilities(logits):
        raise ArcalError(
            "the model returns probabilities: give logits, without the softmax, or the logarithm"
        )


def folded(model: Model, x: Tensor) -> Model:
    """A faster twin of the model with the same logits.

    Batch norms after a convolution are folded into it, and images are laid out channels last if the
    model allows it. A model that cannot be traced, or whose twin differs on the first 8 of `x` by
    more than half of `rounding`, is returned as it is. Call it inside `frozen`.
    """
    if not isinstance(model, nn.Module):
        return model
    try:
        twin = _traced(copy.deepcopy(model))
        modules: dict[str, Any] = dict(twin.named_modules())
        for node in list(twin.graph.nodes):
            if not _is(node, modules, nn.BatchNorm2d):
                continue
            source: Any = node.args[0]
            if _is(source, modules, nn.Conv2d) and len(source.users) == 1:
                both = fuse_conv_bn_eval(modules[source.target], modules[str(node.target)])
                twin.set_submodule(source.target, both)
                node.replace_all_uses_with(source)
                twin.graph.erase_node(node)
        twin.recompile()
        twin.delete_all_unused_submodules()
        with torch.no_grad():
            expected = model(x[:8].clone())
    except Exception:  # tracing runs code that is not ours; without a twin nothing is lost
        return model
    layouts = (torch.channels_last, torch.contiguous_format) if x.ndim == 4 else (None,)
    for layout in layouts:
        try:
            if layout is not None:
                twin = twin.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
            with torch.no_grad():  # `twin(...)` would print what `view` says of channels last
                logits = twin.forward(x[:8].clone())
            if (_apart(logits, expected) <= 0.5 * rounding(expected)).all():
                return twin
        except Exception:  # nor is anything lost by another layout
            continue
    return model


class _Tracer(fx.Tracer):
    """Follows the calls of its own thread: while it does, torch has those of all threads ask it."""

    def __init__(self) -> None:
        super().__init__()
        self.thread = get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> Any:
        if get_ident() != self.thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)


_TRACING = Lock()
"""Two threads that trace at a time would leave torch's own functions replaced."""


def _traced(model: nn.Module) -> fx.GraphModule:
    with _TRACING:
        return fx.GraphModule(model, _Tracer().trace(model))


def _is(node: Any, modules: dict[str, Any], kind: type) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], kind)
