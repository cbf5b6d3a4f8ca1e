"""A part whose images are corrupted as they are read, and where official ones are read from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from torch import Tensor

from arcal.data.official_corruptions import open_official
from arcal.data.part import InMemory, Part, positions_of
from arcal.errors import ArcalError
from arcal.files import write_whole
from arcal.transforms.corruptions import corrupt, frost_source

CHUNK = 500
FORMAT = 1
"""Raised when a change of the code changes what a corruption makes."""


@dataclass(frozen=True)
class CorruptedImages:
    """Where corrupted images come from.

    They are made by `arcal.transforms.corrupt`, and kept as uint8 in the folder `cache` if there is
    one; or are read from official files (CIFAR-10-C, CIFAR-100-C, ImageNet-C) in `official`.
    """

    cache: Path | None = None
    official: Path | None = None

    def part(self, part: Part, type: str, intensity: int) -> Part:
        """The part under one corruption, its images made or read when they are asked for."""
        if self.official is not None:
            return open_official(self.official, type, intensity, part)
        return Corrupted(part, type, intensity, self.cache)


class Corrupted:
    """A `Part` under a corruption, which depends on an image's id and on nothing else.

    Images of a part in memory are corrupted once, when the first is asked for; others as they are
    read. With a folder `cache` all are corrupted once for good and mapped from its file.
    """

    def __init__(self, part: Part, type: str, intensity: int, cache: Path | None = None):
        self.part, self.type, self.intensity, self.cache = part, type, intensity, cache
        self.name = f"{part.name} under {type}, intensity {intensity}"
        self.ids, self.labels = part.ids, part.labels
        self.classes, self.shape = part.classes, part.shape

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the corrupted images at these positions."""
        if self.cache is not None:
            return torch.from_numpy(self._mapped[positions.numpy()])
        if isinstance(self.part, InMemory):
            return self._whole[positions]
        return self._corrupt(positions)

    def subset(self, ids: Tensor) -> "Corrupted":
        """The part with these ids only, in the order given. An unknown id raises."""
        positions_of(ids, self)
        return Corrupted(self.part.subset(ids), self.type, self.intensity, self.cache)

    def fingerprint(self) -> str:
        """That of the part, marked by the corruption and what it is made with."""
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
        return self._corrupt(torch.arange(len(self)))

    @cached_property
    def _mapped(self) -> np.ndarray:
        assert self.cache is not None
        path = self.cache / self.fingerprint().replace(" ", "_")
        path = path.with_name(path.name + ".npy")
        if not path.exists():
            write_whole(path, self._write)
        try:
            mapped = np.load(path, mmap_mode="r")
        except (EOFError, ValueError):
            raise ArcalError(f"{path} is damaged: delete it and evaluate again") from None
        if mapped.shape != (len(self), *self.shape) or mapped.dtype != np.uint8:
            raise ArcalError(f"{path} is not of {self.name}: delete it and evaluate again")
        return mapped

    def _write(self, path: Path) -> None:
        # Not through a map: writing to a mapped file on a full disk kills the process.
        about = {"descr": "|u1", "fortran_order": False, "shape": (len(self), *self.shape)}
        with path.open("wb") as file:
            write_array_header_1_0(file, about)
            for positions in torch.arange(len(self)).split(CHUNK):
                file.write(self._corrupt(positions).contiguous().numpy().data)
