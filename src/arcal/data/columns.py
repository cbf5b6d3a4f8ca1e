"""The columns of a part in Parquet, CSV, JSON lines, or a folder that `datasets` saved."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute
import torch
from torch import Tensor

from arcal.data.labels import Where, encode_labels, is_text, refuse_missing
from arcal.data.on_demand import Encoded, ImageFiles, Rows
from arcal.errors import ArcalError

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

ID = "id"
WHOLE, ZEROS_BEFORE = r"^-?\d{1,18}$", r"^0\d+$"
"""Text ids that are whole numbers, unless one has leading zeros, as 007: then all are names."""
IMAGES = ("image", "img", "file_name", "filename", "file", "path", "image_path", "filepath")
LABELS = ("label", "fine_label", "labels", "coarse_label", "target", "class")
UNLABELLED = "unlabelled"
SEVERAL = re.compile(r"[\[(]?\s*[-+.\d]+([\s,;]+[-+.\d]+)+\s*[\])]?")
"""Several numbers in one field, such as token ids."""
OTHERWISE = "audit a file of your model's predictions, if it takes such values"


class Names(NamedTuple):
    """What the user named: columns, fields or arrays, and the classes of the model.

    If the data need not be `labelled`, inputs without labels get the label 0.
    """

    image: str | None
    label: str | None
    weight: str | None
    classes: Sequence[str] | None
    labelled: bool = True


def unlabelled(N: int) -> tuple[Tensor, tuple[str]]:
    """The labels of N inputs that have none, int64 `(N,)`, and the name of their one class."""
    return torch.zeros(N, dtype=torch.int64, device="cpu"), (UNLABELLED,)


def check_one_schema(files: Sequence[Path], schemas: Sequence[pa.Schema]) -> None:
    """Refuse files of one part that have other columns than the first of them."""
    for file, schema in zip(files, schemas, strict=True):
        if not schema.equals(schemas[0]):
            raise ArcalError(
                f"{file} and {files[0]} have different columns: give files of one data set"
            )


class Columns(Protocol):
    """Columns of equal length, read one at a time; `rows` names the rows for messages."""

    path: Path
    rows: Rows
    schema: pa.Schema

    def read(self, name: str) -> pa.ChunkedArray:
        """A whole column."""
        ...

    def class_names(self, name: str) -> tuple[str, ...]:
        """The class names of a label column, from the metadata; () if there are none."""
        return ()

    def encoded(self, name: str) -> Encoded:
        """A column of encoded images, of a binary type or a struct with binary `bytes`."""
        ...


class InTables(Columns):
    """The columns of a part in files that are tables, all with the same columns."""

    def __init__(self, files: tuple[Path, ...], read: Callable[[Path], pa.Table]) -> None:
        tables = [read(file) for file in files]
        self.path: Path = files[0]
        self.schema: pa.Schema = tables[0].schema
        check_one_schema(files, [table.schema for table in tables])
        self._table = pa.concat_tables(tables)
        self.rows: Rows = Rows(files, tuple(table.num_rows for table in tables))

    def read(self, name: str) -> pa.ChunkedArray:
        return self._table.column(name)


def called(there: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns that have one of these names, in the order of the names.

    Case is ignored if no column is spelt exactly like a name.

    >>> called(["ID", "Label", "x"], ["label", "class"]), called(["y", "Y"], ["y"])
    (['Label'], ['y'])
    """
    exact = [name for name in dict.fromkeys(names) if name in there]
    return exact or [one for name in names for one in there if one.casefold() == name]


def pick(
    columns: Columns,
    candidates: Sequence[str],
    given: str | None = None,
    option: str | None = None,
) -> str:
    """The given column, or else the first of the candidates that is there, as in `called`.

    No such column, or one that occurs twice, raises `ArcalError`, which says what `option` names
    one.
    """
    names = columns.schema.names
    there = (
        called(names, candidates) if given is None else [name for name in names if name == given]
    )
    if there:
        exact = given is not None or there[0] in candidates
        spelt = str if exact else str.casefold
        same = [name for name in names if spelt(name) == spelt(there[0])]
        if len(same) > 1:
            which = f"{len(same)} columns {same[0]}" if len({*same}) == 1 else " and ".join(same)
            raise ArcalError(f"{columns.path} has {which}: keep one of them")
        return there[0]
    wanted = " or ".join(candidates) if given is None else given
    rename = f", or rename it to {candidates[0]}" if given is None else ""
    advice = f"; name one of them with {option}{rename}" if option else ""
    raise ArcalError(
        f"{columns.path} has no column {wanted}: its columns are {', '.join(names)}{advice}"
    )


def label_column(
    columns: Columns, candidates: Sequence[str], given: str | None, labelled: bool
) -> str | None:
    """The column of labels; None if there is none and the data need not be `labelled`."""
    names = columns.schema.names
    if not labelled and not (given in names if given else called(names, candidates)):
        return None
    return pick(columns, candidates, given, "--label")


def read_labels(
    columns: Columns, label: str | None, names: Names
) -> tuple[Tensor, tuple[str, ...], Tensor | None]:
    """The labels int64 `(N,)` in a column, the names of the classes, and weights if named.

    Without a column, or with a label missing in data that need not be `labelled`, all labels are 0,
    of one class. Data without rows raise `ArcalError`.
    """
    if not len(columns.rows):
        raise ArcalError(f"{columns.path} has no rows: give a part with data")
    labels, classes = unlabelled(len(columns.rows))
    if label is not None:
        column = columns.read(label)
        if names.labelled or not column.null_count:
            labels, classes = encode_labels(
                column,
                label,
                columns.rows.where,
                names=columns.class_names(label),
                classes=names.classes,
            )
    return labels, classes, _read_weights(columns, names.weight)


def read_ids(columns: Columns) -> tuple[Tensor, tuple[str, ...] | None]:
    """The ids int64 `(N,)`, and N names if a column `id` holds names rather than numbers, or None.

    Ids are the whole numbers in such a column, or else the row numbers. If one of the numbers has
    leading zeros, or does not fit in int64, all are names. Several such columns, and an id that is
    missing or occurs twice, raise `ArcalError`.
    """
    rows, where = torch.arange(len(columns.rows), device="cpu"), columns.rows.where
    if not called(columns.schema.names, [ID]):
        return rows, None
    name = pick(columns, [ID])
    column = _plain(columns.read(name))
    ids = _whole_ids(column, name, where)
    if ids is None:
        if column.null_count or not (is_text(column) or pa.types.is_integer(column.type)):
            return rows, None
        return rows, tuple(column.cast(pa.string()).to_pylist())
    order = ids.argsort(kind="stable")
    if len(again := np.flatnonzero(np.diff(ids[order]) == 0)):
        first, row = order[again[0] : again[0] + 2].tolist()
        raise ArcalError(
            f"{where(row)}: id {ids[row]} occurs more than once, first in row {first}: give every "
            f"input an id of its own, or rename the column"
        )
    return torch.from_numpy(ids), None


def _whole_ids(column: pa.ChunkedArray, name: str, where: Where) -> np.ndarray | None:
    """A column of ids as int64 `(N,)`; None if it is of something else."""
    if is_text(column):
        column = pc.utf8_trim_whitespace(column)
        whole = pc.match_substring_regex(column, WHOLE).fill_null(False)
        if not (len(column) and pc.all(whole).as_py()):
            return None
        if pc.any(pc.match_substring_regex(column, ZEROS_BEFORE)).as_py():
            return None
    elif not pa.types.is_integer(column.type):
        return None
    refuse_missing(column, name, where)
    with suppress(pa.ArrowInvalid):  # some unsigned 64-bit ids are too large
        return column.cast(pa.int64()).to_numpy().copy()
    return None


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, decoded if it is a dictionary of values."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _read_weights(columns: Columns, weight: str | None) -> Tensor | None:
    if weight is None:
        return None
    pick(columns, (), weight, "--weight")
    return as_weights(columns.read(weight), weight, columns.rows.where)


def as_weights(column: pa.ChunkedArray, name: str, where: Where) -> Tensor:
    """A column's `numbers` as weights; a negative one, or none above 0, raises `ArcalError`."""
    values = numbers(column, name, where)
    if (values < 0).any():
        row = int(np.flatnonzero(values < 0)[0])
        raise ArcalError(f"{where(row)}: {name} is {values[row]:g}: weights must be at least 0")
    if not values.any():
        raise ArcalError(
            f"{where(0)}: {name} is 0 in every row: give at least one a weight above 0"
        )
    return torch.from_numpy(values)


def numbers(column: pa.ChunkedArray, name: str, where: Where) -> np.ndarray:
    """A column as finite float64 `(N,)`, from numbers or from text that is numbers.

    Other text, booleans, missing values, NaN and infinity raise `ArcalError`.
    """
    column = _plain(column)
    refuse_missing(
        column, name, where, f"fill it in, remove the row, leave the column out or {OTHERWISE}"
    )
    if is_text(column):
        column = _parsed(pc.utf8_trim_whitespace(column), name, where)
    kind = column.type
    if pa.types.is_boolean(kind):
        raise ArcalError(f"{where(0)}: {name} is True or False: write 1 and 0")
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise ArcalError(
            f"{where(0)}: {name} is of type {kind}, not a number: leave the column out (--columns "
            "names the others) or turn it into numbers"
        )
    values = column.cast(pa.float64(), safe=False).to_numpy().copy()
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ArcalError(
            f"{where(int(wrong[0]))}: {name} is {values[wrong[0]]}: give a finite number, remove "
            "the row or leave the column out"
        )
    return values


def _parsed(column: pa.ChunkedArray, name: str, where: Where) -> pa.ChunkedArray:
    """Text as float64; the first value that is no number raises `ArcalError`."""
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        low, high = 0, len(column)  # the first wrong row is in [low, high)
        while high - low > 1:
            middle = (low + high) // 2
            try:
                column.slice(low, middle - low).cast(pa.float64())
                low = middle
            except pa.ArrowInvalid:
                high = middle
        value = column[low].as_py()
        if value in ("True", "False", "true", "false", "TRUE", "FALSE"):
            raise ArcalError(f"{where(low)}: {name} is {value}: write 1 and 0") from None
        if SEVERAL.fullmatch(value or ""):
            raise ArcalError(
                f"{where(low)}: {name} is {value!r}, several numbers: give each a column of its "
                "own; if they are token ids, give a model that reads text (hf:FOLDER) the texts, "
                "or give the ids in Python, arcal.audit(model, (ids, labels), order='margin')"
            ) from None
        what = f"is {value!r}, not a number" if value else "is missing"
        raise ArcalError(
            f"{where(low)}: {name} {what}: leave the column out (--columns names the others), turn "
            f"it into numbers or {OTHERWISE}"
        ) from None


def encoded_images(columns: Columns, image: str) -> Encoded:
    """The images of a column: encoded bytes, or paths relative to the file that names them."""
    field = columns.schema.field(image)
    if is_text(field):
        column = columns.read(image)
        refuse_missing(column, image, columns.rows.where)
        return ImageFiles(columns.rows.files[0].parent, column.to_pylist(), columns.rows)
    if is_image(field):
        return columns.encoded(image)
    raise ArcalError(
        f"{columns.path}: column {image} is of type {field.type}: give encoded images (bytes, or a "
        "struct with binary `bytes`) or paths of image files"
    )


def is_image(field: pa.Field) -> bool:
    """Whether a column holds encoded images."""
    kind = field.type
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def image_bytes(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The bytes of a column of encoded images."""
    return pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
