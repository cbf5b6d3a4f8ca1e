"""One part (training, validation or test) of a data set, and the one that lies in memory."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from arcal.errors import ArcalError


class Part(Protocol):
    """One part of a data set of N images, by stable ids.

    An id names an image for good: scores, levels and soft labels are looked up by it. A position
    (0..N-1) is only where the image lies in this part.
    """

    @property
    def name(self) -> str:
        """Data set and part, such as "fashion/train"."""
        ...

    @property
    def ids(self) -> Tensor:
        """int64 `(N,)` on the CPU: unique, possibly sparse."""
        ...

    @property
    def labels(self) -> Tensor:
        """int64 `(N,)` in [0, Z)."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """The Z names."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        ...

    def __len__(self) -> int: ...

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the images at these B positions."""
        ...

    def subset(self, ids: Tensor) -> "Part":
        """The part with these ids only, in the order given. An unknown id raises."""
        ...

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the sha256 of ids, labels and content."""
        ...


@dataclass(frozen=True, eq=False)
class InMemory:
    """A part whose images are one uint8 tensor `pixels` of `(N, C, H, W)`."""

    name: str
    ids: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    pixels: Tensor

    def __post_init__(self) -> None:
        if self.pixels.dtype != torch.uint8 or self.pixels.ndim != 4:
            raise ArcalError(
                f"{self.name}: pixels must be uint8 of shape (N, C, H, W), "
                f"not {self.pixels.dtype} of {tuple(self.pixels.shape)}"
            )
        check_ids_and_labels(self.name, self.ids, self.labels, len(self.classes))
        if len(self.pixels) != len(self.ids):
            raise ArcalError(f"{self.name}: {len(self.pixels)} images but {len(self.ids)} ids")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        _, C, H, W = self.pixels.shape
        return C, H, W

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the images at these B positions."""
        return self.pixels[positions]

    def subset(self, ids: Tensor, name: str | None = None) -> "InMemory":
        """The part with these ids only, in the order given. An unknown id raises."""
        at = positions_of(ids, self)
        pixels = self.pixels[at]
        return InMemory(name or self.name, self.ids[at], self.labels[at], self.classes, pixels)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the sha256 of ids, labels, shape and pixels."""
        return fingerprint_of(self, [self.pixels.contiguous().numpy().data])


def check_ids_and_labels(name: str, ids: Tensor, labels: Tensor, Z: int) -> None:
    """Raise unless both are int64 `(N,)` on the CPU, ids are unique and labels are in [0, Z)."""
    for word, tensor in (("ids", ids), ("labels", labels)):
        if tensor.dtype != torch.int64 or tensor.ndim != 1 or tensor.device.type != "cpu":
            raise ArcalError(
                f"{name}: {word} must be int64 of shape (N,) on the CPU, "
                f"not {tensor.dtype} of {tuple(tensor.shape)} on {tensor.device}"
            )
    if len(ids) != len(labels):
        raise ArcalError(f"{name}: {len(ids)} ids but {len(labels)} labels")
    distinct, counts = ids.unique(return_counts=True)
    if len(distinct) != len(ids):
        twice = distinct[counts > 1][0].item()
        raise ArcalError(f"{name}: ids must be unique, but id {twice} is there more than once")
    wrong = (labels < 0) | (labels >= Z)
    if wrong.any():
        label, id = labels[wrong][0].item(), ids[wrong][0].item()
        raise ArcalError(f"{name}: label {label} of id {id} is not in [0, {Z})")


def positions_of(ids: Tensor, part: Part) -> Tensor:
    """int64 `(B,)`: where these ids lie in the part. An unknown id raises."""
    if ids.dtype != torch.int64 or ids.ndim != 1:
        raise ArcalError(
            f"{part.name}: ids to look up must be int64 of shape (B,), "
            f"not {ids.dtype} of {tuple(ids.shape)}"
        )
    ids = ids.cpu().contiguous()
    if len(ids) and not len(part):
        raise ArcalError(f"{part.name} has no id {ids[0].item()}: it is empty")
    ascending, order = part.ids.sort()
    found = torch.searchsorted(ascending, ids).clamp(max=max(len(part) - 1, 0))
    unknown = ids[ascending[found] != ids]
    if len(unknown):
        raise ArcalError(
            f"{part.name} has no id {unknown[0].item()}: "
            f"{len(unknown)} of the {len(ids)} ids asked for are unknown"
        )
    return order[found]


def fingerprint_of(part: Part, content: Iterable[bytes | memoryview]) -> str:
    """16 hexadecimal digits of the sha256 of shape, ids, labels and content."""
    digest = hashlib.sha256(repr(part.shape).encode())
    for tensor in (part.ids, part.labels):
        digest.update(tensor.contiguous().numpy().data)
    for some in content:
        digest.update(some)
    return digest.hexdigest()[:16]
