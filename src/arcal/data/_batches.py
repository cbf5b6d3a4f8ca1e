"""A walk over one part, batch by batch."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from arcal.data.part import Part
from arcal.errors import ArcalError

Batch = tuple[Tensor, Tensor, Tensor]


def batches(
    part: Part, size: int, *, order: Tensor | None = None, workers: int = 0
) -> Iterator[Batch]:
    """Ids int64 `(B,)`, images uint8 `(B, C, H, W)` and labels int64 `(B,)`, B = `size` at a time.

    `order` is the positions to visit (int64, all of them ascending by default); the last batch
    may be short. With `workers` > 0 that many processes read ahead, which pays for parts read
    from files; the batches are the same. No global random number generator is touched.
    """
    if size < 1 or workers < 0:
        raise ArcalError(
            f"{part.name}: batches need a size of 1 or more and 0 or more workers, "
            f"not {size} and {workers}"
        )
    if order is None:
        order = torch.arange(len(part))
    if order.dtype != torch.int64 or order.ndim != 1:
        raise ArcalError(
            f"{part.name}: order must be int64 positions of shape (B,), "
            f"not {order.dtype} of {tuple(order.shape)}"
        )
    if len(order) and not (int(order.min()) >= 0 and int(order.max()) < len(part)):
        raise ArcalError(f"{part.name}: order has positions outside [0, {len(part)})")
    blocks = order.split(size) if len(order) else ()
    return _read_ahead(part, blocks, workers) if workers else (_at(part, b) for b in blocks)


def as_input(images: Tensor, device: torch.device | str) -> Tensor:
    """uint8 images `(B, C, H, W)` as float32 in [0, 1], channels last, on the device."""
    images = images.to(device, non_blocking=True)
    return (images.float() / 255).contiguous(memory_format=torch.channels_last)


def _at(part: Part, positions: Tensor) -> Batch:
    return part.ids[positions], part.images(positions), part.labels[positions]


class _Blocks(Dataset[Any]):
    """Batches by their positions. What a worker cannot read comes back as the error itself.

    A DataLoader would raise it with the worker's traceback as its message, over many lines.
    """

    def __init__(self, part: Part) -> None:
        self.part = part

    def __getitem__(self, positions: Tensor) -> Batch | ArcalError:
        try:
            return _at(self.part, positions)
        except ArcalError as error:
            return error


def _read_ahead(part: Part, blocks: tuple[Tensor, ...], workers: int) -> Iterator[Batch]:
    loader = DataLoader(
        _Blocks(part),
        batch_size=None,
        sampler=blocks,
        num_workers=workers,
        generator=torch.Generator(),  # else the workers' seed is drawn from the global generator
    )
    for batch in loader:
        if isinstance(batch, ArcalError):
            raise batch
        yield tuple(batch)
