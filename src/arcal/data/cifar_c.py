"""CIFAR-10-C and CIFAR-100-C as their authors publish them: TYPE.npy and labels.npy.

An array has 5 x 10,000 rows, intensity by intensity, each time in the order of the official test
set: an id is a row. Nothing but the rows asked for is ever read.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from arcal.data.part import Part, check_ids_and_labels, fingerprint_of, positions_of
from arcal.errors import ArcalError

INTENSITIES = 5
BLOCK = 1024  # images hashed at a time
AGAIN = "unpack the official archive again"


@dataclass(frozen=True, eq=False)
class Rows:
    """A lazy part: row `first + id` of a `.npy` file of uint8 `(rows, H, W, C)` is image `id`."""

    name: str
    ids: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    path: Path
    first: int

    def __post_init__(self) -> None:
        check_ids_and_labels(self.name, self.ids, self.labels, len(self.classes))

    def __len__(self) -> int:
        return len(self.ids)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the images at these B positions, read now."""
        # Mapped anew each time: a part that goes to a worker process takes no pixels with it.
        rows = mapped(self.path)[(self.first + self.ids[positions]).numpy()]
        return torch.from_numpy(np.asarray(rows)).permute(0, 3, 1, 2).contiguous()

    def subset(self, ids: Tensor) -> "Rows":
        """The part with these ids only, in the order given. An unknown id raises."""
        at = positions_of(ids, self)
        return replace(self, ids=self.ids[at], labels=self.labels[at])

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the sha256 of ids, labels, shape and pixels; computed once.

        That of an `InMemory` part with the same content.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        blocks = torch.arange(len(self)).split(BLOCK)
        return fingerprint_of(self, (self.images(block).numpy().data for block in blocks))


def open_cifar_c(root: Path, type: str, intensity: int, clean: Part, name: str) -> Rows:
    """The clean part's images under one corruption. What is incomplete or does not fit raises."""
    labels = official_labels(root / "labels.npy")
    check_same_order(root / "labels.npy", labels, clean)
    path = root / f"{type}.npy"
    array = mapped(path)
    C, H, W = clean.shape
    expected = (INTENSITIES * len(labels), H, W, C)
    if array.dtype != np.uint8 or array.shape != expected:
        raise ArcalError(
            f"{path} is {array.dtype} of shape {array.shape}, not uint8 of {expected} as "
            f"labels.npy and {clean.name} ask for: {AGAIN}"
        )
    first = (intensity - 1) * len(labels)
    return Rows(name, clean.ids, clean.labels, clean.classes, clean.shape, path, first)


def mapped(path: Path) -> np.ndarray:
    """The array in a `.npy` file, mapped read-only into memory. Pickled objects are refused."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = (str(error) or error.__class__.__name__).splitlines()[0]
        raise ArcalError(f"{path} cannot be read as an array ({reason}): {AGAIN}") from error


def official_labels(path: Path) -> Tensor:
    """int64 `(N,)`: the labels of the N test images, which the file must repeat 5 times."""
    labels = mapped(path)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or labels.size % INTENSITIES:
        raise ArcalError(
            f"{path} is {labels.dtype} of shape {labels.shape}: expected integers, those of the "
            f"test set {INTENSITIES} times: {AGAIN}"
        )
    blocks = torch.from_numpy(labels.astype(np.int64)).view(INTENSITIES, -1)
    if (differ := (blocks != blocks[0]).flatten().nonzero()).numel():
        raise ArcalError(
            f"{path}, row {int(differ[0])}: the labels are not those of the first "
            f"{blocks.shape[1]} rows again: {AGAIN}"
        )
    return blocks[0]


def check_same_order(path: Path, labels: Tensor, clean: Part) -> None:
    """Raise unless the clean part's ids are rows of `labels`, and its labels the same by id."""
    remedy = (
        "ids must be places in the official test set, as from the official python archive or "
        "from a column `id` in Parquet"
    )
    if len(clean) and not 0 <= int(clean.ids.min()) <= int(clean.ids.max()) < len(labels):
        raise ArcalError(
            f"{clean.name} has ids from {int(clean.ids.min())} to {int(clean.ids.max())}, but "
            f"{path} is of {len(labels)} images: {remedy}"
        )
    differ = clean.ids[labels[clean.ids] != clean.labels]
    if len(differ):
        row = int(differ.min())
        label = int(clean.labels[clean.ids == row])
        raise ArcalError(
            f"{path} first differs from {clean.name} at row {row} (label {int(labels[row])}, not "
            f"{label}; {len(differ)} of {len(clean)} differ): another set or order, {remedy}"
        )
