"""The columns of a table that are a model's outputs, and the classes in their names."""

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

from arcal.calibration.checks import ROUNDING, sum_to_one
from arcal.errors import ArcalError
from arcal.prediction_files._answers import PREDICTED, holds_answers
from arcal.prediction_files._chosen import classes_of_chosen, whole
from arcal.prediction_files._entries import ColumnNames
from arcal.prediction_files._headers import is_number
from arcal.prediction_files._labels import (
    as_text,
    called_in,
    classes_of_one,
    classes_of_one_unlabelled,
    truths_like,
)
from arcal.prediction_files._tables import OUTPUT_NAMES, OUTPUTS, SHORT, belongs, named, numbers_in
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

LOG_PROBABILITIES = ("logprobs?", "log[ _-]prob(s|abilit(y|ies))?", "log_p", "log_softmax")
"""Names of columns of log-probabilities, if the user names them: these are logits as well."""
SCORE = ("score", "p")
"""Another name for the probability of class 1, if no other column could be an output."""


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs in the columns `of`: `(N, Z)`, `(N, 1)`, or a list of lists.

    `classes` are the names that the columns give, or None if these are just the numbers from 0.
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
) -> Outputs | None:
    """The columns `there` whose names begin with "logits" or "probabilities", or a synonym.

    The rest of each name is the class. A binary classifier's single column is for the class in its
    name, or for class 1. Without `labels`, the names of the `classes` are used in their place, if
    these are known. Columns that cannot be such outputs raise `ArcalError`.
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
    titles = [re.sub(rf"^({'|'.join(names)})[ _.:/-]? *", "", name, flags=re.I) for name in of]
    if labels is None or labels.dtype.kind in "iuf":  # pandas writes 1 as 1.0 if values are missing
        titles = whole(titles)
    if len(of) <= 2:
        titles = truths_like(titles, _called(labels, classes))
    if len(of) > 1:
        return Outputs(of, values, _unless_numbered(titles))
    if labels is None:
        both = classes_of_one_unlabelled(of[0], titles[0], classes)
    else:
        both = classes_of_one(of[0], titles[0], labels) if titles[0] else None
    if kind == "probabilities":
        _check_not_of_the_predicted(table, of[0], values[:, 0], both)
    return Outputs(of, values, _unless_numbered(both or ()))


def probabilities_called_otherwise(
    table: pa.Table,
    there: Sequence[str],
    labels: np.ndarray | None,
    classes: Sequence[str],
    *,
    labelled: bool,
) -> Outputs | None:
    """The columns `there` of probabilities if no name says that they are; None if there are none.

    Those named after the `labels`, or without labels after the `classes`, come first: other shares,
    such as p_young and p_old, may sum to 1 as well.
    """
    numbers = _numeric(table, there)
    if holds_answers(table.column_names):  # a score beside answers is something else
        numbers = [name for name in numbers if name.casefold() not in SCORE]
    called = called_in(numbers, labels, classes)
    said = _probabilities_among(table, numbers, called, labelled=labelled)
    if said is None:
        if not holds_answers(table.column_names):
            _check_called_as_classes(table, [name for name in there if name in called])
        return None
    of, titles, values = said
    titles = truths_like(titles, _called(labels, classes))
    return Outputs(of, values, _unless_numbered(titles))


def outputs_chosen(
    table: pa.Table,
    called: ColumnNames,
    labels: np.ndarray | None,
    classes: Sequence[str],
) -> Outputs:
    """The probabilities in columns that the user names: for class 1, or one per class, in order.

    A single column may also hold lists, or objects whose keys have become columns of the table.
    """
    there, of = table.column_names, [*called.probabilities]
    titles = None
    if len(of) == 1 and of[0] not in there:
        keys = [name for name in there if name.startswith(f"{of[0]}.")]
        titles = [name.removeprefix(f"{of[0]}.") for name in keys] or None
        of = keys or of
        if titles and len({*map(str.strip, titles)}) == len(titles):  # tokens such as " A"
            titles = [*map(str.strip, titles)]
    for name in of:
        named(there, (), name)
    if len(of) == 1 and pa.types.is_nested(table.field(of[0]).type):
        return Outputs(of, _rows(table.column(of[0]), of[0]), None)
    values = _columns(table, of)
    names = classes_of_chosen(of, labels, classes, called.classes, titles=titles)
    if len(of) == 1:
        _check_not_of_the_predicted(table, of[0], values[:, 0], names)
    return Outputs(of, values, _unless_numbered(names or ()))


def kind_chosen(names: Sequence[str], values: np.ndarray) -> tuple[str, np.ndarray]:
    """Whether columns that the user names hold "logits", as their names say, or "probabilities".

    Log-probabilities of all classes are logits. Those of class 1 alone, `(N,)` or `(N, 1)`, are
    not, and become its probabilities.

    >>> kind_chosen(["output.logits"], np.array([[0.5]]))[0], kind_chosen(["p"], np.array([0.5]))[0]
    ('logits', 'probabilities')
    >>> kind_chosen(["logprob"], np.log([[0.25], [0.5]]))
    ('probabilities', array([[0.25],
           [0.5 ]]))
    """

    def all_are(called: Sequence[str]) -> bool:
        return all(any(belongs(part, called) for part in name.split(".")) for name in names)

    logs = all_are(LOG_PROBABILITIES)
    if not logs or (values.ndim == 2 and values.shape[1] > 1):
        return "logits" if logs or all_are(OUTPUTS["logits"]) else "probabilities", values
    if len(above := np.flatnonzero(values > 0)):
        raise ArcalError(
            f"{names[0]} is {values.flat[above[0]]:g} in row {above[0]}, and the logarithm of a "
            "probability is at most 0: if these are logits, name the column `logits`"
        )
    return "probabilities", np.exp(values)


def check_not_within(there: Sequence[str]) -> None:
    """Refuse columns `there` if one is an entry of an object and called like outputs.

    >>> check_not_within(["label", "out.logits.A", "out.logits.B"])
    Traceback (most recent call last):
    ...
    arcal.errors.ArcalError: the outputs seem to be in out.logits: say --probabilities out.logits
    """
    for name in there:
        first, *parts = name.split(".")
        for i, part in enumerate(parts, start=1):
            if belongs(part, (*OUTPUT_NAMES, *LOG_PROBABILITIES)):
                within = ".".join([first, *parts[:i]])
                raise ArcalError(
                    f"the outputs seem to be in {within}: say --probabilities {within}"
                )


def check_labelled(table: pa.Table, there: Sequence[str]) -> None:
    """Refuse columns `there` that sum to 1 as probabilities do, if there are no labels."""
    numbers = _numeric(table, there)
    if _probabilities(table, numbers) is not None:
        raise ArcalError(
            f"there are no labels, only {first_few(table.column_names)}, of which "
            f"{first_few(numbers)} sum to 1, as probabilities do: name them `labels`, or say which "
            "column they are, with --label, or which file they are in, with --labels-from"
        )


def sums_off_one(table: pa.Table, there: Sequence[str]) -> str | None:
    """Where columns with short names such as `p_cat` lie in [0, 1] but do not sum to 1, or None."""
    return _off_one(table, [name for name in _numeric(table, there) if SHORT.match(name)])


def _unless_numbered(titles: Sequence[str]) -> np.ndarray | None:
    """The names of classes; None if there are none or each is its own number."""
    numbered = all(title == str(z) for z, title in enumerate(titles))
    return None if numbered else np.array(titles)


def _called(labels: np.ndarray | None, classes: Sequence[str]) -> Collection[str]:
    """The names of classes among the labels, or `classes` if there are no labels.

    None for labels true and false, which match their columns in any spelling.
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
    if (p := _probabilities(table, known)) is not None:  # some label is blank or misspelt
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
    """The columns of numbers without a missing value, whose names occur only once."""
    known = [name for name in there if there.count(name) == 1]
    known = [name for name in known if is_number(table.field(name).type)]
    return [name for name in known if not table.column(name).null_count]


def _columns(table: pa.Table, of: Sequence[str]) -> np.ndarray:
    """The rows `(N, Z)` of these columns of numbers; a value missing in every row is explained."""
    if len(of) > 2:
        there = np.zeros(table.num_rows, dtype=int)
        for name in of:
            there += table.column(name).is_valid().to_numpy()
        if len(there) and there.max() < len(of):
            raise ArcalError(
                f"every row lacks some of the {len(of)} outputs ({of[0]} and so on; row 0 has "
                f"{there[0]}): give those of all classes, as a pipeline of transformers does with "
                "top_k=None; if you have the most probable classes alone, give the first of them "
                "as `predicted` and its probability as `confidence`, beside `label`"
            )
    return np.column_stack([numbers_in(table, name) for name in of])


def _probabilities(table: pa.Table, of: Sequence[str]) -> np.ndarray | None:
    """The rows `(N, Z)` of these columns, if there are several and every row sums to 1."""
    if len(of) < 2:
        return None
    rows = _columns(table, of)
    one = (rows >= -ROUNDING).all() and sum_to_one(torch.from_numpy(rows)).all()
    return rows if one else None


def _off_one(table: pa.Table, of: Sequence[str]) -> str | None:
    """A phrase on the first row that does not sum to 1, if these are several columns in [0, 1]."""
    rows = _columns(table, of) if len(of) > 1 else np.empty(0)
    if not rows.size or rows.min() < 0 or rows.max() > 1:
        return None
    row = int(np.argmin(sum_to_one(torch.from_numpy(rows)).numpy()))
    return f"{first_few(of)} sum to {rows[row].sum():.6g} in row {row}"


def _called_as_classes(
    table: pa.Table, numbers: Sequence[str], called: set[str]
) -> tuple[list[str], np.ndarray]:
    """The columns of probabilities that have just the names of classes, and their rows.

    Their rows sum to 1. They are all columns of numbers, or else those with the names in `called`,
    which are the labels or classes.
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


def _check_called_as_classes(table: pa.Table, of: Sequence[str]) -> None:
    """Refuse several columns that have the names of classes but hold no probabilities."""
    if len({*of}) < 2:
        return
    for name, times in Counter(of).items():
        if times > 1:
            raise ArcalError(f"there are {times} columns {name}: keep one of them")
        numbers_in(table, name)
    _called_as_classes(table, of, {*of})


def _rows(column: pa.ChunkedArray, name: str) -> Any:
    """Lists of numbers as an array; lists of different lengths raise `ArcalError`."""
    chunks = [chunk.flatten() for chunk in column.chunks]
    lengths = pc.unique(pc.list_value_length(column))
    whole = not column.null_count and not any(chunk.null_count for chunk in chunks)
    if len(lengths) == 1 and whole and not pa.types.is_nested(chunks[0].type):
        numbers = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
        return np.concatenate(numbers).reshape(len(column), -1)
    if pa.types.is_list(column.type) and pa.types.is_list(column.type.value_type):
        raise ArcalError(
            f"{name} has lists of lists: give each input a row of its own, such as each word of a "
            "sentence, and name the column of its sentence with --cluster"
        )
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
    """Refuse a single column if it is the probability of the class in a column of predictions."""
    if p.min() <= 0.5:
        return
    first = ("0", "false") if classes is None else (classes[0].casefold(),)
    for name in table.column_names:
        if name.casefold() not in PREDICTED or table.column(name).null_count:
            continue
        for row, value in enumerate(as_text(table.column(name).to_numpy()) or ()):
            if value.casefold() in first:
                raise ArcalError(
                    f"{column} is {p[row]:g} in row {row}, where {value} is predicted: a single "
                    "column is the probability of one class, 1 unless its name says another, and "
                    "not that of the predicted class, which is called `confidence`"
                )
