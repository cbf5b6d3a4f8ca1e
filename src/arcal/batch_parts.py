"""The parts of a batch of labelled inputs: ids, names, inputs and labels, in whatever form."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import as_tensor
from arcal.attacks import Inputs
from arcal.errors import ArcalError, a_type
from arcal.printable import first_few

LABELS = ("labels", "label")
"""The keys of labels in transformers' collators and in data sets of its hub."""
ALSO = ("targets", "target", "y")
"""Other keys of labels, which count only one at a time and without `LABELS`."""

WITHOUT = "leave out the rest, as `[(x, labels) for x, labels, *_ in loader]`"
"""How to leave out what is in a batch beside inputs and labels."""


class Batch(NamedTuple):
    """What a batch holds, as it was given; None for what it has not."""

    ids: Any
    names: Any
    x: Any
    labels: Any


def label_key(batch: Mapping[Any, Any]) -> str | None:
    """The key of a batch's labels, or None; several that may be raise `ArcalError`.

    >>> label_key({"x": [[0.5]], "y": [1]})
    'y'
    """
    certain = [name for name in LABELS if name in batch]
    keys = certain or [name for name in ALSO if name in batch]
    if len(keys) > 1 and not certain:
        raise ArcalError(
            f"a batch has {' and '.join(map(repr, keys))}, and each may be the labels: call the "
            "labels 'labels'"
        )
    return keys[0] if keys else None


def parts_of(batch: Any) -> Batch:
    """What a batch of labelled inputs holds; `labels` are None in a dict without any.

    The parts of a batch of three are told apart by their shapes: a row of whole numbers or of texts
    beside inputs and labels has their ids or names.

    >>> parts_of((torch.rand(2, 3), [1, 0], ["a.png", "b.png"])).names
    ['a.png', 'b.png']
    """
    if is_dataclass(batch) and not isinstance(batch, Mapping):
        batch = {one.name: getattr(batch, one.name) for one in fields(batch)}
    if isinstance(batch, Mapping):
        title = label_key(batch)
        rest = {name: value for name, value in batch.items() if name not in (title, "ids")}
        texts = [name for name, value in rest.items() if _are_texts(value)]
        names = rest.pop(texts[0]) if len(texts) == 1 < len(rest) else None
        ids = batch.get("ids")
        if _are_texts(ids):
            ids, names = None, ids
        x = next(iter(rest.values())) if len(rest) == 1 else rest
        return Batch(ids, names, x, None if title is None else batch[title])
    if len(batch) == 2:
        return Batch(None, None, *batch)
    first, second, third = batch
    if _are_texts(first):  # names, or texts that no model reads, which is refused later
        return Batch(None, None, first, second) if _is_row(second) else Batch(None, *batch)
    if _is_row(first) or shape_of(third) == ():
        return Batch(first, None, second, third)
    if _are_texts(third):
        return Batch(None, third, first, second)
    if _is_row(second) and _is_row(third) and _are_whole(third):
        return Batch(third, None, first, second)
    shape = shape_of(first) or a_type(first)
    raise ArcalError(
        f"the first of a batch of three is {shape}, which are no ids, and the last are neither ids "
        "nor names: give (ids, x, labels), (x, labels, ids) or (x, labels, names), or "
        f"{WITHOUT}"
    )


def shape_of(values: Any) -> tuple[int, ...] | None:
    """The shape of an array or of nested lists; None for a dict or lists of several lengths.

    >>> shape_of([[1, 2, 3]]), shape_of([[1], [2, 3]])
    ((1, 3), None)
    """
    try:
        return None if isinstance(values, Mapping) else tuple(np.shape(values))
    except (ValueError, TypeError, RuntimeError):
        return None


def _is_row(values: Any) -> bool:
    """Whether these are one value for each input, `(B,)` or `(B, 1)`."""
    shape = shape_of(values) or ()
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def _are_texts(values: Any) -> bool:
    if not isinstance(values, list | tuple):
        values = values if isinstance(values, np.ndarray) and values.ndim == 1 else ()
    return len(values) > 0 and all(isinstance(one, str | Path) for one in values)


def _are_whole(values: Any) -> bool:
    try:
        dtype = as_tensor(values).dtype
    except ArcalError:
        return False
    return not dtype.is_floating_point and dtype != torch.bool


def check_is_labelled(batch: Any) -> None:
    """Refuse a batch that is none of labelled inputs, and say what to give.

    >>> check_is_labelled({"x": [[0.5]], "class": [1]})
    Traceback (most recent call last):
    arcal.errors.ArcalError: a batch is a dict of 'x', 'class': give (x, labels), \
(ids, x, labels), or a dict with `labels`
    """
    keys = ""
    if isinstance(batch, Mapping):
        if label_key(batch) is not None:
            return
        keys = f" of {first_few([*map(repr, batch)])}"
    elif is_dataclass(batch) or (isinstance(batch, tuple | list) and len(batch) in (2, 3)):
        return
    several = isinstance(batch, tuple | list)
    more = ""
    if isinstance(batch, list) and not any(isinstance(one, Tensor) for one in batch):
        more = ", and make arrays of lists of numbers"
    elif several:
        keys, more = f" of {len(batch)}", f"; {WITHOUT}" * (len(batch) > 3)
    elif not isinstance(batch, Tensor | Mapping):
        more = ", or predictions alone, by `as_predictions`"
    raise ArcalError(
        f"a batch is {a_type(batch)}{keys}: give (x, labels), (ids, x, labels), or a dict with "
        f"`labels`{more}"
    )


def as_inputs(x: Any) -> Inputs:
    """The inputs of a batch as tensors, made of other libraries' arrays where there are any.

    >>> as_inputs(np.zeros((2, 3), np.float32)).x.shape
    torch.Size([2, 3])
    """
    if isinstance(x, Mapping):
        x = {name: _as_tensor(one) for name, one in x.items()}
    x = [*map(_as_tensor, x)] if isinstance(x, tuple | list) else _as_tensor(x)
    if not isinstance(x, Tensor | Inputs | Mapping | tuple | list):
        raise ArcalError(
            f"the inputs of a batch are {a_type(x)}: give a tensor (N, ...), or a dict or "
            "tuple of several"
        )
    return Inputs.of(x).plain()


def _as_tensor(x: Any) -> Any:
    array = hasattr(x, "__array__") and not isinstance(x, Tensor)
    return as_tensor(x, "inputs", copied=False) if array else x
