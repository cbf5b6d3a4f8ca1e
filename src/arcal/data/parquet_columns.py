"""The columns of a part in Parquet files, and in Arrow files and folders of `datasets`.

Parquet images are read a row group at a time; Arrow files are mapped into memory. A folder that
`save_to_disk` wrote has dataset_info.json (the features), state.json (the names of the Arrow files,
in order) and those files; a folder of several splits has dataset_dict.json and one such folder per
split.
"""

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from arcal.data.columns import Columns, InTables, check_one_schema, image_bytes
from arcal.data.on_demand import InRows, Rows
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

CACHE = 256 * 2**20
"""The most bytes of row groups to hold; the last one read is held whatever its size."""


class ParquetColumns(Columns):
    """The columns of a part's files, which must have the same names and types."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        schemas, self._groups = [], []
        for file in files:
            with opened(file) as parquet:
                schemas.append(parquet.schema_arrow)
                groups = range(parquet.num_row_groups)
                self._groups.append([parquet.metadata.row_group(g).num_rows for g in groups])
        self.path: Path = files[0]
        self.schema: pa.Schema = schemas[0]
        self._schemas = schemas
        check_one_schema(files, schemas)
        self.rows: Rows = Rows(files, tuple(map(sum, self._groups)))

    def read(self, name: str) -> pa.ChunkedArray:
        chunks = []
        for file in self.rows.files:
            with opened(file) as parquet:
                chunks += parquet.read(columns=[name]).column(name).chunks
        return pa.chunked_array(chunks, self.schema.field(name).type)

    def class_names(self, name: str) -> tuple[str, ...]:
        """The class names in the metadata of all files; differing ones raise `ArcalError`."""
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
    """The class names in the files that have some; differing ones raise `ArcalError`."""
    named = {names: file for names, file in known if names}
    if len(named) > 1:
        one, other, *_ = named.values()
        raise ArcalError(
            f"{one} and {other} name their classes differently: give files of one data set"
        )
    return next(iter(named), ())


def names_of(metadata: dict[bytes, bytes], label: str, file: Path) -> tuple[str, ...]:
    """The class names of a column in a schema's metadata, () if there are none.

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


SPLITS, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (folder / SPLITS).is_file() or (folder / STATE).is_file()


def saved_parts(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The Arrow files of each split, in order; a data set without splits is one part.

    That part has the name of its split if the state has one, otherwise "". An incomplete folder
    raises `ArcalError`.
    """
    if not (folder / SPLITS).is_file():
        split, files = _state(folder)
        return {split: files}
    splits = _json(folder / SPLITS).get("splits")
    if not isinstance(splits, list) or not splits:
        raise ArcalError(f"{folder / SPLITS} names no splits: save the data set again")
    return {str(split): _state(folder / str(split))[1] for split in splits}


def _state(folder: Path) -> tuple[str, tuple[Path, ...]]:
    state = _json(folder / STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        raise ArcalError(
            f"{folder} was saved with a selection of rows by an old release of `datasets`: save it "
            "again with a newer one"
        )
    try:
        files = tuple(folder / data["filename"] for data in state["_data_files"])
    except (KeyError, TypeError) as error:
        raise ArcalError(
            f"{folder / STATE} does not name its Arrow files: save the data set again"
        ) from error
    if not files:
        raise ArcalError(f"{folder} has no rows: give a part with data")
    return str(state.get("_split") or ""), files


def _json(file: Path) -> dict[str, Any]:
    try:
        value = parse_json(file.read_bytes())
    except OSError as error:
        raise ArcalError(
            f"{file} cannot be read ({error.strerror}): save the data set again"
        ) from error
    except ValueError as error:
        raise ArcalError(f"{file} is not JSON: save the data set again") from error
    if not isinstance(value, dict):
        raise ArcalError(f"{file} is not an object of JSON: save the data set again")
    return value


class ArrowColumns(InTables):
    """The columns of a part in Arrow files, which are mapped, not read, into memory."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        super().__init__(files, mapped)

    def class_names(self, name: str) -> tuple[str, ...]:
        """The class names in dataset_info.json beside the files, or else in their metadata."""
        info = self.path.parent / INFO
        if info.is_file():
            feature = (_json(info).get("features") or {}).get(name)
            if isinstance(feature, dict) and feature.get("names"):
                return tuple(map(str, feature["names"]))
        return names_of(self.schema.metadata or {}, name, self.path)

    def encoded(self, name: str) -> "MappedImages":
        return MappedImages(self.rows, name)


def mapped(file: Path) -> pa.Table:
    """The rows of an Arrow file, which is a stream (as `datasets` writes it) or has a footer."""
    try:
        source = pa.memory_map(str(file))
        try:
            return pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ArcalError(f"{file} cannot be read as Arrow ({first_line(error)})") from error


class MappedImages(InRows):
    """The encoded images in a column of Arrow files, mapped when the first is read."""

    def __init__(self, rows: Rows, name: str) -> None:
        super().__init__(rows)
        self._name = name
        self._column: pa.ChunkedArray | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_column": None}

    def read(self, positions: Sequence[int]) -> Iterator[bytes | None]:
        if self._column is None:
            chunks = [c for file in self.rows.files for c in mapped(file).column(self._name).chunks]
            self._column = image_bytes(pa.chunked_array(chunks))
        column: pa.ChunkedArray = self._column
        return (column[position].as_py() for position in positions)
