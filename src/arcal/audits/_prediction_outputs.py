"""The columns of a table that are a model's outputs, and the classes that their names say."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import torch

from arcal.audits._prediction_answers import PREDICTED, holds_answers
from arcal.audits._prediction_chosen import classes_of_chosen, whole
from arcal.audits._prediction_entries import ColumnNames
from arcal.audits._prediction_headers import is_number
from arcal.audits._prediction_labels import (
    TRUTH,
    as_text,
    called_in,
    check_not_of_the_predicted,
    classes_of_one,
    classes_of_one_unlabelled,
    truths_like,
)
from arcal.audits._prediction_tables import OUTPUTS, SHORT, belongs, named, numbers_in
from arcal.calibration.checks import ROUNDING, sum_to_one
from arcal.errors import ArcalError
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

SCORE = ("score",)
"""How the probability of class 1 is also called, where no other column could be an output."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs in the columns `of`, `(N, Z)`, `(N, 1)`, or a list of lists.

    `classes` are the names that the columns say, None where they say only numbers from 0.
    """

    of: list[str]
    values: Any
    classes: np.ndarray | None


def outputs_called(
    kind: str,
    table: pa.Table,
    there: Sequence[str],
    labels: np.ndarray | None,
    classes: Sequence[str],
    *,
    labelled: bool,
) -> Outputs | None:
    """The columns `there` whose names begin with "logits" or "probabilities", or another of `kind`.

    What follows is the class of each. One column of a binary classifier is of the class that it
    names, or of class 1. Where data need not be `labelled`, the names of the `classes` say what the
    `labels` would. Columns that cannot be such outputs raise `ArcalError`.
    """
    names = OUTPUTS[kind]
    spelt = (one for one in names if any(belongs(name, [one]) for name in table.column_names))
    first = [*islice(spelt, 1)]
    of = [name for name in there if belongs(name, first)]
    if not of:
        return None
    if len({*of}) < len(of):
        twice, times = Counter(of).most_common(1)[0]
        raise ArcalError(f"there are {times} columns {twice}: keep one of them")
    if len(of) == 1 and pa.types.is_nested(table.field(of[0]).type):
        return Outputs(of, _rows(table.column(of[0]), of[0]), None)
    values = _columns(table, of)
    titles = [re.sub(rf"^({'|'.join(names)})[ _.:/-]?", "", name, flags=re.I) for name in of]
    if labels is None or labels.dtype.kind in "iuf":  # pandas writes 1 as 1.0 beside a gap
        titles = whole(titles)
    if len(of) <= 2:
        titles = truths_like(titles, _called(labels, classes))
    if len(of) > 1:
        return Outputs(of, values, _unless_numbered(titles))
    both = None
    if not labelled:
        both = classes_of_one_unlabelled(of[0], titles[0], classes)
    elif titles[0] and labels is not None:
        both = classes_of_one(of[0], titles[0], labels)
    if kind == "probabilities":
        _check_not_of_the_predicted(table, of[0], values[:, 0], both)
        _check_one_of_two(table, of[0], None if both else labels)
    return Outputs(of, values, _unless_numbered(both or ()))


def probabilities_called_otherwise(
    table: pa.Table,
    there: Sequence[str],
    labels: np.ndarray | None,
    classes: Sequence[str],
    *,
    labelled: bool,
) -> Outputs | None:
    """The columns `there` of probabilities where no name says that they are; None if none are.

    Those called as the `labels`, or as the `classes` where there are no labels, come first: shares
    such as p_young and p_old sum to 1 as well.
    """
    numbers = _numeric(table, there)
    if holds_answers(table.column_names):  # a score beside them is of something else
        numbers = [name for name in numbers if name.casefold() not in SCORE]
    called = called_in(numbers, labels, classes)
    said = _probabilities_among(table, numbers, called, labelled=labelled)
    if said is None:
        return None
    of, titles, values = said
    if len(of) == 1:
        _check_one_of_two(table, of[0], labels)
    titles = truths_like(titles, _called(labels, classes))
    return Outputs(of, values, _unless_numbered(titles))


def outputs_chosen(
    table: pa.Table,
    called: ColumnNames,
    labels: np.ndarray | None,
    classes: Sequence[str],
    *,
    labelled: bool,
) -> Outputs:
    """The probabilities in the columns that the user names: of class 1, or one a class, in order.

    One column may also have lists, or have had objects, of which each key is now a column.
    """
    there, of = table.column_names, [*called.probabilities]
    titles = None
    if len(of) == 1 and of[0] not in there:
        keys = [name for name in there if name.startswith(f"{of[0]}.")]
        of, titles = keys or of, [name.removeprefix(f"{of[0]}.") for name in keys] or None
    for name in of:
        named(there, (), name)
    if len(of) == 1 and pa.types.is_nested(table.field(of[0]).type):
        return Outputs(of, _rows(table.column(of[0]), of[0]), None)
    values = _columns(table, of)
    known = None if labelled else classes
    names = classes_of_chosen(of, labels, known, called.classes, titles=titles)
    if len(of) == 1:
        _check_not_of_the_predicted(table, of[0], values[:, 0], names)
    return Outputs(of, values, _unless_numbered(names or ()))


def check_labelled(table: pa.Table, there: Sequence[str]) -> None:
    """Refuse columns `there` that sum to 1 as probabilities do, where nothing says the labels."""
    numbers = _numeric(table, there)
    if _probabilities(table, numbers) is not None:
        raise ArcalError(
            f"there are no labels, only {first_few(table.column_names)}, of which "
            f"{first_few(numbers)} sum to 1, as probabilities do: name them `labels`, or say which "
            "column they are, with --label, or which file they are in, with --labels-from"
        )


def sums_off_one(table: pa.Table, there: Sequence[str]) -> str | None:
    """Where columns called as short as `p_cat` and `p_dog` are from 0 to 1, but do not sum to 1."""
    return _off_one(table, [name for name in _numeric(table, there) if SHORT.match(name)])


def _unless_numbered(titles: Sequence[str]) -> np.ndarray | None:
    """The names of classes, unless there are none or they are their own numbers."""
    numbered = all(title == str(z) for z, title in enumerate(titles))
    return None if numbered else np.array(titles)


def _called(labels: np.ndarray | None, classes: Sequence[str]) -> Collection[str]:
    """What classes are called by their labels, or where there are none by `classes`.

    Nothing by the labels true and false, which find their columns in any spelling.
    """
    if labels is None:
        return classes
    return {*(as_text(labels) or ())} if labels.dtype.kind != "b" else ()


def _probabilities_among(
    table: pa.Table, numbers: list[str], called: set[str], *, labelled: bool
) -> tuple[list[str], list[str], np.ndarray] | None:
    """The columns of probabilities among those of numbers, their classes, and their rows."""
    if called and called <= set(numbers):
        of, p = _called_as_classes(table, numbers, called)
        return of, whole(of), p
    known = [name for name in numbers if name in called]
    if (p := _probabilities(table, known)) is not None:  # a label is blank, or misspelt
        return known, whole(known), p
    short = [name for name in numbers if SHORT.match(name)]
    if (p := _probabilities(table, short)) is not None:
        return short, [SHORT.sub("", name) for name in short], p
    if not labelled and (p := _probabilities(table, numbers)) is not None:
        return numbers, numbers, p
    if (score := named(numbers, SCORE, None)) is None:
        return None
    if not labelled:
        classes_of_one_unlabelled(score, "", sorted(called))
    p = numbers_in(table, score)
    _check_not_of_the_predicted(table, score, p, None)
    return [score], ["0", "1"], p[:, None]


def _numeric(table: pa.Table, there: Sequence[str]) -> list[str]:
    """The columns that are numbers throughout."""
    known = [name for name in there if there.count(name) == 1]
    known = [name for name in known if is_number(table.field(name).type)]
    return [name for name in known if not table.column(name).null_count]


def _columns(table: pa.Table, of: Sequence[str]) -> np.ndarray:
    """The rows `(N, Z)` of these columns of numbers."""
    return np.column_stack([numbers_in(table, name) for name in of])


def _probabilities(table: pa.Table, of: Sequence[str]) -> np.ndarray | None:
    """The rows `(N, Z)` of these columns, if there are several and every row sums to 1."""
    if len(of) < 2:
        return None
    rows = _columns(table, of)
    one = (rows >= -ROUNDING).all() and sum_to_one(torch.from_numpy(rows)).all()
    return rows if one else None


def _off_one(table: pa.Table, of: Sequence[str]) -> str | None:
    """Where these columns do not sum to 1, if they are several and all from 0 to 1."""
    rows = _columns(table, of) if len(of) > 1 else np.empty(0)
    if not rows.size or rows.min() < 0 or rows.max() > 1:
        return None
    row = int(np.argmin(sum_to_one(torch.from_numpy(rows)).numpy()))
    return f"{first_few(of)} sum to {rows[row].sum():.6g} in row {row}"


def _called_as_classes(
    table: pa.Table, numbers: Sequence[str], called: set[str]
) -> tuple[list[str], np.ndarray]:
    """The columns of probabilities that are called as the classes alone, and their rows.

    They are columns of numbers from 0 to 1 whose rows sum to 1: all there are, or else those
    `called` as the labels or classes.
    """
    for of in (numbers, [name for name in numbers if name in called]):
        if (rows := _probabilities(table, of)) is not None:
            return [*of], rows
    sums = _off_one(table, [name for name in numbers if name in called])
    raise ArcalError(
        f"columns are called as the labels ({first_few(sorted(called))}), but hold no "
        f"probabilities whose rows sum to 1{f' ({sums})' if sums else ''}: give every class a "
        "column, divide per cent by 100, and if they are logits, call them "
        f"logits_{min(called)} and so on"
    )


def _rows(column: pa.ChunkedArray, name: str) -> Any:
    """Lists of numbers as an array, if they are all of one length."""
    chunks = [chunk.flatten() for chunk in column.chunks]
    lengths = pc.unique(pc.list_value_length(column))
    whole = not column.null_count and not any(chunk.null_count for chunk in chunks)
    if len(lengths) == 1 and whole and not pa.types.is_nested(chunks[0].type):
        numbers = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate(numbers).reshape(len(column), -1)
    rows = column.to_pylist()
    Z = len(rows[0] or ())
    for row, numbers in enumerate(rows):
        if not isinstance(numbers, list) or len(numbers) != Z or not Z:
            raise ArcalError(
                f"{name} of row {row} is not a list of {Z or 'several'} numbers, as many as in "
                "row 0: give each input one number per class"
            )
    return np.array(rows)


def _check_not_of_the_predicted(
    table: pa.Table, column: str, p: np.ndarray, classes: Sequence[str] | None
) -> None:
    """Refuse one column that has the probability of the class that a column says is predicted."""
    for name in table.column_names:
        if name.casefold() in PREDICTED and not table.column(name).null_count:
            check_not_of_the_predicted(column, p, table.column(name).to_numpy(), classes)


def _check_one_of_two(table: pa.Table, column: str, labels: np.ndarray | None) -> None:
    """Refuse one column of a class without a name where labels are not those of two numbers.

    Beside a prediction it is then how sure the model is of that.
    """
    predicted = next((name for name in table.column_names if name.casefold() in PREDICTED), None)
    called = sorted({*(() if labels is None else as_text(labels) or ())})
    if predicted is None or {*called} <= TRUTH:
        return
    remedy = (
        "give every class a column"
        if len(called) > 2
        else f"put its class into its name, such as probability_{called[-1]}"
    )
    raise ArcalError(
        f"{column} is one number for each row, and labels are {first_few(called)}: if it is the "
        f"confidence in {predicted}, say --confidence {column}; otherwise {remedy}"
    )
