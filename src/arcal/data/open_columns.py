"""The columns of files, whichever of the formats of tables they are in."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
from torch import Tensor

from arcal.data.arrow_folder import ArrowColumns
from arcal.data.columns import Columns, pick, read_ids, typed
from arcal.data.npz import npz_columns
from arcal.data.parquet_columns import ParquetColumns
from arcal.data.sources import Format, find_source
from arcal.data.tar_shards import json_fields
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
            "lines, .npz, WebDataset or a folder saved by `datasets`"
        )
    return READERS[format](files)


def load_columns(
    source: str, names: Sequence[str], *, part: str | None = None, image: str | None = None
) -> tuple[Tensor, dict[str, pa.ChunkedArray]]:
    r"""The ids int64 `(N,)` of a part's inputs, and columns of it by name, in the same order.

    They are what is known of the inputs beside what a model takes, such as where each is from, also
    arrays of `.npz`, and fields of WebDataset's JSON. Text that is all numbers becomes numbers.
    `source`, `part` and `image` are as for `load_part` and `load_table`; what has no columns, and a
    column that is not there, raise `ArcalError`.

    >>> _ = Path("loans.csv").write_text("age,region,label\n31,north,1\n58,south,0")
    >>> ids, columns = load_columns("loans.csv", ["region"])
    >>> ids, columns["region"].to_pylist()
    (tensor([0, 1]), ['north', 'south'])
    """
    there = find_source(source)
    key, _, paths = there.choose(part)
    if there.format == "npz":
        ids, values = npz_columns(paths[0], key, names, image)
    elif there.format == "tar":
        ids, values = json_fields(paths, names)
    else:
        columns = open_columns(there.format, paths)
        ids = read_ids(columns)
        values = {name: columns.read(pick(columns, (), name)) for name in names}
    return ids, {name: typed(column) for name, column in values.items()}
