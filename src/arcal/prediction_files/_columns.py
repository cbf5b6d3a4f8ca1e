"""The columns of a table of predictions, told apart by their names, and what they hold."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from arcal.errors import ArcalError
from arcal.prediction_files._answers import (
    CONFIDENCE,
    CORRECT,
    NOT_TOLD,
    PREDICTED,
    correct_of,
    doubt_of,
    labels_among,
)
from arcal.prediction_files._entries import ColumnNames, Entries
from arcal.prediction_files._headers import NUMBER, check_header
from arcal.prediction_files._late_labels import with_labels
from arcal.prediction_files._outputs import (
    check_labelled,
    check_not_within,
    kind_chosen,
    outputs_called,
    outputs_chosen,
    probabilities_called_otherwise,
    sums_off_one,
)
from arcal.prediction_files._tables import (
    IDS,
    LABELS,
    OUTPUTS,
    WEIGHTS,
    known,
    labels_in,
    named,
    numbers_in,
    read_table,
    without_gaps,
)

CALLED = (
    *LABELS,
    "target",
    "targets",
    "true_label",
    "ground_truth",
    *IDS,
    *WEIGHTS,
    *PREDICTED,
    *CONFIDENCE,
    *CORRECT,
)
"""Names of columns other than outputs; any of them shows that a table has a header."""
OWNER = re.compile(
    r"(.*[ _.-])?(patient|subject|participant|person|customer|client|user|member|household|"
    r"speaker|author|animal|device|session|case)s?[ _.-]?(id|name|number|no|nr|code|key)?",
    re.I,
)
"""Names of columns that may say which inputs belong together."""


def columns_in(
    path: Path, called: ColumnNames, classes: Sequence[str] = (), *, labelled: bool = True
) -> Entries:
    """Read the columns of a table.

    Unless `labelled`, labels are ignored, and the names of the `classes` tell which columns are
    outputs. Answers are read only if there are no outputs. Columns that nothing uses are in `by`
    all the same if inputs may belong together by them.
    """
    table = read_table(path, called)
    if not table.num_rows:
        raise ArcalError("there are no rows: give a file with predictions")
    if labelled or classes:
        numbers = filter(NUMBER.fullmatch, classes)
        check_header(path, table, {*CALLED, *called.chosen, *called.by, *numbers})
    entries = Entries()
    if called.labels_from is not None:
        table, entries.labelled = with_labels(table, called.labels_from, called)
    there = table.column_names
    read = {"", *(name for name in there if name.casefold() in PREDICTED)}
    read |= _beside_the_outputs(table, called, entries, labelled=labelled)
    entries.by = {name: table.column(known(there, name)) for name in called.by}
    known_classes = () if labelled else classes
    if called.probabilities:
        chosen = outputs_chosen(table, called, entries.labels, known_classes)
        kind, values = kind_chosen(called.probabilities, chosen.values)
        entries.outputs[kind] = values
        entries.classes = chosen.classes
        read |= {*chosen.of}
    elif called.confidence is None:
        read |= _outputs(table, entries, read, known_classes, labelled=labelled)
    if not entries.outputs:
        if (sure := named(there, CONFIDENCE, called.confidence)) is not None:
            read |= _answers(table, entries, sure, called.label, labelled=labelled)
            if called.confidence is not None and entries.answers is None:
                raise ArcalError(NOT_TOLD)
        else:
            left = _without(there, read | {*called.by})
            if labelled and entries.labels is None:
                check_labelled(table, left)
            entries.sums = sums_off_one(table, left)
            check_not_within(left)
    entries.unused = tuple(_without(there, read | {*called.by}))
    entries.by |= {name: table.column(name) for name in entries.unused if OWNER.fullmatch(name)}
    return entries


def _without(names: Sequence[str], read: set[str]) -> list[str]:
    return [name for name in names if name not in read]


def _beside_the_outputs(
    table: pa.Table, called: ColumnNames, entries: Entries, *, labelled: bool
) -> set[str]:
    """Read the labels, ids and weights, and return the names of their columns."""
    there, read = called.beside(table.column_names), set[str]()
    columns = dict(zip(table.column_names, table.columns, strict=True))
    if labelled and (name := labels_among(columns, called, _fractions)) is not None:
        entries.labels = _labels_or_ids(table, name)
        read.add(name)
    if (name := named(there, IDS, called.id)) is not None:
        entries.ids = _labels_or_ids(table, name)
        read.add(name)
    if (name := named(there, WEIGHTS, called.weight)) is not None:
        entries.weights, entries.weighed_by = numbers_in(table, name), f"the column {name}"
        read.add(name)
    return read


def _outputs(
    table: pa.Table, entries: Entries, read: set[str], classes: Sequence[str], *, labelled: bool
) -> set[str]:
    """Read the outputs among the columns that are not `read` yet, and return their names."""
    labels, of = entries.labels, set[str]()
    for kind in OUTPUTS:
        left = _without(table.column_names, read | of)
        outputs = outputs_called(kind, table, left, labels, classes)
        if outputs is not None:
            entries.outputs[kind] = outputs.values
            entries.classes = entries.classes if outputs.classes is None else outputs.classes
            of |= {*outputs.of}
    if of:
        return of
    left = _without(table.column_names, read | {*entries.by})
    said = probabilities_called_otherwise(table, left, labels, classes, labelled=labelled)
    if said is None:
        return of
    entries.outputs["probabilities"], entries.classes = said.values, said.classes
    return {*said.of}


def _fractions(column: pa.ChunkedArray) -> bool:
    """Whether these are numbers, at least one of them not whole."""
    if not pa.types.is_floating(column.type):
        return False
    values = column.drop_null().to_numpy()
    return bool((values != np.floor(values)).any())


def _answers(
    table: pa.Table, entries: Entries, confidence: str, label: str | None, *, labelled: bool
) -> set[str]:
    """Read each answer's confidence and whether it was right, and return the columns' names.

    Nothing is read if no column says what was right, unless the inputs need not be `labelled`.
    """
    right, read = np.ones(table.num_rows, dtype=bool), list[str]()
    if labelled:
        there = table.column_names
        graded = label is not None or any(one.casefold() in CORRECT for one in there)
        name = label if graded else labels_in(there)
        known = (*CORRECT, *PREDICTED, *(LABELS if label is None else ()))
        beside = [one for one in there if one.casefold() in known or one == name]
        values = {one: without_gaps(table.column(one), one).to_numpy() for one in beside}
        if (said := correct_of(values, label)) is None:
            return set()
        right, read = said
        entries.doubt = doubt_of(confidence, numbers_in(table, confidence), values, read)
    entries.answers = numbers_in(table, confidence), right
    return {confidence, *read}


def _labels_or_ids(table: pa.Table, name: str) -> np.ndarray:
    """A column of labels or ids: dates count as names, and decimals as numbers."""
    column = without_gaps(table.column(name), name)
    if pa.types.is_temporal(column.type):
        column = column.cast(pa.string())
    elif pa.types.is_decimal(column.type):
        column = column.cast(pa.float64() if column.type.scale > 0 else pa.int64())
    return column.to_numpy()
