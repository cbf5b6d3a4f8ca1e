"""What is evaluated on: the test set, clean or under a corruption."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from torch import Tensor

from arcal.data import Data, InMemory, Part
from arcal.data.official_corruptions import open_official
from arcal.data.part import positions_of
from arcal.errors import ArcalError
from arcal.files import write_whole
from arcal.transforms import corrupt
from arcal.transforms.corruptions import (
    CIFAR100_C_PAPER,
    CORRUPTIONS,
    EXTRA,
    IMAGENET_C,
    frost_source,
)

CLEAN = "test"
INTENSITIES = (1, 2, 3, 4, 5)
TYPES = {"all": CORRUPTIONS, "standard": IMAGENET_C, "extra": EXTRA, "cifar100": CIFAR100_C_PAPER}
"""Named sets of types: all 19; the 15 of ImageNet-C; the 4 left for choosing on validation; the 17
of the paper's CIFAR-100-C."""
CHUNK = 500
FORMAT = 1
"""Raised when a change of the code changes what a corruption makes."""


@dataclass(frozen=True)
class EvaluationSet:
    """A set to evaluate on: a part of the data, clean or under one corruption."""

    part: str = "test"
    corruption: str | None = None
    intensity: int = 0

    @property
    def name(self) -> str:
        """Its name on disk and in tables, such as `test` or `test-gaussian_noise-3`."""
        corruption = f"-{self.corruption}-{self.intensity}" if self.corruption else ""
        return self.part + corruption

    def of(self, data: Data, source: "Source | None" = None) -> Part:
        """The images of this set, made or read when they are asked for."""
        part = data.part(self.part)
        source = source or Source()
        if self.corruption is None:
            return part
        if source.official is not None:
            return open_official(source.official, self.corruption, self.intensity, part)
        return Corrupted(part, self.corruption, self.intensity, source.cache)


@dataclass(frozen=True)
class Source:
    """Where corrupted images come from.

    They are made by `arcal.transforms.corrupt`, and kept as uint8 in the folder `cache` if there is
    one; or are read from official files (CIFAR-10-C, CIFAR-100-C, ImageNet-C) in `official`.
    """

    cache: Path | None = None
    official: Path | None = None

    def mark(self, at: EvaluationSet) -> str:
        """What the name of a file of predictions on `at` ends in, empty for images of our own."""
        return "-official" if self.official is not None and at.corruption is not None else ""


def shift_sets(names: Sequence[str], part: str = "test") -> list[EvaluationSet]:
    """The corrupted sets that `names` stand for, each once, all 95 for no name.

    A name is a set of types of `TYPES` or a type, at all five intensities, or TYPE-INTENSITY.
    """
    found: dict[EvaluationSet, None] = {}
    for name in names or ("all",):
        type, _, intensity = name.rpartition("-")
        if type in CORRUPTIONS and intensity in map(str, INTENSITIES):
            found[EvaluationSet(part, type, int(intensity))] = None
            continue
        if name not in TYPES and name not in CORRUPTIONS:
            raise ArcalError(
                f"shift {name!r} is unknown: write {', '.join(TYPES)}, a type ("
                f"{', '.join(CORRUPTIONS)}), or TYPE-INTENSITY with an intensity from 1 to 5"
            )
        for type in TYPES.get(name, (name,)):
            found.update({EvaluationSet(part, type, at): None for at in INTENSITIES})
    return list(found)


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
            found = np.load(path, mmap_mode="r")
        except (EOFError, ValueError):
            raise ArcalError(f"{path} is damaged: delete it and evaluate again") from None
        if found.shape != (len(self), *self.shape) or found.dtype != np.uint8:
            raise ArcalError(f"{path} is not of {self.name}: delete it and evaluate again")
        return found

    def _write(self, path: Path) -> None:
        # Not through a map: writing to a mapped file on a full disk kills the process.
        about = {"descr": "|u1", "fortran_order": False, "shape": (len(self), *self.shape)}
        with path.open("wb") as file:
            write_array_header_1_0(file, about)
            for positions in torch.arange(len(self)).split(CHUNK):
                file.write(self._corrupt(positions).contiguous().numpy().data)
