"""Predictions that somebody saved: a file of logits or probabilities with labels."""

import logging
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import torch
from torch import Tensor

from arcal.auditing import Predictions, as_predictions
from arcal.audits._saved_labels import check_not_of_the_predicted, classes_of_one, numbered
from arcal.calibration.checks import as_weights
from arcal.data.npz import class_names
from arcal.data.text_tables import csv_header, with_points
from arcal.errors import ArcalError, first_line
from arcal.files import NO_ARRAY

log = logging.getLogger(__name__)

SUFFIXES = (".npz", ".parquet", ".csv", ".csv.gz")
OUTPUTS = {"logits": ("logits", "logit"), "probabilities": ("probabilities", "probability")}
ROUNDED = 1e-3
"""How far probabilities may be from summing to 1 without a word: half precision is."""
SHOWN = 8
"""So many names of columns are listed, where something is missing."""
NO_PICKLES = (
    "an array of it holds Python objects; save names as text, by `numpy.asarray(names, dtype='U')`"
)
LABELS, IDS, WEIGHTS = ("labels", "label"), ("ids", "id"), ("weights", "weight")
PREDICTED = ("predicted", "prediction", "pred")


@dataclass(frozen=True, eq=False)
class SavedPredictions:
    """Predictions with what their file says beside them.

    `classes` are the Z names, numbers where the file has none; `weights` float64 `(N,)` and `names`
    of the inputs, where ids are no numbers, are None unless they are in the file. `scaled` says by
    how much rows of probabilities were off their sum of 1, if it is more than rounding. Made by
    `read_predictions`.
    """

    predictions: Predictions
    classes: tuple[str, ...]
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None
    scaled: str | None = None


def holds_predictions(path: Path) -> bool:
    """Whether a file has an entry or a column of logits or probabilities.

    >>> np.savez("mine.npz", logits=np.eye(3), labels=np.arange(3))
    >>> holds_predictions(Path("mine.npz"))
    True
    """
    if not path.name.endswith(SUFFIXES) or not path.is_file():
        return False
    return any(_belongs(name, outputs) for name in _names(path) for outputs in OUTPUTS.values())


def read_predictions(path: Path, *, labelled: bool = True) -> SavedPredictions:
    """Read a `.npz`, `.parquet` or `.csv` file of predictions.

    Entries, or columns, are `logits` or `probabilities`, `labels`, and, if there are any, `ids`,
    `classes` (of a `.npz`) and `weights`. A table has the outputs in one column of lists, or in a
    column for each class whose name begins with `logits` or `probabilities`, such as `logits_cat`:
    what follows is the class. Labels are numbers from 0, or names of classes; unless `labelled`
    they are not read, and all are 0. What is missing, or does not fit, raises `ArcalError`; so does
    what `as_predictions` refuses.

    >>> np.savez("mine.npz", probabilities=[[0.75, 0.25], [0.5, 0.5]], labels=["dog", "cat"],
    ...          classes=["cat", "dog"])
    >>> saved = read_predictions(Path("mine.npz"))
    >>> saved.classes, saved.predictions.labels
    (('cat', 'dog'), tensor([1, 0]))
    """
    if not path.name.endswith(SUFFIXES):
        raise ArcalError(f"{path}: predictions are read from {', '.join(SUFFIXES)}")
    try:
        saved = _saved(_entries(path), _names(path), labelled, path.suffix != ".npz")
    except ArcalError as error:
        raise ArcalError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: give the file of your predictions") from None
    except (*NO_ARRAY, pa.ArrowException) as error:
        reason = first_line(error)
        remedy = f": {NO_PICKLES}" if "allow_pickle" in reason else ""
        raise ArcalError(f"{path} cannot be read ({reason}){remedy}") from error
    of = saved.predictions
    log.info(f"read {path}: predictions on {len(of.ids):,} inputs, {of.classes} classes")
    return saved


def _names(path: Path) -> Sequence[str]:
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        if path.suffix == ".parquet":
            return pq.read_schema(path).names
        return [name.strip() for name in csv_header(path)[1]]
    except (*NO_ARRAY, pa.ArrowException):
        return []


def _entries(path: Path) -> dict[str, Any]:
    """Arrays by name; the outputs' columns, one a class, are under `logits` or `probabilities`."""
    if path.suffix == ".npz":
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = dict(archive)
        if any(isinstance(array, bytes) for array in arrays.values()):
            raise ArcalError("a member of it is no array: write it by numpy.savez")
        return arrays
    table = pq.read_table(path) if path.suffix == ".parquet" else _csv(path)
    if not table.num_rows:
        raise ArcalError("there are no rows: give a file with predictions")
    entries: dict[str, Any] = {}
    for names in (LABELS, IDS, WEIGHTS):
        several = [name for name in table.column_names if name in names]
        if len(several) > 1:
            raise ArcalError(f"there are columns {' and '.join(several)}: leave one of them")
        for name in several:
            entries[name] = _without_gaps(table.column(name), name).to_numpy()
    for kind, names in OUTPUTS.items():
        columns = [name for name in table.column_names if _belongs(name, names)]
        if len(columns) == 1 and pa.types.is_nested(table.field(columns[0]).type):
            rows = table.column(columns[0]).to_pylist()
            entries[kind] = np.array(rows) if len({len(row or ()) for row in rows}) == 1 else rows
        elif columns:
            entries[kind] = np.column_stack([_numbers(table, name) for name in columns])
            titles = [re.sub(rf"^({'|'.join(names)})[ _.:/-]?", "", name) for name in columns]
            if len(columns) == 1:
                titles = _two_classes(table, kind, columns[0], titles[0], entries)
            if titles and titles != [str(i) for i in range(len(titles))]:
                entries["classes"] = np.array(titles)
    return entries


def _csv(path: Path) -> pa.Table:
    """The columns of a CSV file; where semicolons separate them, commas may be decimal."""
    refusal = "it is not UTF-8: save it as UTF-8"
    try:
        delimiter, _ = csv_header(path)
        table = csv.read_csv(
            path, parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        )
        table = table.rename_columns([name.strip() for name in table.column_names])
    except UnicodeDecodeError as error:
        raise ArcalError(refusal) from error
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise ArcalError(refusal)
    for i, name in enumerate(table.column_names if delimiter == ";" else ()):
        expected = name in WEIGHTS or any(_belongs(name, names) for names in OUTPUTS.values())
        column = table.column(i)
        if expected and (pointed := with_points(column)) is not column:
            table = table.set_column(i, name, pointed.cast(pa.float64()))
    return table


def _two_classes(
    table: pa.Table, kind: str, column: str, title: str, entries: dict[str, Any]
) -> Sequence[str] | None:
    """The classes of a binary classifier with one column of outputs, if their names are known."""
    label = next((entries[name] for name in LABELS if name in entries), None)
    classes = classes_of_one(column, title, label) if title and label is not None else None
    for name in PREDICTED if kind == "probabilities" else ():
        if name in table.column_names and not table.column(name).null_count:
            predicted = table.column(name).to_numpy()
            check_not_of_the_predicted(column, entries[kind][:, 0], predicted, classes)
    return classes


def _belongs(column: str, names: tuple[str, ...]) -> bool:
    return any(column == name or re.match(rf"{name}[ _.:/-]", column) for name in names)


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    column = table.column(name)
    if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
        raise ArcalError(f"{name} is no number{_first_text(column)}: give numbers alone")
    return _without_gaps(column, name).to_numpy().astype(np.float64)


def _without_gaps(column: Any, name: str) -> Any:
    if column.null_count:
        row = column.is_null().to_pylist().index(True)
        raise ArcalError(f"{name} is missing in row {row}: fill it in or drop the row")
    return column


def _first_text(column: Any) -> str:
    """Where a column has the first text that is no number."""
    for row, value in enumerate(column.to_pylist()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f" in row {row} ({value!r})"
    return ""


def _saved(
    entries: dict[str, Any], there: Sequence[str], labelled: bool, by_column: bool
) -> SavedPredictions:
    only = ", ".join(there[:SHOWN]) + (", ..." if len(there) > SHOWN else "")
    outputs = {kind: entries[kind] for kind in OUTPUTS if kind in entries}
    if not outputs:
        remedy = (
            "give each class a column, such as probabilities_cat or logits_cat"
            if by_column
            else "name their array `logits` or `probabilities`"
        )
        raise ArcalError(
            f"there are no logits or probabilities, only {only or 'nothing'}: {remedy}"
        )
    labels, ids, weights = (
        next((entries[name] for name in names if name in entries), None)
        for names in (LABELS, IDS, WEIGHTS)
    )
    if not labelled:
        labels = np.zeros(len(next(iter(outputs.values()))), dtype=int)
    if labels is None:
        raise ArcalError(f"there are no labels, only {only}: name them `labels`")
    classes = entries.get("classes")
    names = None if classes is None else class_names(np.asarray(classes))
    labels = numbered(np.asarray(labels), names, by_column=by_column)
    titles = None
    if ids is not None and np.asarray(ids).dtype.kind in "USO":
        titles, ids = tuple(map(str, np.asarray(ids).tolist())), None
        if len(set(titles)) < len(titles):
            twice = next(name for i, name in enumerate(titles) if name in titles[:i])
            raise ArcalError(f"id {twice!r} is there twice: every input has its own")
    predictions = as_predictions(labels=labels, ids=ids, **outputs)
    Z = predictions.classes
    if names is not None and len(names) != Z:
        raise ArcalError(f"there are {len(names)} classes, and predictions of {Z}")
    return SavedPredictions(
        predictions,
        names or tuple(map(str, range(Z))),
        weights=None if weights is None else _weights(weights, len(predictions.ids)),
        names=titles,
        scaled=_scaled(outputs.get("probabilities")),
    )


def _scaled(probabilities: Any) -> str | None:
    """What is said of rows whose sum is not 1, which `as_predictions` scales to it."""
    sums = np.asarray(0 if probabilities is None else probabilities, dtype=np.float64)
    if sums.ndim < 2 or sums.shape[-1] < 2:
        return None
    sums = sums.sum(axis=-1)
    off = int((np.abs(sums - 1) > ROUNDED).sum())
    if not off:
        return None
    return (
        f"{off:,} of {sums.size:,} rows do not sum to 1 ({sums.min():.6g} to {sums.max():.6g}), as "
        "if they were rounded: each is divided by its sum"
    )


def _weights(values: Any, N: int) -> Tensor:
    values = np.asarray(values)
    if values.dtype.kind not in "iuf":
        raise ArcalError(f"weights are of {values.dtype}: give numbers")
    return as_weights(torch.tensor(values), N)
