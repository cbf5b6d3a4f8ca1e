"""Encoded images that are read by position; a part that decodes them each time they are read."""

import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from arcal.data.contents import Contents, Files
from arcal.data.images import HEADER, Header, UnreadableImageError, read_header
from arcal.data.part import Broken, InMemory, Labelled, Part, check_rows
from arcal.data.views import ADVICE, View
from arcal.errors import ArcalError


class Encoded(Protocol):
    """N encoded images in one order, such as the rows of a file.

    Several processes read them at once, so no open file is shared between processes.
    """

    def __len__(self) -> int: ...

    def read(self, positions: Sequence[int]) -> Iterator[bytes | Path | None]:
        """The images at these positions, in their order, as bytes or as a file; None if missing."""
        ...

    def key(self, position: int) -> str:
        """What the data calls the image, such as its file name; "" if it has no name for it."""
        return ""

    def where(self, position: int) -> str:
        """Where the image is, for messages."""
        ...

    def content(self, positions: Sequence[int]) -> Iterator[bytes]:
        """What identifies these images: their bytes, or the names and sizes of files."""
        return (data for data in self.read(positions) if isinstance(data, bytes))


@dataclass(frozen=True)
class Rows:
    """The rows of several files, one after the other: `counts` are the numbers of rows."""

    files: tuple[Path, ...]
    counts: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.counts)

    def where(self, row: int) -> str:
        """The file and the row in it; rows are counted from 0, as ids are."""
        starts = zip(self.files, accumulate(self.counts[:-1], initial=0), strict=True)
        *_, (file, start) = ((file, start) for file, start in starts if start <= row)
        return f"{file}, row {row - start}"


class InRows(Encoded):
    """Images whose bytes are in rows of files; `names` are their ids, if these are not numbers."""

    names: tuple[str, ...] | None = None

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def key(self, position: int) -> str:
        return "" if self.names is None else self.names[position]

    def where(self, position: int) -> str:
        return self.rows.where(position)


LONGEST = 300
"""The most characters of a path that a message shows."""


class ImageFiles(Encoded):
    """Images that are files: `names` are their paths relative to `folder`, or absolute ones.

    `rows` are the rows of a table that named them, if one did.
    """

    def __init__(self, folder: Path, names: Sequence[str], rows: Rows | None = None) -> None:
        # One array of bytes: Python strings for a million files would take 100 MB, and counting
        # references to them would copy those into every worker process.
        self._names = np.array([os.fsencode(name) for name in names])
        self.folder: Path = folder
        self.rows: Rows | None = rows

    @cached_property
    def contents(self) -> Contents:
        """The stamps and digests of the files, as far as they are known."""
        return Contents(self.path, len(self))

    def __len__(self) -> int:
        return len(self._names)

    def key(self, position: int) -> str:
        return os.fsdecode(self._names[position])

    def path(self, position: int) -> Path:
        """The path of the file."""
        return self.folder / self.key(position)

    def where(self, position: int) -> str:
        """The path of the file, and the row that names it."""
        path = str(self.path(position))
        path = path if len(path) <= LONGEST else f"{path[:LONGEST]}…"  # not really a path
        return f"{self.rows.where(position)} ({path})" if self.rows else path

    def read(self, positions: Sequence[int]) -> Iterator[Path]:
        return map(self.path, positions)

    def content(self, positions: Sequence[int]) -> Iterator[bytes]:
        """Names and sizes of the files, so that a moved folder keeps its fingerprint."""
        for position in positions:
            try:
                size = self.path(position).stat().st_size
            except OSError as error:
                raise ArcalError(
                    f"{self.where(position)} cannot be read ({error.strerror})"
                ) from error
            yield os.fsencode(f"{self.key(position)} {size}\0")


BLOCK = 256  # images read at a time when all are read
MISSING = "it has no bytes: embed the image in the file"


@dataclass(frozen=True, eq=False, repr=False)
class OnDemand(Labelled):
    """A part whose images are files, members of tar files or rows, decoded when they are read.

    `encoded` has the images of the whole data, `rows` int64 `(N,)` the places of this part's images
    in it, and `view` says how they become uint8 `(C, H, W)`. The other fields are those of
    `InMemory`. Other values raise `ArcalError`; so does a damaged image, when it is read.

    >>> from PIL import Image
    >>> from arcal.data import load_part
    >>> for name in ("cat", "dog"):
    ...     Path("pets", name).mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGB", (40, 30)).save(Path("pets", name, "1.png"))
    >>> part = load_part("pets", size=28)
    >>> part.shape, part.how
    ((3, 28, 28), 'short side resized to 32, centre 28 x 28 cropped')
    >>> part.where(1)
    'pets/dog/1.png'
    """

    BY_ROW: ClassVar[tuple[str, ...]] = (*Labelled.BY_ROW, "rows")

    encoded: Encoded
    rows: Tensor
    view: View
    weights: Tensor | None = None
    how: str = "as they are"
    skipped: tuple[Broken, ...] = ()
    resized: bool = False
    sixteen_bits: bool = False

    def __post_init__(self) -> None:
        check_rows(self, self.rows, "images")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        return self.view.shape

    def key(self, position: int) -> str:
        """What the data calls the image, such as "cat/1.png"; "" if it has no name for it."""
        return self.encoded.key(int(self.rows[position]))

    def where(self, position: int) -> str:
        """Where the image is, for messages."""
        return self.encoded.where(int(self.rows[position]))

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, C, H, W)`, decoded now."""
        images = torch.empty((len(positions), *self.shape), dtype=torch.uint8, device="cpu")
        view = images.numpy()
        rows = self.rows[positions].tolist()
        for place, (row, data) in enumerate(zip(rows, self.encoded.read(rows), strict=True)):
            where = self.encoded.where(row)
            if data is None:
                raise UnreadableImageError(where, MISSING, ADVICE)
            if isinstance(data, Path):
                data = self.encoded.contents.read(row)  # pyright: ignore[reportAttributeAccessIssue]
            view[place] = self.view.read(io.BytesIO(data), where)
        return images

    def files(self, positions: Tensor | None = None) -> Files | None:
        """The files at these positions, or all; None if the images are not single files."""
        if not isinstance(self.encoded, ImageFiles):
            return None
        rows = self.rows if positions is None else self.rows[positions]
        return Files(self.encoded.contents, rows.tolist())

    def _content(self) -> Iterator[bytes]:
        """The view; then names and sizes of files (see `files`), or every byte of other images."""
        down = " down" if self.view.round_down else ""
        yield f"{self.view.resize} {self.view.interpolation}{down}".encode()
        for rows in self.rows.split(BLOCK):
            yield from self.encoded.content(rows.tolist())


def read_headers(part: OnDemand) -> tuple[np.ndarray, list[Broken]]:
    """The headers of a part's images `(N,)`, and the images without a readable header.

    Nothing is decoded, apart from TIFF files.
    """
    headers, broken = np.zeros(len(part), HEADER), []
    for positions in torch.arange(len(part), device="cpu").split(BLOCK):
        rows = part.rows[positions].tolist()
        read = zip(positions.tolist(), rows, part.encoded.read(rows), strict=True)
        for position, row, data in read:
            try:
                headers[position] = _header(data, part.encoded.where(row))
            except UnreadableImageError as error:
                broken.append(Broken(int(part.ids[position]), error.where, error.reason))
    return headers, broken


def _header(data: bytes | Path | None, where: str) -> Header:
    if data is None:
        raise UnreadableImageError(where, MISSING)
    return read_header(io.BytesIO(data) if isinstance(data, bytes) else data, where)


def check_images(
    part: Part, progress: Callable[[int, int], object] = lambda done, total: None
) -> list[Broken]:
    """Decode every image of a part, one by one, and list those that cannot be read.

    A part in memory has been decoded already, so none of its images can be broken. `progress` gets
    the number of images done and that of all.

    >>> from arcal.data import load_part
    >>> check_images(load_part("fashion", limit=100))
    []
    """
    broken = []
    for position in range(0 if isinstance(part, InMemory) else len(part)):
        try:
            part.images(torch.tensor([position], device="cpu"))
        except UnreadableImageError as error:
            broken.append(Broken(int(part.ids[position]), error.where, error.reason))
        progress(position + 1, len(part))
    return broken
