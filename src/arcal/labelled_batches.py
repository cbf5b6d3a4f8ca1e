"""Batches of labelled inputs, in the forms that loaders yield."""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import is_dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from arcal.arrays import as_tensor
from arcal.attacks import Inputs, InputsLike
from arcal.batch_parts import (
    WITHOUT,
    as_inputs,
    check_data,
    check_is_labelled,
    is_of_single_inputs,
    is_pair,
    label_key,
    parts_of,
    refuse_files,
    shape_of,
)
from arcal.errors import ArcalError, a_type, first_line
from arcal.labels import NUMBERS, as_whole_numbers, numbered


def as_loader(data: Any, name: str = "data") -> Any:
    """Split a pair `(x, labels)` of arrays, a data set or a part into batches; keep anything else.

    Batches are in the order of the data and hold as many inputs as `usual_batch` says. Those of a
    part of `arcal.data` have its ids, and images in [0, 1]. The items of a data set are inputs with
    or without labels. A path, an object that cannot be iterated over, and a data set that has no
    length or whose items do not form batches raise `ArcalError`. Messages call the data by its
    `name`.

    >>> [len(x) for x, labels in as_loader((torch.rand(150, 3, 8, 8), torch.zeros(150).long()))]
    [100, 50]
    """
    check_data(data, name)
    if is_pair(data):
        return _batches_of_pair(data[0], data[1], name)
    if hasattr(data, "fingerprint") and hasattr(data, "images"):
        return _batches_of_images(data)
    if hasattr(data, "fingerprint") and hasattr(data, "columns"):  # a table
        return [
            (data.ids[i : i + BATCH], data.rows[i : i + BATCH], data.labels[i : i + BATCH])
            for i in range(0, len(data), BATCH)
        ]
    stream = isinstance(data, IterableDataset)
    if stream or not (isinstance(data, Dataset) or is_of_single_inputs(data)):
        if not hasattr(data, "__iter__") or isinstance(data, Mapping):
            raise ArcalError(
                f"{name} is {a_type(data)}: give a loader, a data set, a pair (x, labels) "
                f"or images that `arcal.data.load_part` read{_such_as(data, name)}"
            )
        return data
    if not isinstance(data, Sized):
        raise ArcalError(
            f"the data set, {a_type(data)}, has no length: give it `__len__`, or give a "
            "DataLoader that knows where it ends"
        )
    if not len(data):
        return []
    item = data[0]
    refuse_files(item)
    parts = item.values() if isinstance(item, Mapping) else item
    parts = parts if isinstance(item, Mapping | tuple | list) else ()
    if any(isinstance(one, list) and isinstance([*one, 0][0], float) for one in parts):
        raise ArcalError(
            f"the inputs of {name} are lists of numbers: make tensors of them, as `torch.tensor(x)`"
        )
    few = _collated([item])
    x = inputs_alone(few)
    size = usual_batch(x, torch.device("cpu"))
    return DataLoader(data, batch_size=size, collate_fn=_collated)


def _such_as(data: Any, name: str) -> str:
    """What to give in place of a collection of several loaders or data sets, if this is one."""
    mapped = isinstance(data, Mapping)
    if mapped and label_key(data) is not None:
        return f", or [{name}] if it is a single batch"
    for word in ("test", "val(id(ation)?)?", "dev", "train"):
        for one in data if mapped else dir(data):
            if re.fullmatch(f"{word}(_?(dl|loader|dataloader|split))?", str(one).lower()):
                call = "()" * callable(getattr(type(data), str(one), None))
                part = f"[{one!r}]" if mapped else f".{one}{call}"
                return f", or one of its parts, such as {name}{part}"
    return ""


def nothing_in(data: Any) -> str:
    """A phrase for data that are empty, perhaps because they were read before.

    >>> nothing_in([])
    'is empty'
    >>> nothing_in(iter([]))
    'is empty; as a list_iterator it can be read once: give the loader that it comes from, or a \
list of its batches'
    """
    if not isinstance(data, Iterator):
        return "is empty"
    return (
        f"is empty; as {a_type(data)} it can be read once: give the loader that it comes from, or "
        "a list of its batches"
    )


def _batches_of_pair(x: Any, labels: Any, name: str) -> list[tuple[Any, Any]]:
    inputs = as_inputs(x)
    shape = tuple(next(iter(inputs.named.values())).shape)
    N = shape[0] if shape else 0
    check_stacked(x, labels, N, name)
    if not isinstance(labels, list | tuple | Tensor) and np.asarray(labels).dtype.kind in "OU":
        labels = np.asarray(labels).tolist()  # perhaps names
    elif not isinstance(labels, list | tuple):
        labels = as_tensor(labels, "labels", must_be=NUMBERS)
    if not shape or (shape_of(labels) or ())[:1] != (N,):
        shapes = f"inputs {shape} and labels {shape_of(labels)}"
        raise ArcalError(f"{shapes}: give (N, ...) of the one and (N,) of the other")
    if not N:
        return []
    size = usual_batch(inputs.rows(slice(1)), inputs.device)
    every = [slice(i, i + size) for i in range(0, N, size)]
    alone = isinstance(inputs.parts, Tensor)
    rows = [inputs.rows(some).parts if alone else inputs.rows(some) for some in every]
    return [(some, labels[i]) for some, i in zip(rows, every, strict=True)]


def _collated(items: list[Any]) -> Any:
    """Items of a data set as one batch; items that do not form one raise `ArcalError`."""
    try:
        return default_collate(items)
    except (TypeError, RuntimeError) as error:
        said = first_line(error).removeprefix("default_collate: ")
        remedy = "give a DataLoader with a `collate_fn`"
        if "PIL." in said:
            said = "it yields Pillow images"
            remedy = "turn them into tensors of one size, such as by `transforms.ToTensor()`"
        elif "equal size" in said:
            remedy = "bring its inputs to one size, images such as by `transforms.Resize`"
        raise ArcalError(f"the data set gives no batches ({said}): {remedy}") from error


def _batches_of_images(part: Any) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    everything = torch.arange(len(part), device="cpu")
    size = usual_batch(part.images(everything[:1]), torch.device("cpu"))
    for some in everything.split(size):
        yield part.ids[some], part.images(some).float() / 255, part.labels[some]


def unpacked(
    batch: Any, seen: int, classes: Sequence[str] | None = None
) -> tuple[Tensor, Inputs, Tensor]:
    """The ids, inputs and labels of a batch; ids and labels are int64 `(B,)` on the CPU.

    A batch is `(x, labels)`, `(ids, x, labels)`, `(x, labels, ids)` or the same with texts as names
    in place of ids, or a dict or dataclass with labels under one of `LABELS` or `ALSO`, perhaps
    `ids`, perhaps one list of texts, which are names, and the inputs under all other keys. Inputs
    without ids are numbered from `seen` on. Labels may be names of `classes`. Anything else, and
    ids or labels that are not one whole number per input, raise `ArcalError`.

    >>> ids, x, labels = unpacked((torch.rand(2, 3), [1, 0]), seen=100)
    >>> ids, labels
    (tensor([100, 101]), tensor([1, 0]))
    """
    check_is_labelled(batch)
    ids, _, x, labels = parts_of(batch)
    if isinstance(labels, Mapping):
        raise ArcalError(
            "the labels of a batch are a dict: give (x, labels) with the classes alone"
        )
    if shape_of(labels) == ():
        raise ArcalError(
            "a batch has one label and no list of them, as single inputs have: give a DataLoader "
            "of the data set"
        )
    inputs = as_inputs(x)
    if isinstance(ids, Tensor) and ids.dtype == torch.bool:
        raise ArcalError(f"ids are {ids.dtype}: give whole numbers")
    N = len(inputs)
    check_stacked(x, labels, N, "a batch")
    positions = torch.arange(seen, seen + N, device="cpu")
    last = ids is not None and not isinstance(batch, Mapping) and ids is batch[-1]
    ids = positions if ids is None else as_whole_numbers(ids, N, "ids")
    if last and len(ids.unique()) < N:
        raise ArcalError(
            "the last of a batch of three are read as ids, and some occur twice: give every input "
            f"its own id; if they are something else, {WITHOUT}"
        )
    labels = labels if classes is None else numbered(labels, classes)
    return ids, inputs, as_whole_numbers(labels, N, "labels")


def check_stacked(x: Any, labels: Any, N: int, name: str) -> None:
    """Refuse a list with a tensor for each input, which is taken for one of `N` rows each.

    >>> check_stacked([torch.rand(3, 4)] * 9, [0] * 9, 3, "a batch")
    Traceback (most recent call last):
    arcal.errors.ArcalError: the inputs of a batch are a list of 9 tensors, which a model takes as \
so many arguments: stack them, as `torch.stack([*x])`
    """
    if isinstance(x, tuple | list) and len(x) == len(labels) != N:
        raise ArcalError(
            f"the inputs of {name} are {a_type(x)} of {len(x)} tensors, which a model takes as so "
            "many arguments: stack them, as `torch.stack([*x])`"
        )


def names_of(batch: Any, N: int) -> Sequence[str] | None:
    """The names of the N inputs of a batch that can be unpacked, such as their files, or None.

    >>> names_of((torch.rand(2, 3), [1, 0], ["a.png", "b.png"]), 2)
    ['a.png', 'b.png']
    """
    names = parts_of(batch).names
    if names is not None and len(names) != N:
        raise ArcalError(f"a batch has {len(names)} names and {N} inputs: give one for each")
    return None if names is None else [*map(str, names)]


def inputs_alone(batch: Any) -> Inputs:
    """The inputs of a batch; its labels, if there are any, are ignored.

    A batch is as in `unpacked`, or the inputs alone: a tensor, a tuple or list of one, or a dict.

    >>> x = torch.rand(2, 3)
    >>> [len(inputs_alone(batch)) for batch in (x, [x], (x, [1, 0]), {"image": x, "ids": [7, 8]})]
    [2, 2, 2, 2]
    """
    several = isinstance(batch, tuple | list)
    if several and len(batch) > 3 and any(isinstance(one, tuple | list) for one in batch):
        check_is_labelled(batch)
    if isinstance(batch, Mapping) or is_dataclass(batch) or (several and len(batch) in (2, 3)):
        return as_inputs(parts_of(batch).x)
    return as_inputs(batch[0] if several and len(batch) == 1 else batch)


LOOKED_AT = 8
"""Examples that are read twice, to detect augmentation: if each is the same with probability 1/2,
as when images are mirrored, all are the same in one case of 256."""


def augments(
    data: Any, prepared: Callable[[list[Any]], Inputs], some: Iterable[int] | None = None
) -> bool:
    """Whether a map-style data set gives other inputs when it is read again, as augmentation does.

    `prepared` makes a batch of a list of its examples, of which `some` are read, by default the
    first. A data set that cannot be read by position is taken not to. Random generators stay as
    they are.

    >>> class Noisy(Dataset):
    ...     def __len__(self): return 4
    ...     def __getitem__(self, i): return torch.rand(3), i
    >>> augments(Noisy(), lambda examples: inputs_alone(default_collate(examples)))
    True
    """
    if isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"):
        return False
    positions = [*islice(range(len(data)) if some is None else some, LOOKED_AT)]
    if not positions:
        return False
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 (what augmentations draw from)
    try:
        with torch.random.fork_rng([]):
            once, again = (prepared([data[i] for i in positions]).named for _ in range(2))
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
    return any(
        part.shape != again[name].shape or not torch.equal(part, again[name])
        for name, part in once.items()
    )


def loader_augments(loader: Any) -> bool:
    """Whether the data set of a loader `augments`; no if that cannot be told.

    >>> loader_augments(as_loader((torch.rand(4, 3), torch.zeros(4).long())))
    False
    """
    data, collate = (getattr(loader, name, None) for name in ("dataset", "collate_fn"))
    if data is None or collate is None:
        return False
    try:
        return augments(data, lambda some: inputs_alone(collate(some)))
    except Exception:  # whoever reads the loader learns what is wrong
        return False


def has_ids(batch: Any) -> bool:
    """Whether a batch that can be unpacked has ids of its own.

    >>> has_ids((torch.rand(2, 3), [1, 0])), has_ids({"ids": [7], "x": [[0.5]], "labels": [1]})
    (False, True)
    """
    return parts_of(batch).ids is not None


def refuse_repeats(ids: Tensor, known: set[int]) -> None:
    """Add ids `(B,)` to the known ones; an id that occurs twice raises `ArcalError`.

    >>> refuse_repeats(torch.tensor([7, 8]), known=set())
    """
    for i in ids.tolist():
        if i in known:
            raise ArcalError(
                f"id {i} occurs twice: give every input its own id, and each input once, without "
                "a sampler that repeats some"
            )
        known.add(i)


BATCH, LEAST = 100, 8
SMALL = 3 * 64 * 64
"""The most numbers an input may have for a CPU to run `BATCH` inputs at a time. That many
photographs, with all that their gradient needs, would take more memory than many computers have."""


def usual_batch(x: InputsLike, device: torch.device) -> int:
    """How many of these inputs to run at a time: on a CPU, fewer large ones.

    >>> cpu = torch.device("cpu")
    >>> usual_batch(torch.zeros(1, 3, 32, 32), cpu), usual_batch(torch.zeros(1, 3, 224, 224), cpu)
    (100, 8)
    """
    size = max(max(part.shape[1:].numel(), 1) for part in Inputs.of(x).named.values())
    return BATCH if device.type != "cpu" else min(BATCH, max(LEAST, BATCH * SMALL // size))
