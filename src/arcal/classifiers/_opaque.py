"""What a classifier in code may compute with outside its state dict."""

import hashlib
import io
import sys
import warnings
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

_READ = (bool, int, float, complex, str, bytes, np.generic)
"""Those of them whose value may come from elsewhere than the code, such as a configuration."""


def held_by(classifier: Any) -> str | None:
    """A digest of what it holds besides tensors and code; None if it is opaque.

    Then what it computes may change while its code, tensors and plain values stay the same. This is
    so for a function, for a module without tensors, and for a module that holds something besides
    tensors, modules and plain values: a model of another library, an array, or a tensor that is not
    a buffer, in an attribute or in a global variable that the code of its class names.

    The digest is of the plain values of a module, or of the whole program of TorchScript.

    >>> network = nn.Linear(2, 2)
    >>> before = held_by(network)
    >>> network.scale = 2
    >>> held_by(network) == before
    False
    >>> network.table = np.ones(2)
    >>> held_by(network), held_by(np.argmax), held_by(nn.Flatten())
    (None, None, None)
    """
    if not (isinstance(classifier, nn.Module) and classifier.state_dict()):
        return None
    digest = hashlib.sha256()
    if isinstance(classifier, torch.jit.ScriptModule):
        with warnings.catch_warnings(action="ignore"):  # new releases of torch warn of it
            torch.jit.save(classifier, program := io.BytesIO())
        digest.update(program.getbuffer())
        return digest.hexdigest()[:16]
    left = [(one, _counts(module)) for module in classifier.modules() for one in _held_by(module)]
    seen = {id(one): one for one in classifier.modules()}  # held, so that no id is used again
    while left:
        value, counts = left.pop()
        if counts and isinstance(value, _READ):
            digest.update(f"{value!r}\n".encode(errors="backslashreplace"))
        if isinstance(value, _PLAIN) or id(value) in seen:
            continue
        seen[id(value)] = value
        if (parts := _parts(value)) is None:
            return None
        left += [(one, counts and _counts(value)) for one in parts]
    return digest.hexdigest()[:16]


def _counts(value: Any) -> bool:
    """Whether its plain values count; those of torch's own machinery are addresses and the like."""
    package = f"{type(value).__module__}."
    return package.startswith("torch.nn.") or not package.startswith("torch.")


def _held_by(module: nn.Module) -> list[Any]:
    """What a module, and its class if a user wrote it, may read besides parameters and buffers."""
    held = [one for name, one in vars(module).items() if name not in ("_parameters", "_buffers")]
    if _is_written(type(module).__module__):
        held += [
            one
            for name, one in vars(type(module)).items()
            if isinstance(one, FunctionType) or not name.startswith(("__", "_abc"))
        ]
    return held


def _is_written(module: str | None) -> bool:
    """Whether a Python module is a user's own code rather than part of an installed package."""
    file = getattr(sys.modules.get(module or ""), "__file__", None)
    if file is None or str(module).split(".")[0] in ("arcal", "torch", *sys.stdlib_module_names):
        return False
    return {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _read_by(function: FunctionType) -> list[Any]:
    """What a function reads besides its arguments; if a user wrote it, global variables too."""
    cells = [*(function.__closure__ or ()), *(function.__defaults__ or ())]
    named = function.__code__.co_names if _is_written(function.__module__) else ()
    return [*cells, *(function.__globals__.get(name) for name in named)]


def _parts(value: Any) -> Iterable[Any] | None:
    """All that a value holds; None if it may compute by itself, or cannot be looked into."""
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        return value
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    if isinstance(value, FunctionType):
        return _read_by(value)
    if isinstance(value, CellType):
        return [value.cell_contents] if value != CellType() else []
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, classmethod | staticmethod):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget]
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, nn.Module | torch.Tensor | torch.ScriptObject):  # not registered
        return None
    return vars(value).values() if hasattr(value, "__dict__") else None
