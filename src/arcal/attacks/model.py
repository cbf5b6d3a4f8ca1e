"""The classifier as an attack sees it: frozen, fast, and read through its margin."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.fx import symbolic_trace
from torch.nn.utils.fusion import fuse_conv_bn_eval

from arcal.attacks.inputs import Model, RowwiseModel
from arcal.errors import ArcalError


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """How far class `y` is ahead of every other: `z_y - max_{z != y} z`, `(N,)`.

    Negative where the model no longer predicts `y`.

    >>> margin(torch.tensor([[3.0, 1.0, 2.5], [0.0, 1.0, 2.0]]), torch.tensor([0, 1]))
    tensor([ 0.5000, -1.0000])
    """
    others = logits.scatter(1, y.unsqueeze(1), -torch.inf)
    return logits.gather(1, y.unsqueeze(1)).squeeze(1) - others.amax(dim=1)


def rounding(logits: Tensor) -> Tensor:
    """The lead, `(N,)`, below which rounding may decide which class is ahead.

    It is 1e-5 of the spread of the logits, or 1e-6 of the largest if that is more: sums of float32
    differ by so much from one layout or batch size to the next.
    """
    spread = logits.amax(dim=1) - logits.amin(dim=1)
    return (1e-5 * spread).maximum(1e-6 * logits.abs().amax(dim=1))


def check_differentiable(logits: Tensor) -> None:
    """Refuse logits that no gradient comes back through."""
    if not logits.requires_grad:
        raise ArcalError(
            "the model's logits have no gradient to its inputs: they must be computed by torch "
            "operations, outside torch.no_grad"
        )


@contextmanager
def frozen(model: Model) -> Iterator[None]:
    """Evaluation mode, no weight gradients, whole float32; all restored on leaving.

    A callable that is no module is used as it is: put what it wraps in evaluation mode yourself.

    >>> model = nn.Linear(2, 2)
    >>> with frozen(model):
    ...     model.training, model.weight.requires_grad
    (False, False)
    >>> model.training, model.weight.requires_grad
    (True, True)
    """
    whole = model.model if isinstance(model, RowwiseModel) else model
    modules = list(whole.modules()) if isinstance(whole, nn.Module) else []
    parameters = list(whole.parameters()) if isinstance(whole, nn.Module) else []
    training = [module.training for module in modules]
    required = [parameter.requires_grad for parameter in parameters]
    try:
        for module in modules:
            module.training = False
        for parameter in parameters:
            parameter.requires_grad_(False)
        off = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
        with _whole_float32(), off[0], off[1]:
            yield
    finally:
        for module, mode in zip(modules, training, strict=True):
            module.training = mode
        for parameter, mode in zip(parameters, required, strict=True):
            parameter.requires_grad_(mode)


@contextmanager
def _whole_float32() -> Iterator[None]:
    """No matrix product or convolution of float32 in fewer bits; what was set before is restored.

    From torch 2.9 on each place has a precision of its own, and the switch for all of them is not
    to be read where one of those is set.
    """
    on = torch.backends
    places, name, whole = [on.cuda.matmul, on.cudnn], "allow_tf32", False
    if hasattr(on.cuda.matmul, "fp32_precision"):
        places = [on.cuda.matmul, on.cudnn.conv, on.cudnn.rnn]  # pyright: ignore
        places += [on.mkldnn.matmul, on.mkldnn.conv, on.mkldnn.rnn]  # pyright: ignore
        name, whole = "fp32_precision", "ieee"
    before = [getattr(place, name) for place in places]
    try:
        for place in places:
            setattr(place, name, whole)
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            setattr(place, name, value)


@torch.no_grad()
def predicted_class(model: Model, x: Tensor) -> Tensor:
    """The predicted class of each input, int64 `(N,)`, after checking that these are logits."""
    return checked_logits(model, x).argmax(dim=1)


@torch.no_grad()
def checked_logits(model: Model, x: Tensor) -> Tensor:
    """Logits `(N, Z)`, or one line that says why what the model returns is none."""
    logits = model(x.clone())
    check_logits(logits, len(x), x.dtype)
    return logits


def check_logits(logits: Tensor, N: int, dtype: torch.dtype | None) -> None:
    """Refuse what a model returns for N inputs, of this dtype if any, and is no logits `(N, Z)`."""
    if not isinstance(logits, Tensor):
        raise ArcalError(
            f"the model returns {type(logits).__name__}, not a tensor of logits: "
            "`arcal.auditing.as_model` takes them out"
        )
    if logits.ndim != 2 or len(logits) != N or logits.shape[1] < 2:
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)} for {N} inputs: "
            "logits (N, Z) of at least 2 classes are needed"
        )
    if dtype not in (None, logits.dtype):
        raise ArcalError(f"the model returns {logits.dtype} for {dtype} inputs: both must be one")
    if not torch.isfinite(logits).all():
        raise ArcalError("the model returns logits that are not finite: check its inputs")
    if (logits >= 0).all() and torch.allclose(
        logits.sum(dim=1), torch.ones_like(logits[:, 0]), atol=1e-4
    ):
        raise ArcalError("the model returns probabilities: give logits, without the softmax")


def folded(model: Model, x: Tensor) -> Model:
    """A twin of the model that costs less a pass and gives the same logits.

    Batch norms that follow a convolution are folded into it and images are laid out channels last.
    A model that cannot be traced, or whose twin disagrees on the first 8 of `x` by more than half
    of `rounding`, is returned as it is. Call it inside `frozen`.
    """
    if not isinstance(model, nn.Module):
        return model
    try:
        twin = symbolic_trace(copy.deepcopy(model))
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
        if x.ndim == 4:
            twin = twin.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        with torch.no_grad():
            expected, actual = model(x[:8].clone()), twin(x[:8].clone())
    except Exception:  # tracing runs code that is not ours; without a twin nothing is lost
        return model
    apart = (actual - expected).abs().amax(dim=1)
    return twin if (apart <= 0.5 * rounding(expected)).all() else model


def _is(node: Any, modules: dict[str, Any], kind: type) -> bool:
    return node.op == "call_module" and isinstance(modules[node.target], kind)
