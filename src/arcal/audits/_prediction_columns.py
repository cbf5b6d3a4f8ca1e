"""The columns of a file of predictions: which is which by its name, and their numbers."""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import torch

from arcal.audits._late_labels import with_labels
from arcal.audits._prediction_answers import (
    CONFIDENCE,
    CORRECT,
    NOT_TOLD,
    PREDICTED,
    correct_of,
    holds_answers,
)
from arcal.audits._prediction_headers import NUMBER, check_header, is_number
from arcal.audits._prediction_labels import (
    TRUTH,
    as_text,
    called_in,
    check_not_of_the_predicted,
    classes_of_one,
    classes_of_one_unlabelled,
    truths_like,
)
from arcal.audits._prediction_tables import (
    BESIDE,
    IDS,
    LABELS,
    OUTPUTS,
    WEIGHTS,
    belongs,
    known,
    named,
    read_table,
)
from arcal.calibration.checks import ROUNDING, sum_to_one
from arcal.data.labels import is_text
from arcal.errors import ArcalError
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

SHORT = re.compile(r"(\.pred[ _.]|p([ _.:/-]|(rob|roba)?(?=\d)))(?=.)", re.I)
"""How columns are also called where all of them sum to 1: `p_cat` and `p_dog`, or `p0` and `p1`, or
as in R's tidymodels `.pred_cat` and `.pred_dog`."""
CALLED = (*LABELS, *IDS, *WEIGHTS, *PREDICTED, *CONFIDENCE, *CORRECT)
"""What columns beside the outputs are called, which says that a table has a header."""
SCORE = ("score",)
"""How the probability of class 1 is also called, where no other column could be an output."""


def columns(
    path: Path,
    named_so: Sequence[str | None],
    labelled: bool = True,
    by: Sequence[str] = (),
    classes: Sequence[str] = (),
    labels_from: Path | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """What the columns of a table say, and the names of those that are not read.

    `named_so` are those of `BESIDE`, and of a confidence, where they are called otherwise; with
    such a confidence no outputs are read. The outputs' columns, one a class, are under `logits` or
    `probabilities`; unless `labelled` there are no labels, and the names of the `classes` tell
    which columns are theirs. Those that inputs are grouped `by` are under `by`, a column each.
    Where there are no outputs, `confidence` and `correct` may be there. Of labels that are
    `labels_from` another file, `labelled` says how many rows have one.
    """
    *named_so, confidence = named_so
    table = read_table(path, named_so, by)
    if not table.num_rows:
        raise ArcalError("there are no rows: give a file with predictions")
    if labelled or classes:
        chosen = [name for name in (*named_so, confidence) if name is not None]
        numbers = filter(NUMBER.fullmatch, classes)
        check_header(path, table, {*CALLED, *chosen, *by, *numbers})
    entries: dict[str, Any] = {}
    if labels_from is not None:
        table, entries["labelled"] = with_labels(table, labels_from, named_so)
    there = table.column_names
    read = ["", *(name for name in there if name.casefold() in PREDICTED)]
    for names, chosen in list(zip(BESIDE, named_so, strict=True))[not labelled :]:
        if (name := named(there, names, chosen)) is not None:
            entries[names[0]] = _values(table, name, names)
            if names is WEIGHTS:
                entries["weighed_by"] = f"the column {name}"
            read.append(name)
    for kind, names in OUTPUTS.items() if confidence is None else ():
        spelt = next((one for one in names if any(belongs(name, [one]) for name in there)), "")
        of = [name for name in there if spelt and belongs(name, [spelt]) and name not in read]
        if len({*of}) < len(of):
            twice, times = Counter(of).most_common(1)[0]
            raise ArcalError(f"there are {times} columns {twice}: keep one of them")
        read += of
        if len(of) == 1 and pa.types.is_nested(table.field(of[0]).type):
            entries[kind] = _rows(table.column(of[0]), of[0])
        elif of:
            entries[kind] = np.column_stack([_numbers(table, name) for name in of])
            titles = [
                re.sub(rf"^({'|'.join(names)})[ _.:/-]?", "", name, flags=re.I) for name in of
            ]
            label = entries.get(LABELS[0])
            if label is None or label.dtype.kind in "iuf":  # pandas writes 1 as 1.0 beside a gap
                titles = _whole(titles)
            if len(of) <= 2:
                titles = truths_like(titles, _called(label, classes, labelled))
            if len(of) == 1:
                both = None
                if not labelled:
                    both = classes_of_one_unlabelled(of[0], titles[0], classes)
                elif titles[0] and label is not None:
                    both = classes_of_one(of[0], titles[0], label)
                if kind == "probabilities":
                    _check_not_of_the_predicted(table, of[0], entries[kind][:, 0], both)
                    _check_one_of_two(table, of[0], None if both else label)
                titles = list(both or ())
            if titles and titles != [str(i) for i in range(len(titles))]:
                entries["classes"] = np.array(titles)
    entries["by"] = {name: table.column(known(there, name)) for name in by}
    if not any(kind in entries for kind in OUTPUTS):
        left = _numeric(table, [name for name in there if name not in (*read, *by)])
        if confidence is not None:
            left = []
        elif holds_answers(there):  # a score beside them is of something else
            left = [name for name in left if name.casefold() not in SCORE]
        labels = entries.get(LABELS[0])
        called = called_in(left, labels if labelled else None, () if labelled else classes)
        of, titles, p = _called_otherwise(table, left, called, labelled)
        if len(of) == 1:
            _check_one_of_two(table, of[0], labels)
        titles = truths_like(titles, _called(labels, classes, labelled))
        if of:
            entries["probabilities"] = p
            read += of
            if titles != [str(i) for i in range(len(titles))]:
                entries["classes"] = np.array(titles)
        elif (name := named(there, CONFIDENCE, confidence)) is not None:
            read += (sure := _answers(table, entries, name, named_so[0], labelled))
            if confidence is not None and not sure:
                raise ArcalError(NOT_TOLD)
        elif labelled and labels is None and _probabilities(table, left) is not None:
            raise ArcalError(
                f"there are no labels, only {first_few(there)}, of which {first_few(left)} sum to "
                "1, as probabilities do: name them `labels`, or say which column they are, with "
                "--label, or which file they are in, with --labels-from"
            )
        else:
            entries["sums"] = _off_one(table, [name for name in left if SHORT.match(name)])
    used = {*read, *by}
    return entries, [name for name in there if name not in used]


def _called(labels: np.ndarray | None, classes: Sequence[str], labelled: bool) -> Collection[str]:
    """What classes are called by their labels, or where there are none by `classes`.

    Nothing by the labels true and false, which find their columns in any spelling.
    """
    if not labelled:
        return classes
    return {*(as_text(labels) or ())} if labels is not None and labels.dtype.kind != "b" else ()


def _answers(
    table: pa.Table, entries: dict[str, Any], confidence: str, label: str | None, labelled: bool
) -> list[str]:
    """The columns that say how sure each answer was and whether it was right, which get entries.

    None where that is not known, unless it does not count for want of `labelled` inputs.
    """
    right, read = np.ones(table.num_rows, dtype=bool), list[str]()
    if labelled:
        known = (*CORRECT, *PREDICTED, *LABELS) if label is None else (*CORRECT, *PREDICTED, label)
        beside = [one for one in table.column_names if one.casefold() in known or one == label]
        values = {one: _without_gaps(table.column(one), one).to_numpy() for one in beside}
        if (said := correct_of(values, label)) is None:
            return []
        right, read = said
    entries |= {CONFIDENCE[0]: _numbers(table, confidence), CORRECT[0]: right}
    return [confidence, *read]


def _called_otherwise(
    table: pa.Table, numbers: list[str], called: set[str], labelled: bool
) -> tuple[list[str], list[str], np.ndarray]:
    """The columns of probabilities where no name says that they are, their classes, and their rows.

    Those `called` as the labels, or as the classes where there are no labels, come first: shares
    such as p_young and p_old sum to 1 as well.
    """
    if called and called <= set(numbers):
        of, p = _called_as_classes(table, numbers, called)
        return of, _whole(of), p
    known = [name for name in numbers if name in called]
    if (p := _probabilities(table, known)) is not None:  # a label is blank, or misspelt
        return known, _whole(known), p
    short = [name for name in numbers if SHORT.match(name)]
    if (p := _probabilities(table, short)) is not None:
        return short, [SHORT.sub("", name) for name in short], p
    if not labelled and (p := _probabilities(table, numbers)) is not None:
        return numbers, numbers, p
    if (score := named(numbers, SCORE, None)) is None:
        return [], [], np.empty(0)
    if not labelled:
        classes_of_one_unlabelled(score, "", sorted(called))
    p = _numbers(table, score)
    _check_not_of_the_predicted(table, score, p, None)
    return [score], ["0", "1"], p[:, None]


def _whole(titles: list[str]) -> list[str]:
    """Names such as 1.0 as 1, unless two of them would be the same, or one is a fraction."""
    whole = [re.sub(r"^(-?\d+)\.0+$", r"\1", title) for title in titles]
    fractions = any(re.fullmatch(r"-?\d*\.\d+", title) for title in whole)
    return titles if fractions or len({*whole}) < len(titles) else whole


def _numeric(table: pa.Table, there: Sequence[str]) -> list[str]:
    """The columns that are numbers throughout."""
    known = [name for name in there if there.count(name) == 1]
    known = [name for name in known if is_number(table.field(name).type)]
    return [name for name in known if not table.column(name).null_count]


def _probabilities(table: pa.Table, of: Sequence[str]) -> np.ndarray | None:
    """The rows `(N, Z)` of these columns, if there are several and every row sums to 1."""
    if len(of) < 2:
        return None
    rows = np.column_stack([_numbers(table, name) for name in of])
    one = (rows >= -ROUNDING).all() and sum_to_one(torch.from_numpy(rows)).all()
    return rows if one else None


def _off_one(table: pa.Table, of: Sequence[str]) -> str | None:
    """Where these columns do not sum to 1, if they are several and all from 0 to 1."""
    rows = np.column_stack([_numbers(table, name) for name in of]) if len(of) > 1 else np.empty(0)
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


def _values(table: pa.Table, name: str, names: Sequence[str]) -> np.ndarray:
    """Labels, ids or weights: dates are names, and decimals numbers."""
    if names is WEIGHTS:
        return _numbers(table, name)
    column = _without_gaps(table.column(name), name)
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64() if column.type.scale > 0 else pa.int64())
    return column.to_numpy()


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    column = _without_gaps(table.column(name), name)
    if is_text(column) and not _first_text(column):
        column = column.cast(pa.float64())
    if not (is_number(column.type) or pa.types.is_decimal(column.type)):
        raise ArcalError(
            f"{name} is not a number{_first_text(column)}: give numbers alone, with decimal points "
            "and without per cent signs or thousands separators"
        )
    return column.to_numpy().astype(np.float64)


def _without_gaps(column: Any, name: str) -> Any:
    if column.null_count:
        row, more = column.is_null().to_pylist().index(True), column.null_count - 1
        rest, rows = (f" and in {more:,} more", "rows") if more else ("", "row")
        raise ArcalError(f"{name} is missing in row {row}{rest}: fill it in or drop the {rows}")
    return column


def _first_text(column: Any) -> str:
    """Where a column has the first text that is no number."""
    for row, value in enumerate(column.to_pylist()):
        try:
            float(value)
        except (TypeError, ValueError):
            return f" in row {row} ({value!r})"
    return ""
