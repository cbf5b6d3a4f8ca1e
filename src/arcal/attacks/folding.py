"""A faster twin of a model: batch norms folded into convolutions, images channels last."""

import copy
import warnings
from collections.abc import Callable
from threading import Lock, get_ident
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from arcal.attacks.inputs import Model
from arcal.attacks.model import difference, rounding


def folded(model: Model, x: Tensor) -> Model:
    """A faster twin of the model with the same logits.

    Batch norms after a convolution are folded into it, and images are laid out channels last if the
    model allows it. A model that cannot be traced, or whose twin differs on the first 8 of `x` by
    more than half of `rounding`, is returned as it is. Call it inside `frozen`.
    """
    if not isinstance(model, nn.Module):
        return model
    try:
        twin = _traced(model)
        _fold(twin)
        type(twin).__call__ = nn.Module.__call__  # torch's own would print every error
        with torch.no_grad():
            expected = model(x[:8].clone())
    except Exception:  # tracing runs code that is not ours; without a twin nothing is lost
        return model
    layouts = (torch.channels_last, torch.contiguous_format) if x.ndim == 4 else (None,)
    for layout in layouts:
        try:
            if layout is not None:
                twin = twin.to(memory_format=layout)  # pyright: ignore[reportCallIssue]
            with torch.no_grad():
                logits = twin(x[:8].clone())
            if (difference(logits, expected) <= 0.5 * rounding(expected)).all():
                return twin
        except Exception:  # nothing is lost here either
            continue
    return model


def _fold(twin: fx.GraphModule) -> None:
    """Fold each batch norm into the convolution that it alone follows."""
    modules: dict[str, Any] = dict(twin.named_modules())

    def calls(node: Any, kind: type) -> bool:
        return node.op == "call_module" and isinstance(modules[node.target], kind)

    for node in list(twin.graph.nodes):
        if not calls(node, nn.BatchNorm2d):
            continue
        source: Any = node.args[0]
        if calls(source, nn.Conv2d) and len(source.users) == 1:
            both = fuse_conv_bn_eval(modules[source.target], modules[str(node.target)])
            twin.set_submodule(source.target, both)
            node.replace_all_uses_with(source)
            twin.graph.erase_node(node)
    twin.recompile()
    twin.delete_all_unused_submodules()


class _Tracer(fx.Tracer):
    """Traces only its own thread: while it does, torch passes it the calls of all threads."""

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
"""Two threads that trace at the same time would leave torch's own functions replaced."""


def _traced(model: nn.Module) -> fx.GraphModule:
    with _TRACING:
        with warnings.catch_warnings():  # torch deprecates what its own exported programs hold
            warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
            model = copy.deepcopy(model)
        return fx.GraphModule(model, _Tracer().trace(model))
