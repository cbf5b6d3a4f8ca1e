"""Labels that came after the predictions, in a separate file: matched by the inputs' ids."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from arcal.errors import ArcalError, first_line, prefixing_errors
from arcal.files import NO_ARRAY
from arcal.prediction_files._answers import CORRECT
from arcal.prediction_files._entries import ColumnNames
from arcal.prediction_files._tables import IDS, LABELS, SUFFIXES, labels_in, named, read_table
from arcal.printable import printable


def with_labels(table: pa.Table, file: Path, called: ColumnNames) -> tuple[pa.Table, str]:
    r"""The rows of a table of predictions that have a label in a file, and a sentence on how many.

    Each row comes with its label. The file is a table with a column of ids and one of labels, or of
    what was `correct`, named as in files of predictions unless they are `called` otherwise. Ids are
    compared as text, and a blank label counts as missing. A table without ids, an id that the file
    has twice, no row with a label, and ids that differ only in leading zeros raise `ArcalError`.

    >>> _ = Path("late.csv").write_bytes(b"id,label\n7,dog\n9,cat\n")
    >>> rows, said = with_labels(pa.table({"id": ["7", "8"]}), Path("late.csv"), ColumnNames())
    >>> rows.to_pylist()
    [{'id': '7', 'label': 'dog'}]
    >>> said
    '1 of 2 inputs has a label in late.csv; the others are left out; 1 of its 2 labels has no input'
    """
    key = named(table.column_names, IDS, called.id)
    if key is None:
        raise ArcalError(
            f"it has no ids, by which {file} could give it labels: name their column with --id"
        )
    rows = [str(value) for value in table.column(key).to_pylist()]
    with prefixing_errors(f"--labels-from {file}"):
        name, ids, labels = _ids_and_labels(file, called)
    places = {value: place for place, value in enumerate(ids)}
    if len(places) < len(ids):
        twice, _ = Counter(ids).most_common(1)[0]
        raise ArcalError(f"--labels-from {file}: id {twice!r} occurs twice: keep one of them")
    matched = [(row, places[value]) for row, value in enumerate(rows) if value in places]
    if len(matched) < min(len(rows), len(ids)):
        _check_zeros_kept(file, {*rows} - {*ids}, {*ids} - {*rows})
    if not matched:
        raise ArcalError(
            f"--labels-from {file}: none of its ids, such as {printable(ids[0])}, is the id of a "
            f"prediction, such as {printable(rows[0])}: write ids alike in both"
        )
    own = {named(table.column_names, LABELS, None), name} & {*table.column_names}
    chosen = table.drop_columns([*own]).take([row for row, _ in matched])
    n, have = len(matched), "has" if len(matched) == 1 else "have"
    rest = "" if n == len(rows) else "; the others are left out"
    said = f"{n:,} of {len(rows):,} inputs {have} a label in {file.name}{rest}"
    if without := len({*ids} - {*rows}):
        have = "has" if without == 1 else "have"
        said += f"; {without:,} of its {len(ids):,} labels {have} no input"
    return chosen.append_column(name, labels.take([place for _, place in matched])), said


def _check_zeros_kept(file: Path, inputs: set[str], labels: set[str]) -> None:
    """Refuse ids without a match that would have one but for leading zeros.

    Spreadsheets drop leading zeros, and the ids that still match are no random part of the inputs.
    """
    short = {one.lstrip("0"): one for one in inputs}
    for one in sorted(labels):
        if (other := short.get(one.lstrip("0"))) is not None:
            raise ArcalError(
                f"--labels-from {file}: id {printable(one)} is {printable(other)} in the "
                "predictions, as if a spreadsheet had dropped its zeros: write both alike"
            )


def _ids_and_labels(file: Path, called: ColumnNames) -> tuple[str, list[str], pa.ChunkedArray]:
    """The name of the column of labels, the ids of the rows that have a label, and their labels."""
    if not file.name.lower().endswith(SUFFIXES):
        raise ArcalError(f"labels are read from {', '.join(SUFFIXES)}")
    try:
        table = read_table(file, replace(called, by=()))
    except FileNotFoundError:
        raise ArcalError("it is missing: give a file of ids and labels") from None
    except (*NO_ARRAY, pa.ArrowException) as error:
        raise ArcalError(f"it cannot be read ({first_line(error)})") from error
    there, title = table.column_names, called.label
    key, name = named(there, IDS, called.id), named(there, LABELS, title)
    if name is None and (name := named(there, CORRECT, None)) is not None:
        title = name
    name = name or labels_in(there, title)
    if key is None or name is None:
        missing = IDS[1] if key is None else LABELS[1]
        raise ArcalError(f"there is no column {missing}: rename one to it")
    ids, labels = table.column(key), table.column(name)
    known = [
        row for row, value in enumerate(labels.to_pylist()) if value is not None and value != ""
    ]
    if not known:
        raise ArcalError("every label in it is blank: give it once some are known")
    rows = [str(value) for value in ids.take(known).to_pylist()]
    return title or LABELS[1], rows, labels.take(known)
