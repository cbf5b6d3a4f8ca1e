"""CIFAR-10-C and CIFAR-100-C as their authors publish them: TYPE.npy and labels.npy.

An array has 5 x 10,000 rows: for each intensity, the test images in their official order, so that
an id is a row. Only the rows of a batch are read.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from arcal.data.part import Labelled, Part, check_ids_and_labels, fingerprint_of
from arcal.errors import ArcalError, first_line
from arcal.files import NO_ARRAY

INTENSITIES = 5
BLOCK = 1024  # images hashed at a time
REMEDY = "unpack the official archive again"


@dataclass(frozen=True, eq=False)
class Rows(Labelled):
    """A part read on demand: image `id` is row `first + id` of a `.npy` file.

    The file holds uint8 `(rows, H, W, C)`; ids and labels are int64 `(N,)`.
    """

    BY_ROW: ClassVar = ("ids", "labels")

    shape: tuple[int, int, int]
    path: Path
    first: int

    def __post_init__(self) -> None:
        check_ids_and_labels(self.name, self.ids, self.labels, len(self.classes))

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`, read now."""
        # The file is mapped anew each time, so that no pixels are sent to worker processes.
        rows = mapped(self.path)[(self.first + self.ids[positions]).numpy()]
        return torch.from_numpy(np.asarray(rows)).permute(0, 3, 1, 2).contiguous()

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of ids, labels, shape and pixels; computed once.

        An `InMemory` part with the same content has the same fingerprint.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        blocks = torch.arange(len(self)).split(BLOCK)
        return fingerprint_of(self, (self.images(block).numpy().data for block in blocks))


def open_cifar_c(root: Path, type: str, intensity: int, clean: Part, name: str) -> Rows:
    """The images of the clean part under one corruption.

    An incomplete set, or one of other images, raises `ArcalError`.
    """
    labels = official_labels(root / "labels.npy")
    check_same_order(root / "labels.npy", labels, clean)
    path = root / f"{type}.npy"
    array = mapped(path)
    C, H, W = clean.shape
    expected = (INTENSITIES * len(labels), H, W, C)
    if array.dtype != np.uint8 or array.shape != expected:
        raise ArcalError(
            f"{path} is {array.dtype} of shape {array.shape}, but labels.npy and {clean.name} "
            f"need uint8 of shape {expected}: {REMEDY}"
        )
    first = (intensity - 1) * len(labels)
    return Rows(name, clean.ids, clean.labels, clean.classes, clean.shape, path, first)


def mapped(path: Path) -> np.ndarray:
    """The array in a `.npy` file, mapped read-only into memory; pickles raise `ArcalError`."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            array.close()
            raise ValueError("it is an archive of several")
        return array
    except NO_ARRAY as error:
        raise ArcalError(
            f"{path} cannot be read as an array ({first_line(error)}): {REMEDY}"
        ) from error


def official_labels(path: Path) -> Tensor:
    """The labels of the N test images, int64 `(N,)`, which the file must repeat 5 times."""
    labels = mapped(path)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or labels.size % INTENSITIES:
        raise ArcalError(
            f"{path} is {labels.dtype} of shape {labels.shape}, not integers, the labels of the "
            f"test set {INTENSITIES} times: {REMEDY}"
        )
    blocks = torch.from_numpy(labels.astype(np.int64)).view(INTENSITIES, -1)
    if (differ := (blocks != blocks[0]).flatten().nonzero()).numel():
        raise ArcalError(
            f"{path}, row {int(differ[0])}: the labels do not repeat those of the first "
            f"{blocks.shape[1]} rows: {REMEDY}"
        )
    return blocks[0]


def check_same_order(path: Path, labels: Tensor, clean: Part) -> None:
    """Raise unless every id of the clean part is a row of `labels` with the same label."""
    remedy = (
        "ids must be positions in the official test set: load the official python archive, or "
        "Parquet with a column `id`"
    )
    if len(clean) and not 0 <= int(clean.ids.min()) <= int(clean.ids.max()) < len(labels):
        raise ArcalError(
            f"{clean.name} has ids from {int(clean.ids.min())} to {int(clean.ids.max())}, but "
            f"{path} has {len(labels)} images: {remedy}"
        )
    differ = clean.ids[labels[clean.ids] != clean.labels]
    if len(differ):
        row = int(differ.min())
        label = int(clean.labels[clean.ids == row])
        raise ArcalError(
            f"{path} first differs from {clean.name} in row {row} (label {int(labels[row])}, not "
            f"{label}; {len(differ)} of {len(clean)} differ), so the set or its order is another: "
            f"{remedy}"
        )
