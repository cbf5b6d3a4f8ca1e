"""Logits out of whatever a classifier returns."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from arcal.errors import ArcalError


def logits_of(output: Any, classes: int | None = None) -> Tensor:
    """Logits `(N, Z)` from a tensor or array, a `ModelOutput`, a dict, or a tuple that holds them.

    A binary classifier's single logit z, as `(N,)` or `(N, 1)`, becomes the two logits (0, z): the
    softmax of these is `(1 - s(z), s(z))` with the sigmoid `s(z) = 1 / (1 + exp(-z))`. Of a dict
    the entry `logits`, or the only one, is taken; of a tuple the first tensor that is not a scalar,
    as a loss would be.

    No floats, another rank, or another number of classes than `classes` raise `ArcalError`.

    >>> import torch
    >>> logits_of({"logits": torch.tensor([2.0, -1.0])}).tolist()
    [[0.0, 2.0], [0.0, -1.0]]
    """
    logits = _tensor_in(output)
    if not logits.is_floating_point():
        raise ArcalError(
            f"the model returns {logits.dtype}, such as classes it has chosen: logits are needed"
        )
    if logits.ndim == 1:
        logits = logits.unsqueeze(1)
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ArcalError(
            f"the model returns shape {tuple(logits.shape)}: logits (N, Z) are needed, one row for "
            "each input, or (N,) of a binary classifier"
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
            "give the model of this data"
        )


def _tensor_in(output: Any) -> Tensor:
    if isinstance(output, Mapping):
        only = next(iter(output.values())) if len(output) == 1 else output
        output = output.get("logits", only)
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list):
        output = next((x for x in output if isinstance(x, Tensor) and x.ndim), output)
    if isinstance(output, nn.Module):
        raise ArcalError(
            f"the model returns a module, {type(output).__name__}: what builds one takes no "
            "argument, or only those that have a default"
        )
    if isinstance(output, np.ndarray):
        output = torch.as_tensor(output)
    if not isinstance(output, Tensor):
        names = f" of {', '.join(map(repr, output))}" if isinstance(output, Mapping) else ""
        raise ArcalError(
            f"the model returns {type(output).__name__}{names}, in which no logits are found: "
            "return a tensor, or name them `logits`"
        )
    return output
