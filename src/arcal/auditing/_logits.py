"""Logits out of whatever a classifier returns, an exported program among them."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from arcal.errors import ArcalError


def logits_of(output: Any, classes: int | None = None) -> Tensor:
    """Logits `(N, Z)` from a tensor or array, a `ModelOutput`, a dict, or a tuple that holds them.

    A binary classifier's single logit z, as `(N,)` or `(N, 1)`, becomes the two logits (0, z): the
    softmax of these is `(1 - s(z), s(z))` with the sigmoid `s(z) = 1 / (1 + exp(-z))`. Of a dict
    the entry `logits`, or the only one, is taken; of a tuple the only tensor `(N, Z)`, or the first
    of several with the same Z, or of Z = `classes`; a scalar, as a loss is, and hidden states
    `(N, L, H)` are passed over.

    No floats, another rank, another number of classes than `classes`, or a tuple of tensors that
    may all be logits, such as features and logits, raise `ArcalError`.

    >>> import torch
    >>> logits_of({"logits": torch.tensor([2.0, -1.0])}).tolist()
    [[0.0, 2.0], [0.0, -1.0]]
    """
    logits = _tensor_in(output, classes)
    if not logits.is_floating_point():
        raise ArcalError(
            f"the model returns {logits.dtype}, such as classes it has chosen: logits are needed"
        )
    if logits.ndim == 1:
        logits = logits.unsqueeze(1)
    if logits.ndim != 2 or logits.shape[1] == 0:
        more = "; drop the rest, by `.flatten(1)`" * all(n == 1 for n in logits.shape[2:])
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)}: logits (N, Z) are needed, one row for "
            f"each input, or (N,) of a binary classifier{more if logits.ndim > 2 else ''}"
        )
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    check_classes(logits, classes)
    return logits


def check_classes(logits: Tensor, classes: int | None) -> None:
    """Refuse logits `(N, Z)` of another number of classes than the data's, if that is known."""
    if classes is not None and logits.shape[1] != classes:
        raise ArcalError(
            f"the model returns logits of {logits.shape[1]} classes, and the data has {classes}: "
            "give the model for this data"
        )


def _tensor_in(output: Any, classes: int | None) -> Tensor:
    if isinstance(output, Mapping):
        only = next(iter(output.values())) if len(output) == 1 else output
        output = output.get("logits", only)
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list):
        output = _one_of(output, classes)
    if isinstance(output, nn.Module):
        raise ArcalError(
            f"the model returns a module, {type(output).__name__}: a function that builds one may "
            "only have arguments with defaults"
        )
    if not isinstance(output, Tensor) and hasattr(output, "__array__"):
        output = _from_array(np.asarray(output))
    if not isinstance(output, Tensor):
        names = f" of {', '.join(map(repr, output))}" if isinstance(output, Mapping) else ""
        raise ArcalError(
            f"the model returns {type(output).__name__}{names}, in which no logits are found: "
            "return a tensor, or name them `logits`"
        )
    return output


def _from_array(array: np.ndarray) -> Any:
    """A copy of numbers as NumPy, JAX or TensorFlow have them; of anything else, the array."""
    if array.dtype.kind == "V" and array.dtype.names is None:  # as NumPy calls JAX's bfloat16
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        return array
    kind = np.dtype(np.float64) if array.dtype == np.longdouble else array.dtype.newbyteorder("=")
    return torch.from_numpy(np.array(array, dtype=kind, order="C"))  # which reversed rows are not


def _one_of(outputs: tuple[Any, ...] | list[Any], classes: int | None) -> Any:
    """The logits among several outputs, or all outputs if there are none."""
    tensors = [one for one in outputs if isinstance(one, Tensor) and one.ndim]
    fitting = perhaps_logits(outputs, classes)
    if len({one.shape[1] for one in fitting}) > 1:
        shapes = " and ".join(str(tuple(one.shape)) for one in fitting)
        raise ArcalError(
            f"the model returns a {type(outputs).__name__} of {shapes}, and any of them may be the "
            "logits: return these alone, or in a dict that names them `logits`"
        )
    return next(iter((*fitting, *tensors)), outputs)


def perhaps_logits(output: Any, classes: int | None = None) -> list[Tensor]:
    """The tensors `(N, Z)` of a tuple or list that may be its logits; none of anything else.

    >>> import torch
    >>> logits, loss = torch.tensor([[2.0, -1.0]]), torch.tensor(0.25)
    >>> len(perhaps_logits((loss, logits, logits / 2)))
    2
    """
    if not isinstance(output, tuple | list) or hasattr(output, "logits"):
        return []
    rows = [one for one in output if isinstance(one, Tensor) and one.ndim == 2]
    rows = [one for one in rows if one.is_floating_point()]
    return [one for one in rows if one.shape[1] == classes] or rows


def exported_module(program: ExportedProgram) -> nn.Module:
    """The module of an exported program; if its batch size is fixed, one that takes any.

    It is cut into batches of at most the largest size the program was exported for, and a batch
    below the smallest is filled up with its last row; what comes back of the filling is left out.
    """
    least, most = _batch_sizes(program)
    module = program.module()
    _let_it_be_exported_again(module)
    return module if (least, most) == (1, sys.maxsize) else _AnyBatch(module, least, most)


def _let_it_be_exported_again(module: Any) -> None:
    """Detach constants out of place: `torch.export` writes it in place, and then refuses that."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.detach_.default:
            node.target = torch.ops.aten.detach.default
    module.recompile()


def _batch_sizes(program: ExportedProgram) -> tuple[int, int]:
    """The least and the most rows the program takes, from the first of its inputs."""
    names = program.graph_signature.user_inputs
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder" and node.name in names and isinstance(value, Tensor):
            if value.ndim == 0:
                continue
            rows: Any = value.shape[0]
            if isinstance(rows, int):
                return rows, rows
            sizes = program.range_constraints.get(rows.node.expr)
            if sizes is None:
                return 1, sys.maxsize
            # torch writes 2 for sizes that may be 0 or 1 as well; its infinity has no int.
            least = int(sizes.lower) if sizes.lower > 2 else 1
            return least, int(sizes.upper) if sizes.upper < sys.maxsize else sys.maxsize
    raise ArcalError("the exported program takes no tensor: export one that takes inputs (N, ...)")


class _AnyBatch(nn.Module):
    """A module of batches of `least` to `most` rows, called with any number of rows."""

    def __init__(self, module: nn.Module, least: int, most: int):
        super().__init__()
        self.module, self.least, self.most = module, least, most

    def forward(self, *parts: Tensor, **named: Tensor) -> Tensor:
        first = next(iter((*parts, *named.values())))
        logits = []
        for index in torch.arange(len(first), device=first.device).split(self.most):
            filling = index[-1:].expand(max(self.least - len(index), 0))
            filled = torch.cat([index, filling])
            some = [part[filled] for part in parts]
            output = self.module(*some, **{name: part[filled] for name, part in named.items()})
            logits.append(logits_of(output)[: len(index)])
        return torch.cat(logits)
