"""Batches of labelled inputs, in the forms that loaders yield."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    SequentialSampler,
    default_collate,
)

from arcal.arrays import as_tensor
from arcal.attacks import Inputs, InputsLike
from arcal.errors import ArcalError, a_type, first_line
from arcal.labels import as_whole_numbers, numbered


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
    if isinstance(data, str | Path):
        raise ArcalError(f"{name} is a path: give what `arcal.data.load_part` reads from it")
    arrays = Tensor | np.ndarray
    if isinstance(data, tuple | list) and len(data) == 2 and isinstance(data[0], arrays):
        x, labels = as_tensor(data[0], "inputs", copied=False), as_tensor(data[1], "labels")
        if not x.ndim or x.shape[:1] != labels.shape[:1]:
            shapes = f"inputs {tuple(x.shape)} and labels {tuple(labels.shape)}"
            raise ArcalError(f"{shapes}: give (N, ...) of the one and (N,) of the other")
        if not len(x):
            return []
        size = usual_batch(x[:1], x.device)
        return list(zip(x.split(size), labels.split(size), strict=True))
    if hasattr(data, "fingerprint") and hasattr(data, "images"):
        return _batches_of_images(data)
    stream = isinstance(data, IterableDataset)
    if stream or not (isinstance(data, Dataset) or _is_of_single_inputs(data)):
        if not hasattr(data, "__iter__") or isinstance(data, Mapping):
            raise ArcalError(
                f"{name} is {a_type(data)}: give a loader, a data set, a pair (x, labels) "
                "or images that `arcal.data.load_part` read"
            )
        return data
    if not isinstance(data, Sized):
        raise ArcalError(
            f"the data set, {a_type(data)}, has no length: give it `__len__`, or give a "
            "DataLoader that knows where it ends"
        )
    if not len(data):
        return []
    few = _collated([data[0]])
    x = inputs_alone(few)
    size = usual_batch(x, torch.device("cpu"))
    return DataLoader(data, batch_size=size, collate_fn=_collated)


def _is_of_single_inputs(data: Any) -> TypeGuard[Dataset[Any]]:
    """Whether `data[i]` is one labelled input, as in a data set of Hugging Face."""
    if isinstance(data, list | tuple) or not hasattr(type(data), "__getitem__"):
        return False
    try:
        one = data[0]
    except (LookupError, TypeError):
        return False
    if isinstance(one, Mapping):
        label = next((one[name] for name in LABELS if name in one), ())
    else:
        label = one[-1] if isinstance(one, tuple | list) and len(one) in (2, 3) else ()
    return isinstance(label, str) or np.ndim(label) == 0


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


LABELS = ("labels", "label")
"""The keys of labels in transformers' collators and in data sets of its hub."""


def unpacked(
    batch: Any, seen: int, classes: Sequence[str] | None = None
) -> tuple[Tensor, Inputs, Tensor]:
    """The ids, inputs and labels of a batch; ids and labels are int64 `(B,)` on the CPU.

    A batch is `(x, labels)`, `(ids, x, labels)`, or a dict with `labels` or `label`, perhaps `ids`,
    and the inputs under all other keys. Inputs without ids are numbered from `seen` on. Labels may
    be names of `classes`. Anything else, and ids or labels that are not one whole number per input,
    raise `ArcalError`.

    >>> ids, x, labels = unpacked((torch.rand(2, 3), [1, 0]), seen=100)
    >>> ids, labels
    (tensor([100, 101]), tensor([1, 0]))
    """
    ids = None
    if isinstance(batch, tuple | list) and len(batch) == 2:
        x, labels = batch
    elif isinstance(batch, tuple | list) and len(batch) == 3:
        ids, x, labels = batch
        _check_may_be_ids(ids)
    elif isinstance(batch, Mapping) and not batch.keys().isdisjoint(LABELS):
        title = next(name for name in LABELS if name in batch)
        labels = batch[title]
        rest = {name: value for name, value in batch.items() if name not in (title, "ids")}
        ids = batch.get("ids")
        x = next(iter(rest.values())) if len(rest) == 1 else rest
    else:
        lists = isinstance(batch, list) and not any(isinstance(one, Tensor) for one in batch)
        several = f" of {len(batch)}" if isinstance(batch, tuple | list) and not lists else ""
        known = isinstance(batch, Tensor | tuple | list | Mapping)
        raise ArcalError(
            f"a batch is {a_type(batch)}{several}: give (x, labels), (ids, x, labels), or "
            f"a dict with `labels`{', and make arrays of lists of numbers' * lists}"
            f"{'' if known else ', or predictions alone, by `as_predictions`'}"
        )
    if np.ndim(labels) == 0:
        raise ArcalError(
            "a batch has one label and no list of them, as single inputs have: give a DataLoader "
            "of the data set"
        )
    x = _as_inputs(x)
    if isinstance(ids, Tensor) and ids.dtype == torch.bool:
        raise ArcalError(f"ids are {ids.dtype}: give whole numbers")
    N = len(x)
    positions = torch.arange(seen, seen + N, device="cpu")
    ids = positions if ids is None else as_whole_numbers(ids, N, "ids")
    labels = labels if classes is None else numbered(labels, classes)
    return ids, x, as_whole_numbers(labels, N, "labels")


def inputs_alone(batch: Any) -> Inputs:
    """The inputs of a batch; its labels, if there are any, are ignored.

    A batch is as in `unpacked`, or the inputs alone: a tensor, a tuple or list of one, or a dict.

    >>> x = torch.rand(2, 3)
    >>> [len(inputs_alone(batch)) for batch in (x, [x], (x, [1, 0]), {"image": x, "ids": [7, 8]})]
    [2, 2, 2, 2]
    """
    if isinstance(batch, Mapping):
        rest = {name: value for name, value in batch.items() if name not in (*LABELS, "ids")}
        return _as_inputs(next(iter(rest.values())) if len(rest) == 1 else rest)
    if isinstance(batch, tuple | list) and len(batch) == 3:
        _check_may_be_ids(batch[0])
        return _as_inputs(batch[1])
    if isinstance(batch, tuple | list) and 1 <= len(batch) <= 2:
        return _as_inputs(batch[0])
    return _as_inputs(batch)


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


def _check_may_be_ids(first: Any) -> None:
    if np.ndim(first) > 2 or (np.ndim(first) == 2 and np.shape(first)[1] > 1):
        raise ArcalError(
            f"the first of a batch of three is {tuple(np.shape(first))}, which are no "
            "ids: give (ids, x, labels), or (x, labels) alone"
        )


def _as_inputs(x: Any) -> Inputs:
    if not isinstance(x, Tensor | Inputs | Mapping | tuple | list):
        raise ArcalError(
            f"the inputs of a batch are {a_type(x)}: give a tensor (N, ...), or a dict or "
            "tuple of several"
        )
    return Inputs.of(x).plain()


def has_ids(batch: Any) -> bool:
    """Whether a batch that can be unpacked has ids of its own.

    >>> has_ids((torch.rand(2, 3), [1, 0])), has_ids({"ids": [7], "x": [[0.5]], "labels": [1]})
    (False, True)
    """
    return "ids" in batch if isinstance(batch, Mapping) else len(batch) == 3


def draws_order(loader: Any) -> bool:
    """Whether a sampler chooses the order, so that positions in the loader do not name the inputs.

    >>> from torch.utils.data import DataLoader
    >>> draws_order(DataLoader(range(9), shuffle=True)), draws_order(DataLoader(range(9)))
    (True, False)
    """
    in_turn = (SequentialSampler, BatchSampler)  # BatchSampler: its order is its sampler's
    return any(
        isinstance(one, Sampler) and not isinstance(one, in_turn) for one in _samplers(loader)
    )


def _samplers(loader: Any) -> list[Any]:
    """The samplers that choose a loader's inputs; none for a stream."""
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        return []
    outer = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    return [*outer, *(getattr(one, "sampler", None) for one in outer)]


class Copies:
    """Refuses a loader that yields inputs more than once without ids to tell them apart.

    >>> from torch.utils.data import TensorDataset, WeightedRandomSampler
    >>> data = TensorDataset(torch.rand(4, 3), torch.arange(4) % 2)
    >>> loader = DataLoader(data, 2, sampler=WeightedRandomSampler([1, 1, 3, 3], 4))
    >>> _, x, labels = unpacked(next(iter(loader)), 0)
    >>> Copies(loader).refuse(x, labels)
    Traceback (most recent call last):
    arcal.errors.ArcalError: the loader's sampler draws some inputs more than once...
    """

    def __init__(self, loader: Any) -> None:
        self._drawn = any(getattr(one, "replacement", False) is True for one in _samplers(loader))
        stream = isinstance(getattr(loader, "dataset", None), IterableDataset)
        self._workers: int = getattr(loader, "num_workers", 0) if stream else 0
        self._first: tuple[Inputs, Tensor] | None = None

    def refuse(self, x: Inputs, labels: Tensor) -> None:
        """Look at the next batch without ids, and raise `ArcalError` if it shows copies."""
        if self._drawn:
            raise ArcalError(
                "the loader's sampler draws some inputs more than once, and others never: make it "
                "with shuffle=False and no sampler"
            )
        if self._workers < 2:
            return
        if self._first is None:
            self._first = x, labels
            return
        before, self._workers = self._first[0].named, 0  # the second batch is another worker's
        same = [torch.equal(part, before[name]) for name, part in x.named.items() if name in before]
        if torch.equal(labels, self._first[1]) and len(same) == len(before) and all(same):
            raise ArcalError(
                "each of the loader's workers yields the same inputs: give it num_workers=0, or "
                "share the inputs out by `torch.utils.data.get_worker_info`"
            )


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
