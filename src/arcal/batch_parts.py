"""The parts of a batch of labelled inputs: ids, names, inputs and labels, in whatever form."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from numbers import Number
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from arcal.arrays import as_tensor, check_has_values
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
        return _parts_by_name(batch)
    return Batch(None, None, *batch) if len(batch) == 2 else _parts_by_shape(*batch)


def _parts_by_name(batch: Mapping[Any, Any]) -> Batch:
    title = label_key(batch)
    labels = None if title is None else batch[title]
    rest = {name: value for name, value in batch.items() if name not in (title, "ids")}
    texts = [name for name, value in rest.items() if _are_texts(value)]
    names = rest.pop(texts[0]) if len(texts) == 1 < len(rest) else None
    x = next(iter(rest.values())) if len(rest) == 1 else rest
    ids = batch.get("ids")
    return Batch(None, ids, x, labels) if _are_texts(ids) else Batch(ids, names, x, labels)


def _parts_by_shape(first: Any, second: Any, third: Any) -> Batch:
    if _are_texts(first):  # names, or texts that no model reads, which is refused later
        if _is_row(second):
            return Batch(None, None, first, second)
        return Batch(None, first, second, third)
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


def is_pair(data: Any) -> bool:
    """Whether these are inputs, perhaps of several tensors, and labels, rather than two batches.

    Two lists of numbers may be either, and are none.

    >>> x = torch.rand(2, 3)
    >>> is_pair((x, [0, 1])), is_pair(((x, x), [0, 1])), is_pair([(x, [0, 1]), (x, [1, 0])])
    (True, True, False)
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        return False
    first, second = data
    if isinstance(first, Mapping):
        return not isinstance(second, Mapping)
    if not isinstance(first, tuple | list):
        kinds = Inputs | Tensor
        return isinstance(first, kinds) or hasattr(first, "__array__") or hasattr(first, "columns")
    if not isinstance(second, tuple | list):
        return hasattr(second, "__array__")
    several = len(first) > 0 and not isinstance(first[0], Number | list | tuple)
    return several and len(shape_of(second) or ()) == 1


def is_of_single_inputs(data: Any) -> TypeGuard[Dataset[Any]]:
    """Whether `data[i]` is one labelled input, as in a data set of Hugging Face.

    So it is taken to be if `data` has a length and can only be read by position.

    >>> is_of_single_inputs([(torch.rand(3), 0)]), is_of_single_inputs([(torch.rand(1, 3), [0])])
    (True, False)
    """
    if not hasattr(type(data), "__getitem__"):
        return False
    if hasattr(data, "__len__") and not hasattr(data, "__iter__"):
        return True
    try:
        one = data[0]
    except (LookupError, TypeError):
        return False
    if isinstance(one, Mapping):
        label = one.get(label_key(one), ())
    else:
        parts = one if isinstance(one, tuple | list) and len(one) in (2, 3) else [()]
        label = parts[-1]
        if isinstance(data, list | tuple) and all(shape_of(part) == () for part in parts):
            return False  # rows of numbers, such as a pair of lists
    return isinstance(label, str) or shape_of(label) == ()


def _loads_part(data: Any) -> bool:
    """Whether it is a DataLoader of a part of `arcal.data`, whose rows cannot be indexed."""
    return isinstance(data, DataLoader) and hasattr(data.dataset, "fingerprint")


def check_data(data: Any, name: str) -> None:
    """Refuse data that no model reads, such as texts or pictures, and say what to give instead.

    >>> check_data((["good", "bad"], [1, 0]), "data")
    Traceback (most recent call last):
    arcal.errors.ArcalError: data holds texts, which a model does not read: with ...
    """
    if data is None:
        raise ArcalError(f"{name} is missing: give a part, a pair (x, y) or a loader")
    if isinstance(data, str | Path):
        raise ArcalError(f"{name} is a path: give what `arcal.data.load_part` reads from it")
    if _loads_part(data):
        raise ArcalError(
            f"{name} is a DataLoader of a part of `arcal.data`, which cannot be read one by one: "
            "give the part itself"
        )
    if hasattr(data, "fingerprint") and hasattr(data, "texts"):
        raise _no_texts(name, "texts.texts", "texts.labels")
    pair = is_pair(data)
    x = data[0] if pair else data
    first = _first_row(x)
    item = first[0] if isinstance(first, tuple | list) and len(first) == 2 else first
    if isinstance(item, str):
        raise _no_texts(name, "texts", "labels")
    if pair and hasattr(x, "columns"):
        raise ArcalError(
            f"the inputs of {name} are {a_type(x)}, and a model takes tensors: give its numbers "
            "as an array, such as x.to_numpy(), or audit or calibrate predictions alone, by "
            "`as_predictions`"
        )
    if pair and isinstance(x, list | tuple) and isinstance(first, Number | list | tuple):
        raise ArcalError(
            f"the inputs of {name} are lists of numbers: make tensors of them, as `torch.tensor(x)`"
        )
    if type(first).__module__.startswith("PIL."):
        raise ArcalError(
            f"{name} holds Pillow images, which a model does not read: make a tensor of them, as "
            "torch.stack([to_tensor(one) for one in images]) with to_tensor of "
            "torchvision.transforms.functional"
        )
    if _is_source(first):
        raise ArcalError(
            f"{name} is {a_type(data)} of {len(data)} loaders or data sets: give one that yields "
            f"inputs and their labels, such as {name}[{len(data) - 1}]"
        )


def _first_row(x: Any) -> Any:
    """The first of a list, an array or a column of pandas; None for anything else."""
    row = isinstance(x, list | tuple) or (isinstance(x, np.ndarray) and x.ndim > 0)
    series = hasattr(x, "__array__") and hasattr(x, "iloc") and not hasattr(x, "columns")
    return next(iter(x), None) if row or series else None


def _is_source(one: Any) -> bool:
    """Whether this is a loader or data set rather than an input or a batch."""
    if isinstance(one, DataLoader | Dataset):
        return True
    batch = isinstance(one, list | tuple | Mapping | Tensor)
    return not batch and is_of_single_inputs(one)


def _no_texts(name: str, texts: str, labels: str) -> ArcalError:
    return ArcalError(
        f"{name} holds texts, which a model does not read: with opened = "
        f"open_classifier('hf:FOLDER') give opened.model, (opened.tokenize({texts}), {labels}) "
        "and, except to a calibration, bounds=None; of another model audit or calibrate "
        "predictions alone, by `as_predictions`"
    )


def check_is_labelled(batch: Any) -> None:
    """Refuse a batch that is none of labelled inputs, and say what to give.

    >>> check_is_labelled({"x": [[0.5]], "class": [1]})
    Traceback (most recent call last):
    arcal.errors.ArcalError: a batch is a dict of 'x', 'class': give (x, labels), \
(ids, x, labels), or a dict with `labels`
    """
    if isinstance(batch, Mapping):
        labelled = label_key(batch) is not None
    else:
        several = isinstance(batch, tuple | list) and len(batch) in (2, 3)
        labelled = several or is_dataclass(batch)
    if labelled:
        return
    keys, more = "", ""
    if isinstance(batch, Mapping):
        keys = f" of {first_few([*map(repr, batch)])}"
    elif isinstance(batch, list) and not any(isinstance(one, Tensor) for one in batch):
        more = ", and make arrays of lists of numbers"
    elif isinstance(batch, tuple | list):
        keys, more = f" of {len(batch)}", f"; {WITHOUT}" * (len(batch) > 3)
    elif not isinstance(batch, Tensor):
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
    refuse_files(x)
    if isinstance(x, Mapping):
        x = {name: _as_tensor(one) for name, one in x.items()}
    x = [*map(_as_tensor, x)] if isinstance(x, tuple | list) else _as_tensor(x)
    if not isinstance(x, Tensor | Inputs | Mapping | tuple | list):
        raise ArcalError(
            f"the inputs of a batch are {a_type(x)}: give a tensor (N, ...), or a dict or "
            "tuple of several"
        )
    inputs = Inputs.of(x).plain()
    for name, one in inputs.named.items():
        check_has_values(one, f"input {name!r}")
    return inputs


def refuse_files(x: Any) -> None:
    """Refuse files that are not decoded, as a column of `datasets` gives them.

    >>> refuse_files({"audio": {"bytes": b"RIFF", "path": "a.wav"}})
    Traceback (most recent call last):
    arcal.errors.ArcalError: the inputs are files that are not decoded, each its bytes and path: ...
    """
    for one in (x, *x.values()) if isinstance(x, Mapping) else ():
        if isinstance(one, Mapping) and {*one} == {"bytes", "path"}:
            raise ArcalError(
                "the inputs are files that are not decoded, each its bytes and path: make tensors "
                "of one shape of them, by the data set's `with_transform` or by the `collate_fn` "
                "of a DataLoader"
            )


def _as_tensor(x: Any) -> Any:
    array = hasattr(x, "__array__") and not isinstance(x, Tensor)
    return as_tensor(x, "inputs", copied=False) if array else x
