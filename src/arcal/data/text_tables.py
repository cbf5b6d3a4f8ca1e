"""The columns of CSV files and of files of JSON lines, read whole into memory."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute
from pyarrow import csv as arrow_csv

from arcal.data.columns import InTables
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

DELIMITERS = (",", "\t", ";")
DECIMAL_COMMA = r"^[+-]?\d*(,?\d+)([eE][+-]?\d+)?$"
BLOCK = 64 * 2**20  # bytes: the longest row


class TextTable(InTables):
    """The columns of a part in text files, which must have the same columns.

    Those of CSV are all of text; those of JSON lines have the types of JSON.
    """

    def __init__(self, files: tuple[Path, ...], read: Callable[[Path], pa.Table]) -> None:
        super().__init__(files, read)
        for name, count in Counter(self.schema.names).items():
            if count > 1:
                raise ArcalError(f"{self.path} has {count} columns {name}: leave one")

    def encoded(self, name: str) -> NoReturn:
        raise ArcalError(f"{self.path}: column {name} holds no images: name their files instead")


def read_csv(file: Path) -> pa.Table:
    """A CSV file with a header, as columns of text; an empty field without quotes is missing.

    The fields are separated by commas, or by tabs or semicolons if the header has no comma; beside
    semicolons decimal commas become points. A file that is empty, is not UTF-8 or has rows of
    different lengths raises `ArcalError`.
    """
    try:
        delimiter, header = csv_header(file)
        if not header:
            raise ArcalError(f"{file} is empty: give a CSV file with a header and rows")
        table = arrow_csv.read_csv(
            file,
            read_options=arrow_csv.ReadOptions(block_size=BLOCK),
            parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        if delimiter == ";":
            columns = [with_points(column) for column in table.columns]
            table = pa.table(columns, names=table.column_names)
        return table
    except UnicodeDecodeError as error:
        raise ArcalError(f"{file} is not UTF-8: save it as UTF-8") from error
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise ArcalError(f"{file} cannot be read as CSV ({first_line(error)})") from error


def csv_header(file: Path) -> tuple[str, list[str]]:
    """The mark that separates the fields of a CSV file, perhaps compressed, and its header's names.

    It is a comma, or a tab or a semicolon if the header has no comma. Where it has none of them, it
    is the name of one column, in which the first number may have a decimal comma. A header that is
    not UTF-8 raises `UnicodeDecodeError`.
    """
    with (
        pa.input_stream(str(file), compression="detect") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
    ):
        line = text.readline()
        second = text.readline()
        alone = ";" if re.fullmatch(DECIMAL_COMMA, second.strip()) else ","
        delimiter = next((mark for mark in DELIMITERS if mark in line), alone)
        rows = csv.reader(itertools.chain([line, second], text), delimiter=delimiter)
        return delimiter, next(rows, [])


def with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text that is numbers with decimal commas, with points; any other as it is.

    >>> with_points(pa.chunked_array([["0,5", None, "-2"]])).to_pylist()
    ['0.5', None, '-2']
    """
    if not pa.types.is_string(column.type):
        return column
    if pc.all(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py():
        return pc.replace_substring(column, ",", ".")
    return column


def read_json_lines(file: Path) -> pa.Table:
    """A file with one JSON object a line; a key that a row lacks is a missing value.

    A line that is no object, or a key whose values are of several types, raises `ArcalError`.
    """
    rows: list[dict[str, Any]] = []
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for line in lines:
                if line.strip():
                    rows.append(_object(line, file, len(rows)))
    except (OSError, UnicodeDecodeError) as error:
        raise ArcalError(f"{file} cannot be read as UTF-8 text ({type(error).__name__})") from error
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except pa.ArrowException as error:
            raise ArcalError(
                f"{file}: {name} has values of several types: give every row the same type"
            ) from error
    return pa.table(columns)


def _object(line: str, file: Path, row: int) -> dict[str, Any]:
    try:
        value = parse_json(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArcalError(f"{file}, row {row} is not a JSON object: write one object a line")
    return value
