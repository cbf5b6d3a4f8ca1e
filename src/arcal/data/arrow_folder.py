"""Folders that `datasets` wrote with `save_to_disk`, and Arrow files alone, mapped into memory.

A folder has dataset_info.json (the features), state.json (the names of the Arrow files, in order)
and those files; a folder of several splits has dataset_dict.json and one such folder a split.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from arcal.data.columns import InTables, image_bytes
from arcal.data.encoded import InRows, Rows
from arcal.data.parquet_columns import names_of
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

SPLITS, STATE, INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote this folder."""
    return (folder / SPLITS).is_file() or (folder / STATE).is_file()


def saved_parts(folder: Path) -> dict[str, tuple[Path, ...]]:
    """The Arrow files of each split, in order; a data set without splits is one part.

    Its name is that of its split where the state knows it, otherwise "". An incomplete folder
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
        value = parse_json(file.read_text(encoding="utf-8"))
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
        """As in dataset_info.json beside the files, or else in their metadata."""
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
