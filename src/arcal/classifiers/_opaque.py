"""Whether a classifier in code may compute with what its state dict does not hold."""

import sys
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import partial
from pathlib import Path, PurePath
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

_PLAIN = (
    *(type(None), bool, int, float, complex, str, bytes, type, Enum, PurePath, np.generic),
    *(torch.dtype, torch.device, torch.memory_format, torch.layout),
    *(BuiltinFunctionType, ModuleType),
)


def is_opaque(classifier: Any) -> bool:
    """Whether a change of what it computes may leave its code and its state dict as they were.

    So it is of a function, and of a module without tensors, or with something beside its tensors,
    modules and plain values: a model of another library, an array, or a tensor that is no buffer,
    in an attribute or among the global variables that the code of its class names.

    >>> network = nn.Linear(2, 2)
    >>> network.scale = 2
    >>> is_opaque(network)
    False
    >>> network.table = np.ones(2)
    >>> is_opaque(network), is_opaque(np.argmax), is_opaque(nn.Flatten())
    (True, True, True)
    """
    if not (isinstance(classifier, nn.Module) and classifier.state_dict()):
        return True
    if isinstance(classifier, torch.jit.ScriptModule):
        return False
    seen = {id(one) for one in classifier.modules()}
    return not all(_shown(module, seen) for module in classifier.modules())


def _shown(module: nn.Module, seen: set[int]) -> bool:
    """Whether the state dict has all that a module may read beside plain values."""
    held = [one for name, one in vars(module).items() if name not in ("_parameters", "_buffers")]
    if _is_written(type(module).__module__):
        held += [
            one
            for name, one in vars(type(module)).items()
            if isinstance(one, FunctionType) or not name.startswith(("__", "_abc"))
        ]
    return _plain(held, seen)


def _is_written(module: str | None) -> bool:
    """Whether a Python module is somebody's own code, and not that of an installed package."""
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    if file is None or str(module).split(".")[0] in ("arcal", "torch", *sys.stdlib_module_names):
        return False
    return {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _read_by(function: FunctionType) -> list[Any]:
    """What a function reads beside its arguments: of what somebody wrote, global variables too."""
    cells = [*(function.__closure__ or ()), *(function.__defaults__ or ())]
    named = function.__code__.co_names if _is_written(function.__module__) else ()
    return [*cells, *(function.__globals__.get(name) for name in named)]


def _plain(value: Any, seen: set[int]) -> bool:
    """Whether all that can be reached from a value is plain; what was `seen` is known to be."""
    if isinstance(value, _PLAIN) or id(value) in seen:
        return True
    seen.add(id(value))
    parts: Iterable[Any] | None
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        parts = value
    elif isinstance(value, FunctionType):
        parts = _read_by(value)
    elif isinstance(value, CellType):
        parts = [value.cell_contents] if value != CellType() else []
    elif isinstance(value, MethodType):
        parts = [value.__self__, value.__func__]
    elif isinstance(value, classmethod | staticmethod):
        parts = [value.__func__]
    elif isinstance(value, property):
        parts = [value.fget]
    elif isinstance(value, partial):
        parts = [value.func, *value.args, *value.keywords.values()]
    elif isinstance(value, nn.Module | torch.Tensor | torch.ScriptObject):  # not registered
        parts = None
    else:
        parts = vars(value).values() if hasattr(value, "__dict__") else None
    return parts is not None and all(_plain(one, seen) for one in parts)
