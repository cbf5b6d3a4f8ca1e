"""Refusing tables of predictions without a header, whose first row would be read as one."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from arcal.errors import ArcalError
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

TEXT_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
NUMBER = re.compile(r"[+-]?\d*([.,]\d+|\d)(e[+-]?\d+)?", re.I)
FRACTION = re.compile(r"[+-]?\d*[.,]\d.*")


def check_header(path: Path, table: pa.Table, known: Collection[str]) -> None:
    """Refuse a table in a text file if its column names look like a row of values.

    They do if every column of numbers has a number for its name, and one of these is a fraction, or
    a column of text also has its own name among its values. A `known` name shows that there is a
    header.
    """
    names, is_known = table.column_names, {name.casefold() for name in known}
    if not path.name.lower().endswith(TEXT_TABLES) or is_known & {*map(str.casefold, names)}:
        return
    columns = [*zip(names, table.columns, strict=True)]
    numbers = [name for name, column in columns if is_number(column.type)]
    if not numbers or not all(map(NUMBER.fullmatch, numbers)):
        return
    again = any(
        pa.types.is_string(column.type) and pc.any(pc.equal(column, name)).as_py()
        for name, column in columns
    )
    if again or any(map(FRACTION.fullmatch, numbers)):
        such = "label, probability" + "_cat, probability_dog" * (len(names) > 2)
        raise ArcalError(
            f"it seems to have no header, since its first line ({first_few(names)}) reads as a row "
            f"of values: put a line above it that names the {len(names)} columns, such as {such}"
        )


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of this type has whole numbers or floats."""
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)
