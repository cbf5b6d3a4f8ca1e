"""Parts with corrupted images, which are made here or read from official files."""

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from arcal.data.contents import files_of
from arcal.data.decoded import delete_oldest, read_mapped, write_mapped
from arcal.data.official_corruptions import open_official
from arcal.data.part import InMemory, Part, positions_of
from arcal.errors import ArcalError, prefixing_errors
from arcal.files import write_whole
from arcal.transforms.corruptions import check_shape, corrupt, frost_source

CHUNK = 500
FORMAT = 1
"""Increased when a change of the code changes the corrupted images."""


@dataclass(frozen=True)
class CorruptedImages:
    """The source of corrupted images.

    By default `arcal.transforms.corrupt` makes them; with a folder `cache` they are stored there as
    uint8, and the files used least recently are deleted once all have more than `most` bytes. With
    a folder `official` they are read from official files (CIFAR-10-C, CIFAR-100-C or ImageNet-C).
    """

    cache: Path | None = None
    official: Path | None = None
    most: int | None = None

    def part(self, part: Part, type: str, intensity: int) -> Part:
        """The part under one corruption, whose images are made or read on demand."""
        if self.official is not None:
            return open_official(self.official, type, intensity, part)
        return Corrupted(part, type, intensity, self)


class Corrupted:
    """A `Part` under one corruption. Its random numbers depend only on the id of each image.

    If the part is in memory, all its images are corrupted when the first is read; otherwise each is
    corrupted when it is read. If the `source` has a `cache`, all are corrupted once and stored in a
    file there, which later calls map into memory.

    >>> ids, pixels = torch.arange(2), torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    >>> clean = InMemory("toy/test", ids, ids, ("cat", "dog"), pixels)
    >>> foggy = CorruptedImages().part(clean, "fog", intensity=3)
    >>> foggy.name, foggy.images(torch.tensor([1])).shape
    ('toy/test under fog, intensity 3', torch.Size([1, 3, 32, 32]))
    """

    def __init__(self, part: Part, type: str, intensity: int, source: CorruptedImages) -> None:
        with prefixing_errors(part.name):
            check_shape(*part.shape)
        self.part: Part = part
        self.type: str = type
        self.intensity: int = intensity
        self.source: CorruptedImages = source
        self.cache: Path | None = source.cache
        self.name: str = f"{part.name} under {type}, intensity {intensity}"
        self.ids: Tensor = part.ids
        self.labels: Tensor = part.labels
        self.classes: tuple[str, ...] = part.classes
        self.shape: tuple[int, int, int] = part.shape

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """The corrupted images at these positions `(B,)`, uint8 `(B, C, H, W)`."""
        if self.cache is not None:
            return torch.from_numpy(self._mapped[positions.numpy()])
        if isinstance(self.part, InMemory):
            return self._whole[positions]
        return self._corrupt(positions)

    def subset(self, ids: Tensor) -> "Corrupted":
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        positions_of(ids, self)
        return Corrupted(self.part.subset(ids), self.type, self.intensity, self.source)

    def fingerprint(self) -> str:
        """The fingerprint of the part, followed by the corruption and its version."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        made_with = f"-{frost_source()}" if self.type == "frost" else ""
        return f"{self.part.fingerprint()}-{self.type}-{self.intensity}-v{FORMAT}{made_with}"

    def _corrupt(self, positions: Tensor) -> Tensor:
        images, ids = self.part.images(positions), self.ids[positions]
        return corrupt(images, ids, type=self.type, intensity=self.intensity)

    @cached_property
    def _whole(self) -> Tensor:
        return self._corrupt(torch.arange(len(self), device="cpu"))

    @cached_property
    def _mapped(self) -> np.ndarray:
        assert self.cache is not None
        name = self.fingerprint().replace(" ", "_")
        if (files := files_of(self.part)) is not None:
            name += f"-{files.digest()}"
        path = self.cache / f"{name}.npy"
        mapped = self._in_cache(path)
        while mapped is None and not path.exists():  # another process made room
            mapped = self._in_cache(path)
        if mapped is None:
            raise ArcalError(f"{path} is damaged: delete it and evaluate again")
        if mapped.shape != (len(self), *self.shape):
            raise ArcalError(f"{path} is not of {self.name}: delete it and evaluate again")
        return mapped

    def _in_cache(self, path: Path) -> np.ndarray | None:
        """The images in the file, which is written if it is missing; None if it is damaged."""
        if not path.exists():
            write_whole(path, self._write)
        mapped = read_mapped(path)
        if self.source.most is not None:
            with suppress(OSError):  # the file is not ours, or is gone
                os.utime(path)
            delete_oldest(path.parent, f"*-v{FORMAT}*.npy", self.source.most)
        return mapped

    def _write(self, path: Path) -> None:
        parts = (
            self._corrupt(some).numpy()
            for some in torch.arange(len(self), device="cpu").split(CHUNK)
        )
        write_mapped(path, (len(self), *self.shape), parts)
