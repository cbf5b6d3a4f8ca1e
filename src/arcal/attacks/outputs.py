"""Logits from whatever a classifier returns, including an exported program."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.export import ExportedProgram

from arcal.attacks.inputs import Inputs
from arcal.errors import ArcalError, ModelInputError, a_type, first_line

GUARD = "Guard failed: "
"""How torch begins to say that a program was not exported for such inputs."""


def logits_of(output: Any, classes: int | None = None) -> Tensor:
    """Logits `(N, Z)` from a tensor or array, a `ModelOutput`, a dict, or a tuple that holds them.

    A binary classifier's single logit z, as `(N,)` or `(N, 1)`, becomes the two logits (0, z),
    whose softmax is `(1 - s(z), s(z))` with the sigmoid `s(z) = 1 / (1 + exp(-z))`. A dict's
    logits are its entry `logits`, or the only one. A tuple's are the only tensor `(N, Z)`, the
    first of several with the same Z, or the first with Z = `classes`; scalars, such as a loss, and
    hidden states `(N, L, H)` are ignored.

    Anything but floats, a wrong rank, a number of classes other than `classes`, and a tuple of
    tensors of different Z that may all be logits, such as features and logits, raise `ArcalError`.

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
    """Refuse logits `(N, Z)` whose number of classes is not that of the data, if it is known.

    >>> import torch
    >>> check_classes(torch.zeros(5, 3), 3)
    """
    if classes is not None and logits.shape[1] != classes:
        refuse_one_number(logits, classes)
        raise ArcalError(
            f"the model returns logits of {logits.shape[1]} classes, and the data has {classes}: "
            "give the model for this data"
        )


def refuse_one_number(logits: Tensor, classes: int) -> None:
    """Refuse logits (0, z), `(N, 2)`, made of one number each, if the data has more `classes`.

    >>> import torch
    >>> refuse_one_number(torch.tensor([[0.0, 1.5]]), 2)
    """
    if classes > 2 and logits.shape[1] == 2 and (logits[:, 0] == 0).all():
        raise ArcalError(
            "the model returns one number for each input, which is the logit of one of two "
            f"classes, and the data has {classes}: return a logit for each class; a regression, "
            "as of a grade, has no probabilities"
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
    """A tensor with a copy of the array's numbers; an array of anything else as it is."""
    if array.dtype.kind == "V" and array.dtype.names is None:  # as NumPy calls JAX's bfloat16
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        return array
    kind = np.dtype(np.float64) if array.dtype == np.longdouble else array.dtype.newbyteorder("=")
    return torch.from_numpy(np.array(array, dtype=kind, order="C"))  # no negative strides


def _one_of(outputs: tuple[Any, ...] | list[Any], classes: int | None) -> Any:
    """The logits among several outputs, else the first tensor, else all outputs."""
    tensors = [one for one in outputs if isinstance(one, Tensor) and one.ndim]
    fitting = perhaps_logits(outputs, classes)
    rows = [one for one in fitting if one.ndim == 2]
    if len({one.shape[1] for one in rows}) > 1:
        shapes = " and ".join(str(tuple(one.shape)) for one in rows)
        raise ArcalError(
            f"the model returns {a_type(outputs)} of {shapes}, and any of them may be the "
            "logits: return these alone, or in a dict that names them `logits`"
        )
    return next(iter((*fitting, *tensors)), outputs)


def perhaps_logits(output: Any, classes: int | None = None) -> list[Tensor]:
    """The tensors in a tuple or list that may be the logits, the likeliest first.

    They are those `(N, Z)`, then those `(N,)` of a binary classifier, unless N is 1, where it may
    be a loss; if some have `classes` classes, they are only these. Anything but a tuple or
    list has none.

    >>> import torch
    >>> logits, loss = torch.tensor([[2.0, -1.0]]), torch.tensor(0.25)
    >>> len(perhaps_logits((loss, logits, logits / 2)))
    2
    """
    if not isinstance(output, tuple | list) or hasattr(output, "logits"):
        return []
    floats = [one for one in output if isinstance(one, Tensor) and one.is_floating_point()]
    perhaps = [one for one in floats if one.ndim == 2]
    perhaps += [one for one in floats if one.ndim == 1 and len(one) > 1]
    perhaps = [one for one in perhaps if len(one) == len(perhaps[0])]
    return [one for one in perhaps if max((2, *one.shape[1:])) == classes] or perhaps


def exported_module(program: ExportedProgram) -> nn.Module:
    """The module of an exported program, taking batches of any size.

    Larger inputs are cut into batches of the largest size that the program was exported for. A
    batch below the smallest size is padded with copies of its last row, whose logits are then
    dropped.
    """
    least, most = _batch_sizes(program)
    module = program.module()
    _let_it_be_exported_again(module)
    spec: Any = program.call_spec.in_spec
    positional, named = spec.children()
    if positional.num_children == 1 and not named.num_children:
        (only,) = positional.children()
        if only.type in (dict, list, tuple):
            module = _OfOneArgument(module, only.type, only.context)
    return module if (least, most) == (1, sys.maxsize) else _AnyBatch(module, least, most)


def refused_by_program(classifier: Any, x: Inputs, error: AssertionError) -> ModelInputError | None:
    """The error for inputs that a program inside the classifier was not exported for, or None."""
    modules = classifier.modules() if isinstance(classifier, nn.Module) else ()
    program = next((one for one in modules if isinstance(one, fx.GraphModule)), None)
    if program is None or not (said := first_line(error)).startswith(GUARD):
        return None
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"]
    taken = [in_words(one.shape) for one in values if isinstance(one, Tensor)]
    given = [in_words(one.shape) for one in x.named.values()]
    return ModelInputError(
        f"the program was exported for inputs {' and '.join(taken)}, and is given "
        f"{' and '.join(given)} ({said.removeprefix(GUARD)} does not hold): give inputs of that "
        "shape, or export it with `dynamic_shapes`"
    )


def in_words(shape: torch.Size) -> str:
    """A shape with N inputs, and ? for what a program lets vary.

    >>> import torch
    >>> in_words(torch.Size([5, 3])), in_words(torch.Size([5]))
    ('(N, 3)', '(N,)')
    """
    sides = [str(one) if isinstance(one, int) else "?" for one in shape[1:]]
    return f"({', '.join(['N', *sides])}{',' * (not sides)})"


def _let_it_be_exported_again(module: Any) -> None:
    """Detach constants out of place: `torch.export` writes in-place detach, and then refuses it."""
    for node in module.graph.nodes:
        if node.target is torch.ops.aten.detach_.default:
            node.target = torch.ops.aten.detach.default
    module.recompile()


def _batch_sizes(program: ExportedProgram) -> tuple[int, int]:
    """The fewest and the most rows that the program takes, read from its first tensor input."""
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
            # torch writes 2 for sizes that may also be 0 or 1; its infinity does not convert to
            # int.
            least = int(sizes.lower) if sizes.lower > 2 else 1
            return least, int(sizes.upper) if sizes.upper < sys.maxsize else sys.maxsize
    raise ArcalError("the exported program takes no tensor: export one that takes inputs (N, ...)")


class _OfOneArgument(nn.Module):
    """Calls a module that takes one dict, list or tuple of tensors with each as an argument."""

    def __init__(self, module: nn.Module, kind: Any, keys: Any):
        super().__init__()
        self.module, self.kind, self.keys = module, kind, keys

    def forward(self, *parts: Tensor, **named: Tensor) -> Any:
        if self.kind is dict and named.keys() == set(self.keys):
            return self.module({name: named[name] for name in self.keys})
        return self.module(named or ([*parts] if self.kind is list else parts))


class _AnyBatch(nn.Module):
    """Calls a module that takes `least` to `most` rows with any number of rows."""

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
