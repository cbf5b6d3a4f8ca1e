"""Encoded images that are read by position: the protocol, and images that are files."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np

from arcal.data.contents import Contents
from arcal.errors import ArcalError


class Encoded(Protocol):
    """N encoded images in one order, such as the rows of a file.

    They are read by several processes at once, so nothing open is shared between processes.
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
        """What tells these images from others: their bytes, or the names and sizes of files."""
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
        for file, count in zip(self.files, self.counts, strict=True):
            if row < count:
                return f"{file}, row {row}"
            row -= count
        return f"{self.files[-1]}, row {self.counts[-1] + row}"


class InRows(Encoded):
    """Images whose bytes are in the rows of files, which have numbers and no names."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, position: int) -> str:
        return self.rows.where(position)


class Files(Encoded):
    """Images that are files: `names` are their paths relative to `folder`, or absolute ones.

    `rows` are the rows of a table that named them, if one did.
    """

    def __init__(self, folder: Path, names: Sequence[str], rows: Rows | None = None) -> None:
        # One array of bytes: Python strings for a million files would take 100 MB, and counting
        # references to them would copy those into every worker process.
        self._names = np.array([os.fsencode(name) for name in names])
        self.folder, self.rows = folder, rows

    @cached_property
    def contents(self) -> Contents:
        """What the files hold, as far as it is known."""
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
        return f"{self.rows.where(position)} ({path})" if self.rows else path

    def read(self, positions: Sequence[int]) -> Iterator[Path]:
        return map(self.path, positions)

    def content(self, positions: Sequence[int]) -> Iterator[bytes]:
        """Names and sizes of the files, so that a folder that is moved stays the same."""
        for position in positions:
            try:
                size = self.path(position).stat().st_size
            except OSError as error:
                raise ArcalError(
                    f"{self.where(position)} cannot be read ({error.strerror})"
                ) from error
            yield os.fsencode(f"{self.key(position)} {size}\0")
