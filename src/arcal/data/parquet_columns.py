"""The columns of a part in Parquet files, whose images are read a row group at a time."""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arcal.data.columns import Columns, check_one_schema, image_bytes
from arcal.data.encoded import InRows, Rows
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

CACHE = 256 * 2**20
"""Bytes of row groups that are held, besides the one that is being read."""


class ParquetColumns(Columns):
    """The columns of a part's files, which must have the same names and types."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        schemas, self._groups = [], []
        for file in files:
            with opened(file) as parquet:
                schemas.append(parquet.schema_arrow)
                groups = range(parquet.num_row_groups)
                self._groups.append([parquet.metadata.row_group(g).num_rows for g in groups])
        self.path, self.schema, self._schemas = files[0], schemas[0], schemas
        check_one_schema(files, schemas)
        self.rows = Rows(files, tuple(map(sum, self._groups)))

    def read(self, name: str) -> pa.ChunkedArray:
        chunks = []
        for file in self.rows.files:
            with opened(file) as parquet:
                chunks += parquet.read(columns=[name]).column(name).chunks
        return pa.chunked_array(chunks, self.schema.field(name).type)

    def class_names(self, name: str) -> tuple[str, ...]:
        """As in the metadata of all files; those that disagree raise `ArcalError`."""
        pairs = zip(self.rows.files, self._schemas, strict=True)
        return agreed((names_of(schema.metadata or {}, name, file), file) for file, schema in pairs)

    def encoded(self, name: str) -> "RowGroups":
        kind = self.schema.field(name).type
        path = f"{name}.bytes" if pa.types.is_struct(kind) else name
        return RowGroups(self.rows, self._groups, path)


class RowGroups(InRows):
    """The images in a column of Parquet files: `groups` are the sizes of the row groups of each.

    Reading one row reads its row group, so the row groups last read are held, up to `CACHE` bytes.
    """

    def __init__(self, rows: Rows, groups: list[list[int]], path: str) -> None:
        super().__init__(rows)
        self._path = path
        sizes = [size for file in groups for size in file]
        self._ends = np.cumsum(sizes)
        self._index = [(file, g) for file, sizes in enumerate(groups) for g in range(len(sizes))]
        self._forget()

    def _forget(self) -> None:
        self._process = os.getpid()
        self._held: OrderedDict[int, pa.ChunkedArray] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict()}  # workers read for themselves

    def read(self, positions: Sequence[int]) -> Iterator[bytes | None]:
        """The bytes at these positions; each row group is read once, whatever their order."""
        images: list[bytes | None] = [None] * len(positions)
        numbers = np.searchsorted(self._ends, positions, side="right")
        for number in np.unique(numbers).tolist():
            group = self._group(number)
            start = int(self._ends[number]) - len(group)
            for place in np.flatnonzero(numbers == number).tolist():
                images[place] = group[positions[place] - start].as_py()
        return iter(images)

    def _group(self, number: int) -> pa.ChunkedArray:
        if self._process != os.getpid():
            self._forget()
        if number in self._held:
            self._held.move_to_end(number)
            return self._held[number]
        file, g = self._index[number]
        with opened(self.rows.files[file]) as parquet:
            table = parquet.read_row_group(g, columns=[self._path], use_threads=False)
        group = self._held[number] = image_bytes(table.column(0))
        while len(self._held) > 1 and sum(held.nbytes for held in self._held.values()) > CACHE:
            self._held.popitem(last=False)
        return group


@contextmanager
def opened(file: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; errors in the block become an `ArcalError` that names the file."""
    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise ArcalError(f"{file} cannot be read as Parquet ({first_line(error)})") from error


def agreed(known: Iterable[tuple[tuple[str, ...], Path]]) -> tuple[str, ...]:
    """The names of classes that there are in files; those that disagree raise `ArcalError`."""
    named = {names: file for names, file in known if names}
    if len(named) > 1:
        one, other, *_ = named.values()
        raise ArcalError(
            f"{one} and {other} name their classes differently: give files of one data set"
        )
    return next(iter(named), ())


def names_of(metadata: dict[bytes, bytes], label: str, file: Path) -> tuple[str, ...]:
    """The names of the classes of a column in a schema's metadata, () if there are none.

    They are JSON under "huggingface", as the library `datasets` writes them, or separated by commas
    under "names".
    """
    try:
        if b"huggingface" in metadata:
            features = parse_json(metadata[b"huggingface"])["info"]["features"]
            if names := features.get(label, {}).get("names"):
                return tuple(map(str, names))
        return tuple(metadata[b"names"].decode().split(",")) if b"names" in metadata else ()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArcalError(
            f"{file}: the class names in its metadata cannot be read: write them as `datasets` "
            "does, or remove them"
        ) from error
