"""Batches of one part of a data set; and ids for any data set."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any
from warnings import catch_warnings, filterwarnings

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from arcal.arrays import as_tensor, moved
from arcal.data.contents import files_of
from arcal.data.part import Part
from arcal.errors import ArcalError, a_type
from arcal.parents import end_with_parent

Batch = tuple[Tensor, Tensor, Tensor]

PIECE = 64
"""How many images a process reads at a time: all processes work on a large batch, and only pieces
of the batches to come are held in shared memory."""


def batches(
    part: Part, size: int, *, order: Tensor | None = None, workers: int = 0
) -> Iterator[Batch]:
    """Iterate over a part: ids int64 `(B,)`, images uint8 `(B, C, H, W)`, labels int64 `(B,)`.

    B is `size`, or fewer in the last batch. `order` is int64 `(n,)`, the positions to visit, by
    default all in ascending order. With `workers` > 0 that many processes read ahead, which speeds
    up parts read from files and does not change the batches. Global random number generators are
    not used. Arguments out of range raise `ArcalError`.

    >>> ids, labels = torch.tensor([3, 5, 8]), torch.tensor([0, 1, 0])
    >>> pixels = torch.zeros(3, 1, 2, 2, dtype=torch.uint8)
    >>> from arcal.data import InMemory
    >>> part = InMemory("toy/train", ids, labels, ("cat", "dog"), pixels)
    >>> [ids.tolist() for ids, images, labels in batches(part, 2)]
    [[3, 5], [8]]
    """
    if size < 1 or workers < 0:
        raise ArcalError(
            f"{part.name}: the batch size is {size} and there are {workers} workers: give a size "
            "of 1 or more and 0 or more workers"
        )
    if order is None:
        order = torch.arange(len(part), device="cpu")
    if order.dtype != torch.int64 or order.ndim != 1:
        raise ArcalError(
            f"{part.name}: order must be int64 positions of shape (B,), "
            f"not {order.dtype} of {tuple(order.shape)}"
        )
    if len(order) and not (int(order.min()) >= 0 and int(order.max()) < len(part)):
        raise ArcalError(f"{part.name}: order has positions outside [0, {len(part)})")
    blocks = order.split(size) if len(order) else ()
    return _read_ahead(part, blocks, workers) if workers else (_read(part, b) for b in blocks)


def as_input(images: Tensor, device: torch.device | str) -> Tensor:
    """uint8 images `(B, C, H, W)` as a network's input: float32 in [0, 1], channels last.

    >>> as_input(torch.tensor([0, 51, 255], dtype=torch.uint8).view(1, 1, 1, 3), "cpu")
    tensor([[[[0.0000, 0.2000, 1.0000]]]])
    """
    return (moved(images, device).float() / 255).contiguous(memory_format=torch.channels_last)


def _read(part: Part, positions: Tensor) -> Batch:
    return part.ids[positions], part.images(positions), part.labels[positions]


class ReadAhead:
    """The images of a part, which other processes read ahead in blocks.

    `blocks` int64 `(B,)` are the positions in the order in which they will be needed, and `workers`
    the number of processes; without any, each block is read when it is needed.

    >>> from arcal.data import load
    >>> ahead = ReadAhead(load("fashion").test, torch.arange(6).split(3), 1)
    >>> ahead.images(torch.arange(3)).shape, ahead.images(torch.arange(2, 4)).shape
    (torch.Size([3, 1, 28, 28]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(self, part: Part, blocks: Sequence[Tensor], workers: int) -> None:
        self._part, self._blocks = part, deque(blocks if workers else ())
        self._batches = _read_ahead(part, tuple(blocks), workers) if workers else iter(())

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`: ready if they come next."""
        if self._blocks and torch.equal(self._blocks[0], positions):
            self._blocks.popleft()
            return next(self._batches)[1]
        return self._part.images(positions)


class _Pieces(Dataset[Any]):
    """A data set of pieces of batches, indexed by their positions. Errors are returned, not raised.

    A DataLoader would raise an error with the worker's traceback as a message of many lines. A
    piece comes with what is known about its files, so that these need not be read again for their
    digests.
    """

    def __init__(self, part: Part) -> None:
        self.part = part

    def __getitem__(self, positions: Tensor) -> tuple[Batch, Any] | ArcalError:
        try:
            batch, files = _read(self.part, positions), files_of(self.part, positions)
            return batch, files and files.known()
        except ArcalError as error:
            return error


def _begin(worker: int) -> None:
    end_with_parent()


def _read_ahead(part: Part, blocks: tuple[Tensor, ...], workers: int) -> Iterator[Batch]:
    with catch_warnings():
        filterwarnings("ignore", message="This DataLoader will create")  # that was asked for
        loader = DataLoader(
            _Pieces(part),
            batch_size=None,
            sampler=[piece for block in blocks for piece in block.split(PIECE)],
            num_workers=workers,
            worker_init_fn=_begin,
            generator=torch.Generator(),  # otherwise the global generator draws the workers' seed
        )
        with torch.device("cpu"):  # where that generator is
            read = iter(loader)
    for block in blocks:
        yield _put_together(part, block, read)


def _put_together(part: Part, block: Tensor, read: Iterator[Any]) -> Batch:
    """A batch from the next pieces read, none of which is kept."""
    batch: list[Tensor] = []
    for n, positions in enumerate(block.split(PIECE)):
        result = next(read)
        if isinstance(result, ArcalError):
            raise result
        piece, known = result
        if known is not None and (files := files_of(part, positions)) is not None:
            files.learn(known.numpy())
        if not batch:  # pinned only if a GPU is in use: otherwise this would start CUDA
            pinned = torch.cuda.is_initialized()
            batch = [
                one.new_empty((len(block), *one.shape[1:]), pin_memory=pinned) for one in piece
            ]
        for whole, column in zip(batch, piece, strict=True):
            whole[n * PIECE : n * PIECE + len(column)] = column
    ids, images, labels = batch
    return ids, images, labels


class WithIds(Dataset[tuple[int, Any, Any]]):
    """Wraps a map-style data set of pairs (x, y) to yield (id, x, y), also through a DataLoader.

    Ids are 0 .. N-1, or N unique integers that are given. `WithIds(subset, subset.indices)` gives
    the inputs of a `torch.utils.data.Subset` their ids in the whole data set. A data set without a
    length, items that are not pairs, and other ids raise `ArcalError`.

    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(torch.tensor([0.5, 1.5, 2.5]), torch.tensor([0, 1, 0]))
    >>> next(iter(DataLoader(WithIds(dataset, ids=[3, 5, 8]), batch_size=2)))
    [tensor([3, 5]), tensor([0.5000, 1.5000]), tensor([0, 1])]
    """

    def __init__(self, dataset: Any, ids: Tensor | Sequence[int] | None = None) -> None:
        try:
            N = len(dataset)
        except TypeError as error:
            raise ArcalError(
                f"WithIds needs a map-style data set, with a length, but {type(dataset).__name__} "
                "has none"
            ) from error
        self.dataset = dataset
        self.ids = torch.arange(N, device="cpu") if ids is None else as_tensor(ids, "WithIds: ids")
        if self.ids.shape != (N,) or self.ids.is_floating_point() or self.ids.is_complex():
            raise ArcalError(
                f"WithIds: ids must be {N} integers, one for each input, "
                f"not {self.ids.dtype} of shape {tuple(self.ids.shape)}"
            )
        self.ids: Tensor = self.ids.to("cpu", torch.int64)
        if len(self.ids.unique()) != N:
            raise ArcalError("WithIds: an id occurs more than once: ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> tuple[int, Any, Any]:
        item = self.dataset[position]
        if not isinstance(item, tuple | list) or len(item) != 2:  # a dict could be unpacked, too
            raise ArcalError(
                f"WithIds needs a data set of pairs (x, y), but input {position} is {a_type(item)}"
            )
        x, y = item
        return int(self.ids[position]), x, y
