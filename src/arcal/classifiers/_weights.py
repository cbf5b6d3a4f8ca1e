"""Files of weights: read without unpickling, cleaned of wrappers, and fitted to a network."""

import argparse
import copy
import hashlib
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from arcal.errors import ArcalError, first_line
from arcal.files import expanded

NESTED = ("state_dict", "model", "model_state_dict")
"""Where training scripts put the state dict in a checkpoint; averaged weights are left alone."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What DistributedDataParallel, Lightning and torch.compile put before every name."""

ENTRIES = 5
"""The most entries of a checkpoint that a message names."""

NUMBERS = (
    np.float64(0).__reduce__()[0],  # `numpy._core.multiarray.scalar`, wherever this NumPy has it
    np.dtype,
    *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "bool")),
)
"""What is needed to unpickle a NumPy number, such as a best accuracy, but not objects."""


@dataclass(frozen=True)
class Weights:
    """A state dict from a file, the file's SHA-256, and what was done to it in words."""

    path: Path
    state: Mapping[str, Tensor]
    digest: str
    changes: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The file for a page: its name, the first 16 digits of its SHA-256, and the changes."""
        return ", ".join((self.path.name, f"SHA-256 {self.digest[:16]}", *self.changes))

    def without_prefixes(self, known: Callable[[str], bool]) -> "Weights":
        """The weights with prefixes removed until `known` is true of a name, if it can be.

        The usual prefixes are removed, or else the only one of all names, or of names that are
        `known`.
        """
        state, changes = self.state, list(self.changes)
        while not any(map(known, state)):
            firsts = dict.fromkeys(name.partition(".")[0] + "." for name in state)
            inner = {
                p: {k[len(p) :]: state[k] for k in state if k.startswith(p)}
                for p in (*PREFIXES, *firsts)
            }
            usual = [prefix for prefix in PREFIXES if inner[prefix]]
            wrapping = [p for p in firsts if len(firsts) == 1 or any(map(known, inner[p]))]
            if not usual and len(wrapping) != 1:  # none, or a student's and a teacher's
                return self
            prefix = max(usual or wrapping, key=lambda prefix: len(inner[prefix]))
            if left := len(state) - len(inner[prefix]):
                changes.append(f"{left} without the prefix {prefix} left out")
            state = inner[prefix]
            changes.append(f"prefix {prefix} removed")
        return replace(self, state=state, changes=tuple(changes))


def read_weights(path: Path) -> Weights:
    """Read a state dict from a safetensors file, or from what `torch.save` wrote.

    Only tensors and plain containers are unpickled (`torch.load(weights_only=True)`), and the
    command line arguments (`argparse.Namespace`) and NumPy numbers that many training scripts save
    beside them. A file that is missing, damaged, or holds anything else raises `ArcalError`.
    """
    path = expanded(path)
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "is missing"
        raise ArcalError(f"{path} {kind}: give a file of weights, .safetensors or .pt")
    content = _loaded(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    changes: list[str] = []
    while isinstance(content, Mapping) and not all(isinstance(v, Tensor) for v in content.values()):
        name = _nested(content)
        if name is None:
            break
        content = content[name]
        changes.append(f"its entry {name}")
    if not isinstance(content, Mapping) or not any(isinstance(v, Tensor) for v in content.values()):
        entries = [str(name) for name in content] if isinstance(content, Mapping) else []
        held = f" but {', '.join(entries[:ENTRIES])}" if entries else ""
        raise ArcalError(
            f"{path} holds no state dict{held}: save `model.state_dict()`, alone or as the entry "
            "`state_dict` of a dict"
        )
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    return Weights(path, tensors, digest, tuple(changes))


def _loaded(path: Path) -> Any:
    """The content of a file, without unpickling; `ArcalError` if it cannot be read in this way."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        known: list[Any] = [argparse.Namespace, *NUMBERS]
        with torch.serialization.safe_globals(known), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, which is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArcalError(_why_not_unpickled(path, str(error))) from None
    except Exception as error:  # damaged bytes raise errors of every kind
        if "TorchScript" in str(error):
            raise ArcalError(
                f"{path} is a TorchScript program: name a function of a .py file that returns "
                f"`torch.jit.load('{path}')` as the model, or save the program's `state_dict()`"
            ) from None
        raise ArcalError(
            f"{path} cannot be read as weights ({first_line(error).partition('. ')[0]}): it may "
            "have been cut off, copy it again"
        ) from None


def _nested(checkpoint: Mapping[Any, Any]) -> str | None:
    """The entry that holds the state dict: one of the usual names, or the only one of tensors."""
    for name in NESTED:
        if isinstance(checkpoint.get(name), Mapping):
            return name
    dicts = {name: value for name, value in checkpoint.items() if isinstance(value, Mapping)}
    full = [n for n, d in dicts.items() if d and all(isinstance(t, Tensor) for t in d.values())]
    beside = sum(isinstance(value, Tensor) for value in checkpoint.values())
    return full[0] if len(full) == 1 and len(dicts[full[0]]) > beside else None


def _why_not_unpickled(path: Path, message: str) -> str:
    if blocked := re.search(r"Unsupported (?:global: GLOBAL|class) (\S+)", message):
        what = f"a {blocked[1]}, which is code or calls it"
    else:
        what = "something else"
    return (
        f"{path} holds more than tensors ({what}), and is not unpickled: save "
        "`model.state_dict()` instead, and name the network, such as file.py:NAME; if you trust a "
        "whole model, name a function of a .py file that returns "
        f"`torch.load('{path}', weights_only=False)`"
    )


def load_into(network: nn.Module, weights: Weights, name: str) -> Weights:
    """Load all of the weights into a network; returns them as they fitted.

    Weights that the network lacks, or that the file lacks, raise `ArcalError` and leave the network
    as it was; `name` is the network's, for the message.
    """
    own = network.state_dict()
    weights = weights.without_prefixes(own.__contains__)
    drawn = {key for key, tensor in own.items() if not is_lazy(tensor)}  # others take any shape
    for key, tensor in weights.state.items():
        if key in drawn and tensor.shape != own[key].shape:
            raise ArcalError(
                f"{weights.path} does not fit {name}: {key} is {tuple(tensor.shape)} in the file "
                f"and {tuple(own[key].shape)} in the network"
            )
    same = own.keys() == weights.state.keys()  # then nothing is refused after it was loaded
    before = None if same else copy.deepcopy(own)
    try:
        result = network.load_state_dict(dict(weights.state), strict=False)
    except RuntimeError as error:
        line = str(error).splitlines()[-1].strip()
        raise ArcalError(f"{weights.path} does not fit {name}: {line}") from None
    missing = [key for key in result.missing_keys if not key.endswith("num_batches_tracked")]
    if faults := [*_some(missing, "lacks"), *_some(result.unexpected_keys, "has in addition")]:
        network.load_state_dict({key: (before or own)[key] for key in drawn}, strict=False)
        raise ArcalError(
            f"{weights.path} does not fit {name}: it {' and '.join(faults)}; name the network that "
            "was trained"
        )
    dtypes = {t.dtype for t in weights.state.values() if t.is_floating_point()} - {torch.float32}
    stored = [f"stored as {str(dtype).removeprefix('torch.')}" for dtype in dtypes]
    return replace(weights, changes=(*weights.changes, *stored))


def _some(names: list[str], verb: str) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return [f"{verb} {names[0]}{more}"]
