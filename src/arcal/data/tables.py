"""Tables of numbers, whose columns are a classifier's features; and texts with labels.

`kind_of` says which of these, or images, data are.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.arrays import bytes_of
from arcal.data.columns import (
    ID,
    IMAGES,
    SECOND_TEXTS,
    TEXTS,
    Columns,
    Names,
    called,
    is_image,
    label_column,
    numbers,
    pick,
    read_labels,
    read_names,
)
from arcal.data.columns import LABELS as TEXT_LABELS
from arcal.data.labels import is_text, refuse_missing, typed
from arcal.data.listings import READERS, open_columns
from arcal.data.part import Labelled, check_rows
from arcal.data.sources import find_source
from arcal.errors import ArcalError
from arcal.printable import first_few

log: logging.Logger = logging.getLogger(__name__)

LABELS = ("label", "labels", "target", "class", "y")
INDEX = "__index_level_"  # pandas writes its index as such a column


@dataclass(frozen=True, eq=False, repr=False)
class Table(Labelled):
    r"""One part of a table: N rows of D numbers with stable ids.

    `rows` are float32 `(N, D)` and finite, `columns` the D names, `ids` unique int64 `(N,)`,
    `labels` int64 `(N,)` in [0, Z), `classes` the Z names, and `weights` float64 `(N,)`, at least
    0, or None; so are `names`, what the data calls the rows where its ids are no numbers. Other
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

    The label is the column `label`, or that of "label", "labels", "target", "class" and "y" which
    there is; text becomes classes sorted by name, or as in `classes`, the model's own. `columns`
    are the features in the model's order, by default all but label, `weight`, `id`, those named in
    `without`, and columns of text that are named in `by`, to group the rows by. A column `id` of
    integers gives the ids, which are otherwise row numbers; ids of other text, such as 007, become
    `names`. Unless the data need be `labelled`, all labels are 0 where there are none. `part` is
    chosen as by `load_part`. Text, booleans, missing values and NaN among the features, and
    whatever else cannot be read, raise `ArcalError`.

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
    ids, labels, known, weights = read_labels(data, label, names)
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
    called = read_names(data)
    return Table(name, ids, labels, known, tuple(features), torch.from_numpy(rows), weights, called)


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
                f"{data.path}: column {unnamed[0]} has no name (pandas writes its index so): name "
                "the columns to use with --columns, or leave out the index"
            )
    for name in columns:
        pick(data, (), name, "--columns")
    if label in columns or len(set(columns)) < len(columns):
        raise ArcalError(
            f"{data.path}: the columns {', '.join(columns)} have one twice, or the label {label}: "
            "name each feature once"
        )
    if not columns:
        raise ArcalError(f"{data.path} has no columns besides {label}: give a table with features")
    return list(columns)


@dataclass(frozen=True, eq=False, repr=False)
class Texts(Labelled):
    """One part of N texts with stable ids.

    `texts` are N strings, `ids` unique int64 `(N,)`, `labels` int64 `(N,)` in [0, Z), `classes` the
    Z names, `weights` float64 `(N,)`, at least 0, or None, and `names` as of a `Table`. Other
    values raise `ArcalError`.

    >>> import torch
    >>> ids, labels = torch.tensor([3, 5]), torch.tensor([0, 1])
    >>> part = Texts("toy/test", ids, labels, ("bad", "good"), ("Never again.", "Superb."))
    >>> part.subset(torch.tensor([5])).texts
    ('Superb.',)
    """

    BY_ROW: ClassVar[tuple[str, ...]] = (*Labelled.BY_ROW, "texts")

    texts: tuple[str, ...]
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        check_rows(self, self.texts, "texts")

    @property
    def shape(self) -> tuple[()]:
        """The shape of a text: it has none."""
        return ()

    def _content(self) -> Iterator[bytes]:
        encoded = (text.encode("utf-8", "surrogatepass") for text in self.texts)
        return (b"%d " % len(text) + text for text in encoded)


def load_texts(
    source: str,
    *,
    part: str | None = None,
    text: str | None = None,
    label: str | None = None,
    weight: str | None = None,
    classes: Sequence[str] | None = None,
    labelled: bool = True,
) -> Texts:
    r"""One part of texts: CSV, Parquet, JSON lines, or a folder that `datasets` saved.

    The text is the column `text`, or the first of "text", "sentence" and "content"; the label is
    the column `label`, or the first of "label", "fine_label", "labels", "coarse_label", "target"
    and "class". Beside it a column such as "question" or "sentence2", the other half of a pair, is
    refused unless the text is named. `part`, `weight`, `classes`, `labelled` and ids are as for
    `load_table`. A text that is missing, and whatever else cannot be read, raises `ArcalError`; an
    empty text is a text.

    >>> from pathlib import Path
    >>> _ = Path("reviews.csv").write_text("text,label\nNever again.,bad\nSuperb.,good\n")
    >>> part = load_texts("reviews.csv")
    >>> part.texts, part.classes
    (('Never again.', 'Superb.'), ('bad', 'good'))
    """
    there = find_source(source)
    _, name, paths = there.choose(part)
    columns = open_columns(there.format, paths)
    text = pick(columns, TEXTS, text, "--text") if text is not None else _only_text(columns)
    label = label_column(columns, TEXT_LABELS, label, labelled)
    names = Names(None, label, weight, classes, labelled)
    ids, labels, known, weights = read_labels(columns, label, names)
    column = columns.read(text)
    where = columns.rows.where
    if not is_text(column):
        raise ArcalError(
            f"{where(0)}: {text} is of type {column.type}, not text: name another column with "
            "--text"
        )
    refuse_missing(column, text, where)
    texts = tuple(column.to_pylist())
    log.info(f"read {name} from {source}: {len(texts):,} texts, {len(known)} classes")
    return Texts(name, ids, labels, known, texts, weights, read_names(columns))


def _only_text(columns: Columns) -> str:
    """The column of the texts, which must not be one half of pairs."""
    text = pick(columns, TEXTS, None, "--text")
    if second := called(columns.schema.names, SECOND_TEXTS):
        raise ArcalError(
            f"{columns.path} has texts in {text} and in {second[0]}, as pairs have, and a model "
            f"reads one column: give --text {text} if that is all it reads, or audit a file of its "
            "predictions"
        )
    return text


Kind = Literal["images", "table", "texts"]
ROWS = 1000  # read to tell words from numbers


def kind_of(
    source: str,
    *,
    part: str | None = None,
    image: str | None = None,
    text: str | None = None,
    columns: Sequence[str] | None = None,
    label: str | None = None,
) -> Kind:
    """Whether a source is of images, a table of numbers, or texts, by what there is.

    Naming the column `image`, the column `text` or the feature `columns` says it. Otherwise files
    with a column of images (encoded, or paths in a column such as "image" or "file_name") are
    images, those with a text column ("text", "sentence", "content") are texts, and those with a
    label and other columns are a table. Everything that has no columns is images. Data that are
    several of these, or none, raise `ArcalError`.

    >>> kind_of("fashion")
    'images'
    """
    named: dict[Kind, object] = {"images": image, "texts": text, "table": columns}
    kinds: list[Kind] = [kind for kind, value in named.items() if value is not None]
    there = find_source(source)
    _, _, paths = there.choose(part)
    if there.format not in READERS:
        return "images"
    data = open_columns(there.format, paths)
    if not kinds:
        words = {field.name for field in data.schema if is_words(data, field)}
        nested = {field.name for field in data.schema if pa.types.is_nested(field.type)}
        pictures = any(map(is_image, data.schema)) or called([*words, *nested], IMAGES)
        kinds = [*(["images"] if pictures else []), *(["texts"] if called([*words], TEXTS) else [])]
        names = {*data.schema.names}.difference(called(data.schema.names, [ID]))
        labels = (called([*names], known) for known in (LABELS, TEXT_LABELS))
        features = names.difference([label], *labels)
        labelled = label is not None or len(features) < len(names)
        if not kinds and labelled and features - words:
            kinds = ["table"]
    if len(kinds) == 1:
        return kinds[0]
    what = "could be " + " or ".join(kinds) if kinds else "has no images, texts or labelled numbers"
    first = "" if kinds or label is not None else "the label with --label, "
    raise ArcalError(
        f"{data.path} {what} (its columns are {first_few(data.schema.names)}): name {first}the "
        "column of images with --image, that of texts with --text, or those of numbers with "
        "--columns"
    )


def is_words(data: Columns, field: pa.Field) -> bool:
    """Whether a column is of text that is not numbers throughout, judged by its first rows."""
    if not is_text(field):
        return pa.types.is_dictionary(field.type)
    return is_text(typed(data.read(field.name).slice(0, ROWS)))
