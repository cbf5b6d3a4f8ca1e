"""The columns of files, whichever of the formats of tables they are in."""

from functools import partial
from pathlib import Path

from arcal.data.arrow_folder import ArrowColumns
from arcal.data.columns import Columns
from arcal.data.parquet_columns import ParquetColumns
from arcal.data.sources import Format
from arcal.data.text_tables import TextTable, read_csv, read_json_lines
from arcal.errors import ArcalError

READERS = {
    "parquet": ParquetColumns,
    "arrow": ArrowColumns,
    "csv": partial(TextTable, read=read_csv),
    "jsonl": partial(TextTable, read=read_json_lines),
}
"""What reads the columns of a part, by the formats that are tables."""


def open_columns(format: Format, files: tuple[Path, ...]) -> Columns:
    """The columns of a part; a format without any, or files that cannot be read, raise an error."""
    if format not in READERS:
        raise ArcalError(
            f"{files[0]} holds images, not columns of numbers or text: give Parquet, CSV, JSON "
            "lines or a folder saved by `datasets`"
        )
    return READERS[format](files)
