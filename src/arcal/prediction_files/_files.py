"""Reading files of saved predictions."""

import logging
import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.auditing import (
    RIGHT_OR_WRONG,
    Predictions,
    as_answers,
    as_predictions,
    one_per,
    suspect_clusters,
)
from arcal.calibration.checks import as_weights
from arcal.data.npz import NO_PICKLES, class_names
from arcal.errors import ArcalError, first_line
from arcal.files import NO_ARRAY
from arcal.prediction_files._answers import holds_answers, missing_of
from arcal.prediction_files._arrays import arrays_in
from arcal.prediction_files._columns import columns_in
from arcal.prediction_files._derived import check_not_by_number, never_below_half
from arcal.prediction_files._entries import USUAL, ColumnNames, Entries
from arcal.prediction_files._labels import numbered
from arcal.prediction_files._tables import ALL_SCORES, OUTPUT_NAMES, belongs, names_in
from arcal.prediction_files._tables import SUFFIXES as TABLES
from arcal.printable import first_few, printable

log = logging.getLogger(__name__)

SUFFIXES = (".npz", *TABLES)
ANSWERS = (
    "; where there is only the confidence in an answer, name it `confidence`, and whether it was "
    "right `correct`"
)
ROUNDED = 1e-3
"""How far sums of probabilities may be from 1 without a caveat; half precision is within it."""


@dataclass(frozen=True, eq=False)
class SavedPredictions:
    """Predictions, and what else their file says.

    `classes` are the Z names, or numbers if the file has none. `weights` float64 `(N,)` and the
    inputs' `names`, which are ids that are not numbers, are None unless they are in the file. `by`
    has columns of N values to group the inputs by. `weighed_by` says where the weights come from,
    `scaled` how far rows of probabilities were from a sum of 1 if that is more than rounding,
    `labelled` how many inputs have a label if these are in another file, and `doubt` why answers
    may be outputs of a binary classifier, or its outputs the confidence in answers. `unused` are
    the names of columns that are not read. Made by `read_predictions`.
    """

    predictions: Predictions
    classes: tuple[str, ...]
    weights: Tensor | None = None
    names: tuple[str, ...] | None = None
    by: Mapping[str, Any] = field(default_factory=dict)
    weighed_by: str | None = None
    scaled: str | None = None
    unused: tuple[str, ...] = ()
    labelled: str | None = None
    doubt: str | None = None

    @property
    def wrong_together(self) -> str | None:
        """A sentence if inputs that may be of one patient, say, are right or wrong together."""
        columns = {name: self.by[name] for name in self.unused if name in self.by}
        return suspect_clusters(self.predictions, columns)

    @property
    def keys(self) -> tuple[Any, ...]:
        """The N names of the inputs, or their ids if they have no names."""
        return self.names or tuple(self.predictions.ids.tolist())

    def ordered_like(self, other: "SavedPredictions") -> "SavedPredictions":
        """The same in the order of another file; unchanged unless both have the same inputs."""
        own, keys = self.keys, other.keys
        if own == keys:
            return self
        places = {key: row for row, key in enumerate(own)}
        if places.keys() != set(keys):
            return self
        same = self.rows(torch.tensor([places[key] for key in keys], device="cpu"))
        return replace(same, predictions=replace(same.predictions, ids=other.predictions.ids))

    def rows(self, chosen: Tensor) -> "SavedPredictions":
        """The same for some of the inputs, by position int64 `(n,)`."""
        return replace(
            self,
            predictions=self.predictions.rows(chosen),
            weights=None if self.weights is None else self.weights[chosen],
            names=None if self.names is None else tuple(self.names[i] for i in chosen.tolist()),
            by={name: _taken(column, chosen.numpy()) for name, column in self.by.items()},
        )

    def one_per(self, column: str, weights: Tensor | None = None) -> "SavedPredictions":
        """The same for one input drawn for each value in a column of `by`.

        Its own weights count in the draw, unless other `weights` are given.
        """
        weights, ids = self.weights if weights is None else weights, self.predictions.ids
        return self.rows(one_per(self.by[column], ids, weights=weights, name=column))

    def with_classes_like(self, classes: Sequence[str]) -> "SavedPredictions":
        """The same with the classes in this order; unchanged if these are other classes."""
        names = [*map(printable, self.classes)]
        wanted = [*map(printable, classes)]
        if names == wanted or sorted(names) != sorted(wanted) or len({*names}) < len(names):
            return self
        was = torch.tensor([names.index(name) for name in wanted], device="cpu")
        said = self.predictions
        predictions = replace(said, labels=was.argsort()[said.labels], logits=said.logits[..., was])
        return replace(self, predictions=predictions, classes=tuple(self.classes[z] for z in was))


def _taken(column: Any, rows: np.ndarray) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else column.take(rows)


def may_hold_predictions(path: Path) -> bool:
    """Whether this is a file, or a folder of its parts, with an ending that predictions have.

    Spark and dask write a folder `predictions.parquet` of such parts.
    """
    if not path.name.lower().endswith(SUFFIXES):
        return False
    return path.is_file() or (path.suffix.lower() == ".parquet" and any(path.glob("*.parquet")))


def holds_predictions(path: Path) -> bool:
    """Whether a file has logits or probabilities, or confidences and what was correct."""
    if not may_hold_predictions(path):
        return False
    names = _names(path)
    outputs = any(belongs(name, OUTPUT_NAMES) or name.casefold() == ALL_SCORES for name in names)
    return outputs or holds_answers(names)


def has_column(path: Path, name: str) -> bool:
    r"""Whether a file of predictions has a column, key or array of this name.

    >>> _ = Path("today.csv").write_bytes(b"patient,probability_ill\n7,0.25\n")
    >>> has_column(Path("today.csv"), "patient"), has_column(Path("today.csv"), "ward")
    (True, False)
    """
    return name.partition(".")[0] in {one.partition(".")[0] for one in _names(path)}


def read_predictions(
    path: Path,
    called: ColumnNames = USUAL,
    *,
    labelled: bool = True,
    classes: Sequence[str] = (),
) -> SavedPredictions:
    """Read a `.npz`, `.parquet`, `.csv`, `.tsv` or `.jsonl` file of predictions.

    Arrays, columns or keys are `logits` or `probabilities`, `labels`, and optionally `ids`,
    `weights` and, in a `.npz`, `classes`. A table has its outputs in one column of lists, in one of
    objects whose keys are the classes, or in one column per class whose name begins with `logits`
    or `probabilities` and ends with the class, such as `logits_cat`. Column names may be in
    capitals, and those with other names are `called` so.

    Labels are numbers from 0, or names of classes. Unless `labelled` they are ignored, all labels
    are 0, and the model's `classes`, if known, tell its columns from others.

    Answers have no outputs, but a confidence, and `correct`, or `predicted` and a label: see
    `as_answers`. Anything missing or inconsistent, and anything that `as_predictions` refuses,
    raises `ArcalError`.

    >>> np.savez("mine.npz", probabilities=[[0.75, 0.25], [0.5, 0.5]], labels=["dog", "cat"],
    ...          classes=["cat", "dog"])
    >>> saved = read_predictions(Path("mine.npz"))
    >>> saved.classes, saved.predictions.labels
    (('cat', 'dog'), tensor([1, 0]))
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise ArcalError(f"{path}: predictions are read from {', '.join(SUFFIXES)}")
    try:
        by_column = path.suffix.lower() != ".npz"
        called.check()
        entries_in = columns_in if by_column else arrays_in
        entries = entries_in(path, called, classes, labelled=labelled)
        if called.classes:
            own = entries.classes
            if own is not None and (not called.probabilities or [*own] != [*called.classes]):
                raise ArcalError("it names its classes itself: leave --classes out")
            entries.classes = np.array(called.classes)  # for lists, which name no classes
        saved = _saved(entries, _names(path), labelled=labelled, by_column=by_column)
    except ArcalError as error:
        raise ArcalError(f"{path}: {error}") from error
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: give the file of your predictions") from None
    except (*NO_ARRAY, pa.ArrowException) as error:
        reason = first_line(error)
        if twice := re.search(r'Field "(.*)" exists (\d+) times', reason):
            name, times = twice.groups()
            raise ArcalError(f"{path}: there are {times} columns {name}: keep one") from error
        remedy = f": {NO_PICKLES}" if "allow_pickle" in reason else ""
        raise ArcalError(f"{path} cannot be read ({reason}){remedy}") from error
    of = saved.predictions
    log.info(f"read {path}: predictions on {len(of.ids):,} inputs, {of.classes} classes")
    return saved


def _names(path: Path) -> Sequence[str]:
    try:
        if path.suffix.lower() == ".npz":
            with zipfile.ZipFile(path) as archive:
                return [name.removesuffix(".npy") for name in archive.namelist()]
        return names_in(path)
    except (*NO_ARRAY, pa.ArrowException):
        return []


def _saved(
    entries: Entries, there: Sequence[str], *, labelled: bool, by_column: bool
) -> SavedPredictions:
    outputs, answers = entries.outputs, entries.answers
    if not outputs and answers is None:
        missing = missing_of(there, labelled)
        raise ArcalError(missing or _no_outputs(there, entries.sums, by_column))
    labels, ids = entries.labels, entries.ids
    if outputs and not labelled:
        labels = np.zeros(len(next(iter(outputs.values()))), dtype=int)
    if labels is None and answers is None:
        elsewhere = ", or which file they are in, with --labels-from" if by_column else ""
        single = any(np.shape(rows)[1:] in ((), (1,)) for rows in outputs.values())
        elsewhere += ANSWERS if single else ""
        raise ArcalError(
            f"there are no labels, only {first_few(there)}: name them `labels`, or say which "
            f"column they are, with --label{elsewhere}"
        )
    names = None if entries.classes is None else class_names(entries.classes)
    titles = None
    if ids is not None and ids.dtype.kind in "USO":
        titles, ids = tuple(map(str, ids.tolist())), None
        if len({*titles}) < len(titles):
            twice, _ = Counter(titles).most_common(1)[0]
            raise ArcalError(f"id {twice!r} occurs twice: give every input its own id")
    if answers is not None:
        sure, right = answers
        predictions, names = as_answers(confidence=sure, correct=right, ids=ids), RIGHT_OR_WRONG
    else:
        if labelled:
            assert labels is not None
            labels = numbered(labels, names, by_column=by_column)
        predictions = as_predictions(labels=labels, ids=ids, **outputs)
        if names is not None and entries.labels is not None and labelled:
            check_not_by_number(entries.labels, names, predictions)
    Z = predictions.classes
    if names is not None and len(names) != Z:
        raise ArcalError(f"there are {len(names)} class names for predictions of {Z} classes")
    for name, column in entries.by.items():
        if len(column) != (N := len(predictions.ids)):
            raise ArcalError(f"{name} has {len(column):,} values for {N:,} inputs")
    weights = entries.weights
    return SavedPredictions(
        predictions,
        names or tuple(map(str, range(Z))),
        weights=None if weights is None else _weights(weights, len(predictions.ids)),
        names=titles,
        by=entries.by,
        weighed_by=entries.weighed_by,
        scaled=_scaled(outputs.get("probabilities")),
        unused=entries.unused,
        labelled=entries.labelled,
        doubt=entries.doubt or never_below_half(outputs.get("probabilities"), predictions),
    )


PREDICTED = ("pred", "preds", "predicted", "predicted_label", "prediction", "predictions", "y_pred")
"""Names of a column of predicted classes."""


def _no_outputs(there: Sequence[str], sums: str | None, by_column: bool) -> str:
    """The error for a file without outputs; `sums` is a phrase on columns that do not sum to 1."""
    if sums is not None:
        remedy = f"{sums}, and probabilities of all classes to 1: give every class a column"
    elif by_column:
        alone = next((one for one in there if one.lower() in PREDICTED), None)
        why = "" if alone is None else f"{alone} does not say how sure the model is; "
        remedy = (
            f"{why}give each class a column, such as probabilities_cat or logits_cat, or name the "
            "probability of class 1 `probability`, or say which columns they are, with "
            f"--probabilities{ANSWERS}"
        )
    else:
        remedy = (
            "name their array `logits` or `probabilities`, or say which it is, with "
            f"--probabilities{ANSWERS}"
        )
    return f"there are no logits or probabilities, only {first_few(there) or 'nothing'}: {remedy}"


def _scaled(probabilities: Any) -> str | None:
    """A sentence on rows that do not sum to 1, which `as_predictions` rescales, or None."""
    rows = np.asarray(0 if probabilities is None else probabilities)
    if rows.ndim < 2 or rows.shape[-1] < 2:
        return None
    sums = rows.sum(axis=-1, dtype=np.float64)
    off = int((np.abs(sums - 1) > ROUNDED).sum())
    if not off:
        return None
    return (
        f"{off:,} of {sums.size:,} rows do not sum to 1 ({sums.min():.6g} to {sums.max():.6g}), as "
        "if they were rounded: each is divided by its sum"
    )


def _weights(values: np.ndarray, N: int) -> Tensor:
    if values.dtype.kind not in "iuf":
        raise ArcalError(f"weights are of {values.dtype}: give numbers")
    return as_weights(torch.tensor(values, device="cpu"), N)
