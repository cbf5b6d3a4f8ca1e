"""Tables of numbers, whose columns are a classifier's features."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.arrays import bytes_of
from arcal.data.columns import (
    ID,
    Columns,
    Names,
    called,
    label_column,
    numbers,
    pick,
    read_ids,
    read_labels,
)
from arcal.data.labels import typed
from arcal.data.listings import open_columns
from arcal.data.part import Labelled, check_rows
from arcal.data.sources import find_source
from arcal.errors import ArcalError

log: logging.Logger = logging.getLogger(__name__)

LABELS = ("label", "labels", "target", "class", "y")
INDEX = "__index_level_"  # pandas writes its index as such a column


@dataclass(frozen=True, eq=False, repr=False)
class Table(Labelled):
    r"""One part of a table: N rows of D numbers with stable ids.

    `rows` are float32 `(N, D)` and finite, `columns` the D names, `ids` unique int64 `(N,)`,
    `labels` int64 `(N,)` in [0, Z), `classes` the Z names, and `weights` float64 `(N,)`, at least
    0, or None. `names` are the data's ids of the rows if these are not numbers, or None. Other
    values raise `ArcalError`.

    >>> rows = torch.tensor([[0.5, 2.0], [1.5, -1.0], [1.0, 0.0]])
    >>> ids, labels = torch.tensor([3, 5, 8]), torch.tensor([0, 1, 0])
    >>> table = Table("toy/test", ids, labels, ("no", "yes"), ("age", "income"), rows)
    >>> table.bounds
    (tensor([ 0.5000, -1.0000]), tensor([1.5000, 2.0000]))
    >>> table.subset(torch.tensor([8])).rows
    tensor([[1., 0.]])
    """

    BY_ROW: ClassVar[tuple[str, ...]] = (*Labelled.BY_ROW, "rows")

    columns: tuple[str, ...]
    rows: Tensor
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        shape = (len(self.ids), len(self.columns))
        if self.rows.dtype != torch.float32 or tuple(self.rows.shape) != shape:
            raise ArcalError(
                f"{self.name}: rows must be float32 of shape {shape}, one row for each id and one "
                f"number for each column, not {self.rows.dtype} of shape {tuple(self.rows.shape)}"
            )
        check_rows(self, self.rows, "rows")
        wrong = (~self.rows.isfinite()).nonzero()
        if len(wrong):
            row, column = wrong[0].tolist()
            raise ArcalError(
                f"{self.name}: {self.columns[column]} of id {int(self.ids[row])} is "
                f"{self.rows[row, column].item()}: give finite numbers"
            )

    @property
    def shape(self) -> tuple[int]:
        """The shape (D,) of a row."""
        return (len(self.columns),)

    @cached_property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """The least and the greatest number in each column of this part, float32 `(D,)` each."""
        if not len(self):
            raise ArcalError(f"{self.name} has no rows, and so no bounds: give at least one")
        return self.rows.amin(0), self.rows.amax(0)

    def _content(self) -> list[bytes | memoryview]:
        return ["\0".join(self.columns).encode(), bytes_of(self.rows)]


def load_table(
    source: str,
    *,
    part: str | None = None,
    label: str | None = None,
    columns: Sequence[str] | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
    by: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Table:
    r"""One part of a table of numbers: CSV, Parquet, JSON lines, or a folder `datasets` saved.

    The label is the column `label`, or else the only one of "label", "labels", "target", "class"
    and "y"; text becomes classes sorted by name, or as in `classes`, the model's own. `columns` are
    the features in the model's order, by default all but the label, `weight`, `id`, those named in
    `without`, and columns of text named in `by`, which group the rows. A column `id` of integers
    gives the ids, which are otherwise row numbers; ids of other text, such as 007, become `names`.
    If the data need not be `labelled`, all labels are 0 where there are none. `part` is chosen as
    by `load_part`. Text, booleans, missing values and NaN among the features, and anything else
    that cannot be read, raise `ArcalError`.

    >>> from pathlib import Path
    >>> lines = ["age,income,label", "31,2.5,yes", "58,1.0,no", "44,3.5,yes"]
    >>> _ = Path("loans.csv").write_text("\n".join(lines))
    >>> table = load_table("loans.csv")
    >>> table.columns, table.classes, table.labels
    (('age', 'income'), ('no', 'yes'), tensor([1, 0, 1]))
    """
    there = find_source(source)
    _, name, paths = there.choose(part)
    data = open_columns(there.format, paths)
    label = _label(data, label, labelled)
    features = _features(data, label, columns, by, {label, weight, *without})
    names = Names(None, label, weight, classes, labelled)
    labels, known, weights = read_labels(data, label, names)
    ids, row_names = read_ids(data)
    rows = np.empty((len(ids), len(features)), np.float32)
    for d, feature in enumerate(features):
        values = numbers(data.read(feature), feature, data.rows.where)
        with np.errstate(over="ignore"):
            rows[:, d] = values
        wrong = np.flatnonzero(~np.isfinite(rows[:, d]))
        if len(wrong):
            raise ArcalError(
                f"{data.rows.where(int(wrong[0]))}: {feature} is {values[wrong[0]]:g}, too large "
                "for float32: rescale the column"
            )
    log.info(f"read {name} from {source}: {len(ids):,} rows of {len(features)} columns")
    numbered = torch.from_numpy(rows)
    return Table(name, ids, labels, known, tuple(features), numbered, weights, row_names)


def _label(data: Columns, label: str | None, labelled: bool) -> str | None:
    names = called(data.schema.names, LABELS)
    if label is None and len(names) > 1:
        raise ArcalError(
            f"{data.path} has the columns {' and '.join(names)}: say which is the label with "
            "--label"
        )
    return label_column(data, LABELS, label, labelled)


def _features(
    data: Columns,
    label: str | None,
    columns: Sequence[str] | None,
    by: Sequence[str],
    without: Collection[str | None],
) -> list[str]:
    if columns is None:
        others = {*called(data.schema.names, [ID]), *without}
        for name in by:
            kind = typed(data.read(pick(data, (), name, "--by"))).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
                others.add(name)
        columns = [
            name for name in data.schema.names if name not in others and not name.startswith(INDEX)
        ]
        unnamed = [d for d, name in enumerate(data.schema.names) if not name.strip()]
        if unnamed:
            raise ArcalError(
                f"{data.path}: column {unnamed[0]} has no name (as pandas writes an index): name "
                "the columns to use with --columns, or leave out the index"
            )
    for name in columns:
        pick(data, (), name, "--columns")
    if label in columns or len(set(columns)) < len(columns):
        raise ArcalError(
            f"{data.path}: the columns {', '.join(columns)} repeat one, or include the label "
            f"{label}: name each feature once"
        )
    if not columns:
        raise ArcalError(f"{data.path} has no columns besides {label}: give a table with features")
    return list(columns)
