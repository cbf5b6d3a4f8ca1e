"""The official corrupted test sets of Hendrycks and Dietterich (2019), from a folder on disk.

CIFAR-10-C and CIFAR-100-C are TYPE.npy and labels.npy. An array has 5 x 10,000 rows: for each
intensity, the test images in their official order, so that an id is a row. ImageNet-C is
TYPE/INTENSITY/CLASS/IMAGE. Each corruption is a part with the ids of the clean test set, and only
the images that are asked for are read.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from arcal.data.folder import Folder, image_files
from arcal.data.images import read_upright
from arcal.data.on_demand import ImageFiles
from arcal.data.part import Labelled, Part, check_ids_and_labels
from arcal.errors import ArcalError, first_line
from arcal.files import NO_ARRAY
from arcal.transforms.corruptions import CORRUPTIONS

INTENSITIES = 5
REMEDY = "unpack the official archive again"


def official_types(root: Path) -> tuple[str, ...]:
    """The corruptions in the folder, in the order of `CORRUPTIONS`; none raises `ArcalError`."""
    types = tuple(t for t in CORRUPTIONS if (root / f"{t}.npy").is_file() or (root / t).is_dir())
    if not types:
        raise ArcalError(
            f"{root} holds no corrupted set: give a folder with labels.npy and files such as "
            "fog.npy (CIFAR-10-C, CIFAR-100-C) or folders such as fog/1/CLASS/IMAGE (ImageNet-C)"
        )
    return types


def open_official(root: Path, type: str, intensity: int, clean: Part) -> Part:
    """Open one corruption of an official set as a part whose images are read on demand.

    `root` is the unpacked archive, and `clean` the clean test set or a subset of it; the result has
    its ids, labels, classes and shape, in its order. A type that the folder does not have, an
    intensity outside 1 .. 5, and a set that is incomplete or does not match the clean images raise
    `ArcalError`.

    >>> import numpy as np, torch
    >>> from arcal.data import InMemory
    >>> root = Path("CIFAR-C")  # a small one, of two images
    >>> root.mkdir(exist_ok=True)
    >>> np.save(root / "labels.npy", np.array(5 * [0, 1]))
    >>> np.save(root / "fog.npy", np.arange(10, dtype=np.uint8).repeat(12).reshape(10, 2, 2, 3))
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    >>> clean = InMemory("toy/test", ids, ids, ("cat", "dog"), pixels)
    >>> foggy = open_official(root, "fog", 3, clean)
    >>> foggy.images(torch.tensor([0, 1]))[:, 0, 0, 0]  # rows 4 and 5
    tensor([4, 5], dtype=torch.uint8)
    """
    if type not in (types := official_types(root)):
        raise ArcalError(f"{root} has no corruption {type!r}: choose from {', '.join(types)}")
    if intensity not in range(1, INTENSITIES + 1):
        raise ArcalError(f"intensity {intensity} of {type} is unknown: choose 1 to {INTENSITIES}")
    name = f"{clean.name} under official {type}, intensity {intensity}"
    if (root / f"{type}.npy").is_file():
        return open_cifar_c(root, type, intensity, clean, name)
    return open_imagenet_c(root / type / str(intensity), clean, name)


CROP = (224, 224)  # the size of every file of the official set


class _Cropped(Folder):
    """The images of a clean folder under another root, with the same class and file names.

    Ids are those of the clean folder; other files under the root are ignored. The official files
    are already the centre crops that `Folder` takes of the clean images, so they are not cropped
    again, and they are resized only when the size of the clean part is not 224.
    """

    def __init__(self, root: Path, clean: Folder, name: str) -> None:
        self.root, self.name, self.size, self.classes = root, name, clean.size, clean.classes
        self.ids, self.labels = clean.ids, clean.labels
        self._rows = torch.arange(len(clean), device="cpu")
        self._files = ImageFiles(root, [clean._files.key(row) for row in clean._rows.tolist()])

    def _image(self, position: int) -> Image.Image:
        path = self.path(position)
        data = self._files.contents.read(int(self._rows[position]))
        image = read_upright(BytesIO(data), str(path), rgb=True)
        if image.size != CROP:
            raise ArcalError(
                f"{path} is {image.width} x {image.height} pixels, not 224 x 224 like all of "
                f"ImageNet-C: {REMEDY}"
            )
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR)

    def _content(self) -> Iterator[bytes]:
        """Like that of `Folder`, with type and intensity, because file sizes might not differ."""
        yield os.fsencode(f"{self.root.parent.name}/{self.root.name}\0")
        yield from super()._content()


def open_imagenet_c(root: Path, clean: Part, name: str) -> Folder:
    """The images of the clean folder under `root`, which is TYPE/INTENSITY.

    A clean part that is not a `Folder`, or a missing image, raises `ArcalError`.
    """
    if not isinstance(clean, Folder):
        raise ArcalError(
            f"{root} is matched to clean images by file name, but {clean.name} is not a folder of "
            "images: load ImageNet as val/CLASS/IMAGE"
        )
    part = _Cropped(root, clean, name)
    for label in part.labels.unique().tolist():
        folder = root / part.classes[label]
        if not folder.is_dir():
            raise ArcalError(
                f"{folder} is missing, but {clean.name} has images of that class: {REMEDY}"
            )
        positions = (part.labels == label).nonzero()[:, 0].tolist()
        names = {part.path(position).name for position in positions}
        if missing := sorted(names - {*image_files(folder)}):
            raise ArcalError(
                f"{folder / missing[0]} is missing, one of {len(missing)} images of "
                f"{clean.name}: {REMEDY}"
            )
    return part


BLOCK = 1024  # images hashed at a time


@dataclass(frozen=True, eq=False, repr=False)
class OfficialRows(Labelled):
    """A part read on demand: image `id` is row `first + id` of a `.npy` file.

    The file holds uint8 `(rows, H, W, C)`; ids and labels are int64 `(N,)`.
    """

    BY_ROW: ClassVar[tuple[str, ...]] = ("ids", "labels")

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

    def _content(self) -> Iterator[memoryview]:
        """The same bytes as for an `InMemory` part with the same pixels."""
        return (
            self.images(rows).numpy().data
            for rows in torch.arange(len(self), device="cpu").split(BLOCK)
        )


def open_cifar_c(root: Path, type: str, intensity: int, clean: Part, name: str) -> OfficialRows:
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
    return OfficialRows(name, clean.ids, clean.labels, clean.classes, clean.shape, path, first)


def mapped(path: Path) -> np.ndarray:
    """The array in a `.npy` file, mapped read-only into memory; pickles raise `ArcalError`."""
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("an archive")
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
    return torch.from_numpy(labels.astype(np.int64)).view(INTENSITIES, -1)[0]


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
