"""The columns of CSV files and of files of JSON lines, read whole into memory."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.compute
from pyarrow import csv as arrow_csv

from arcal.data.columns import InTables
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

DELIMITERS = (",", "\t", ";", "|")
LOOKED_AT = 6
"""How many lines are used to find the delimiter."""
ABOVE = r"\s*$|#|sep=."
"""A line that may stand above the header."""
DECIMAL_COMMA = r"^[+-]?\d*(,?\d+)([eE][+-]?\d+)?$"
BLOCK = 64 * 2**20  # bytes: the longest row


class TextTable(InTables):
    """The columns of a part in text files, which must have the same columns.

    CSV columns are all text; columns of JSON lines have the types of JSON.
    """

    def __init__(self, files: tuple[Path, ...], read: Callable[[Path], pa.Table]) -> None:
        super().__init__(files, read)
        for name, count in Counter(self.schema.names).items():
            if count > 1:
                raise ArcalError(f"{self.path} has {count} columns {name}: keep one")

    def encoded(self, name: str) -> NoReturn:
        raise ArcalError(f"{self.path}: column {name} holds no images: name their files instead")


def read_csv(file: Path) -> pa.Table:
    """A CSV file with a header, as columns of text; an empty field without quotes is missing.

    The fields are separated by commas, tabs, semicolons or vertical bars; with semicolons, decimal
    commas become points. Names of columns lose spaces around them. A file that is empty, is not
    UTF-8 or has rows of different lengths raises `ArcalError`.
    """
    try:
        header = csv_header(file)
        if not header.names:
            raise ArcalError(f"{file} is empty: give a CSV file with a header and rows")
        table = arrow_csv.read_csv(
            file,
            read_options=header.read_options,
            parse_options=header.parse_options,
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header.names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        if header.delimiter == ";":
            columns = [with_points(column) for column in table.columns]
            table = pa.table(columns, names=table.column_names)
        return table.rename_columns([name.strip() for name in table.column_names])
    except UnicodeDecodeError as error:
        raise ArcalError(f"{file} is not UTF-8: save it as UTF-8") from error
    except (pa.ArrowException, OSError, csv.Error) as error:
        raise ArcalError(f"{file} cannot be read as CSV ({first_line(error)})") from error


@dataclass(frozen=True)
class CsvHeader:
    """How a CSV file begins: its delimiter, the names of its columns, and the lines above these."""

    delimiter: str
    names: list[str]
    above: int = 0

    @property
    def read_options(self) -> arrow_csv.ReadOptions:
        return arrow_csv.ReadOptions(block_size=BLOCK, skip_rows=self.above)

    @property
    def parse_options(self) -> arrow_csv.ParseOptions:
        return arrow_csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)


def csv_header(file: Path) -> CsvHeader:
    r"""The header of a CSV file, perhaps compressed.

    The delimiter is a comma, a tab, a semicolon or a vertical bar: the first that gives the first
    rows as many fields as the header. In a `.tsv` file the tab is tried first. A header without any
    of them is the name of one column, in which the first number may have a decimal comma. Above the
    header there may be lines that begin with #, and the line `sep=;` (or another delimiter) of
    files for Excel. A beginning that is not UTF-8 raises `UnicodeDecodeError`.

    >>> _ = Path("a.csv").write_bytes(b"sep=;\nid;label\n1;cat\n")
    >>> csv_header(Path("a.csv"))
    CsvHeader(delimiter=';', names=['id', 'label'], above=1)
    """
    with _opened(file) as text:
        lines = [*itertools.takewhile(lambda line: re.match(ABOVE, line), text)]
    header = _header_below(file, len(lines))
    if lines and lines[-1].startswith("#"):
        itself = next(csv.reader(lines[-1:], delimiter=header.delimiter))
        if len(itself) == len(header.names) > 1:  # not a comment: the first name begins with #
            return CsvHeader(header.delimiter, itself, len(lines) - 1)
    return header


def _header_below(file: Path, above: int) -> CsvHeader:
    marks = sorted(DELIMITERS, key=lambda mark: mark != "\t") if _is_tsv(file) else DELIMITERS
    read = {mark: _first_rows(file, above, mark) for mark in marks}
    several = [mark for mark, rows in read.items() if len(rows[0]) > 1]
    fitting = [mark for mark in several if len({*map(len, read[mark])}) == 1]
    if several:
        mark = (fitting or several)[0]
    else:
        below = read[";"][1:2] or [[""]]
        mark = ";" if re.fullmatch(DECIMAL_COMMA, "".join(below[0]).strip()) else ","
    return CsvHeader(mark, read[mark][0], above)


def _is_tsv(file: Path) -> bool:
    return ".tsv" in [suffix.lower() for suffix in file.suffixes[-2:]]


def _first_rows(file: Path, above: int, mark: str) -> list[list[str]]:
    """The header and the first rows by a delimiter; the last is empty if they cannot be read."""
    read: list[list[str]] = []
    with _opened(file) as text:
        try:
            rows = csv.reader(itertools.islice(text, above, None), delimiter=mark)
            read.extend(itertools.islice(filter(None, rows), LOOKED_AT))
        except csv.Error:  # a field that never ends, as if a text begins with a quotation mark
            read.append([])
    return read or [[]]


@contextmanager
def _opened(file: Path) -> Iterator[io.TextIOWrapper]:
    with (
        pa.input_stream(str(file), compression="detect") as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
    ):
        yield text


def with_points(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn decimal commas into points in a column of text that is numbers; keep any other column.

    >>> with_points(pa.chunked_array([["0,5", None, "-2"]])).to_pylist()
    ['0.5', None, '-2']
    """
    if not pa.types.is_string(column.type):
        return column
    if pc.all(pc.match_substring_regex(column, DECIMAL_COMMA)).as_py():
        return pc.replace_substring(column, ",", ".")
    return column


def read_json_lines(file: Path) -> pa.Table:
    """A file with one JSON object per line, perhaps compressed; a key that a row lacks is missing.

    A line that is not an object, or a key whose values are of several types, raises `ArcalError`.
    """
    return json_table([*json_objects(file)], file)


def json_table(rows: Sequence[Mapping[str, Any]], file: Path) -> pa.Table:
    """Rows as a table, in which a key that a row lacks is missing; errors name the `file`.

    >>> json_table([{"label": "cat"}, {"label": "dog"}], Path("a.jsonl"))["label"].to_pylist()
    ['cat', 'dog']
    """
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except OverflowError:
            raise ArcalError(
                f"{file}: {name} has whole numbers beyond 2**63: give them as text"
            ) from None
        except pa.ArrowException as error:
            raise ArcalError(
                f"{file}: {name} has values of several types: give every row the same type"
            ) from error
    return pa.table(columns)


def json_objects(file: Path) -> Iterator[dict[str, Any]]:
    r"""The objects of a file of JSON lines, perhaps compressed; blank lines are skipped.

    >>> _ = Path("a.jsonl").write_bytes(b'{"label": "cat"}\n\n{"label": "dog"}\n')
    >>> [row["label"] for row in json_objects(Path("a.jsonl"))]
    ['cat', 'dog']
    """
    try:
        with _opened(file) as lines:
            for row, line in enumerate(line for line in lines if line.strip()):
                yield _object(line, file, row)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ArcalError(f"{file} cannot be read as UTF-8 text ({type(error).__name__})") from error


def _object(line: str, file: Path, row: int) -> dict[str, Any]:
    try:
        value = parse_json(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ArcalError(f"{file}, row {row} is not a JSON object: write one object a line")
    return value
