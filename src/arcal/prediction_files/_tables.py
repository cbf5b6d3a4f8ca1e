"""Files of predictions as tables: CSV, Parquet and JSON lines, with one output column per class."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv as csv
import pyarrow.parquet as pq

from arcal.data.columns import ZEROS_BEFORE
from arcal.data.labels import is_text
from arcal.data.text_tables import (
    csv_header,
    json_objects,
    json_table,
    with_points,
)
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json
from arcal.prediction_files._entries import ColumnNames
from arcal.prediction_files._headers import is_number
from arcal.prediction_files._samples import (
    are_samples,
    keys_of_samples,
    predictions_in_samples,
)
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

JSON_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
SCORED = {"label", "score"}
"""The keys that pipelines of transformers return for each class."""
ALL_SCORES = "scores"
"""Another name for a column of these, besides `probabilities`."""
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".tsv", ".tsv.gz", *JSON_LINES)
OUTPUTS = {
    "logits": ("logits", "logit"),
    "probabilities": (
        "probabilities",
        "probability",
        "proba",
        "probs",
        "prob",
        "y_prob",
        "y_score",
    ),
}
LABELS, IDS, WEIGHTS = ("labels", "label", "y_true"), ("ids", "id"), ("weights", "weight")
ALSO_LABELS = ("target", "targets", "true", "true_label", "truth", "ground_truth", "gold")
"""Other names for labels, if no column has a name in `LABELS`."""
LAST_LABELS = ("y", "actual", "observed", "outcome")
"""Names for labels if no column has a name in these."""
OUTPUT_NAMES = tuple(one for names in OUTPUTS.values() for one in names)
SHORT = re.compile(r"(\.pred[ _.]|p([ _.:/-]|(rob|roba)?(?=\d)))(?=.)", re.I)
"""Other names for columns of probabilities, if these sum to 1: `p_cat` and `p_dog`, or `p0` and
`p1`, or as in R's tidymodels `.pred_cat` and `.pred_dog`."""


def read_table(path: Path, called: ColumnNames) -> pa.Table:
    """The table in a file with one of these suffixes, with outputs one column per class.

    Outputs that are objects, such as `{"cat": 0.75, "dog": 0.25}`, or lists of a label and a score
    for each class, as pipelines of transformers return, become columns such as `probabilities.cat`,
    even if their column is called `scores`. Other objects become one column per key, such as
    `meta.site`. Samples logged by lm-evaluation-harness are read by `predictions_in_samples`. The
    names that columns are `called` show which columns of a CSV file hold text, and which further
    columns are outputs.

    >>> _ = Path("a.jsonl").write_bytes(b'{"label": "cat", "probabilities": {"cat": 1, "dog": 0}}')
    >>> read_table(Path("a.jsonl"), ColumnNames()).column_names
    ['label', 'probabilities.cat', 'probabilities.dog']
    """
    if path.suffix.lower() == ".parquet":
        table = pq.read_table(path)
    elif path.name.lower().endswith(JSON_LINES):
        table = _json_lines(path)
    else:
        table = _csv(path, called)
    return _unfolded(table, called.probabilities)


def names_in(path: Path) -> list[str]:
    """The names of the columns, without reading the rows; for JSON lines, the first row's keys."""
    if path.suffix.lower() == ".parquet":
        return pq.ParquetDataset(path).schema.names
    if path.name.lower().endswith(JSON_LINES):
        first = next(json_objects(path), {})
        return keys_of_samples(first) if are_samples(first) else [*first]
    return [name.strip() for name in csv_header(path).names]


def belongs(column: str, names: Sequence[str]) -> bool:
    """Whether a column has one of these names, or one of them followed by a class."""
    return any(re.match(rf"{name}([ _.:/-]|$)", column, re.I) for name in names)


def named(there: Sequence[str], names: Sequence[str], chosen: str | None) -> str | None:
    """The `chosen` column, or else the one with one of these `names`, in any capitalisation.

    >>> named(["ID", "churned", "probability"], ("ids", "id"), None)
    'ID'
    """
    if chosen is not None:
        known(there, chosen)
    several = _all_named(there, names, chosen)
    if len(several) > 1:
        raise ArcalError(f"there are columns {' and '.join(several)}: keep one of them")
    return several[0] if several else None


def _all_named(there: Sequence[str], names: Sequence[str], chosen: str | None) -> list[str]:
    return [
        name for name in there if (name.casefold() in names if chosen is None else name == chosen)
    ]


def labels_in(there: Sequence[str], chosen: str | None = None) -> str | None:
    """The column of labels: `chosen`, or one with a usual name, but not `true` beside `false`.

    >>> labels_in(["Target", "probability"]), labels_in(["true", "false"])
    ('Target', None)
    """
    usual = named(there, LABELS, chosen)
    if usual is not None or chosen is not None:
        return usual
    truths = {"true", "false"}
    both = truths <= {name.casefold() for name in there}
    beside = [name for name in there if not both or name.casefold() not in truths]
    also = named(beside, ALSO_LABELS, None)
    return named(beside, LAST_LABELS, None) if also is None else also


def known(there: Sequence[str], name: str) -> str:
    """The name, if it is one of these; otherwise it raises `ArcalError`."""
    if name not in there:
        raise ArcalError(f"nothing is called {name}, only {first_few(there)}: name one of these")
    return name


def _unfolded(table: pa.Table, chosen: Sequence[str]) -> pa.Table:
    """The table with each column of objects replaced by columns: for outputs, one per class."""
    columns: list[tuple[str, Any]] = []
    has_outputs = any(belongs(name, OUTPUT_NAMES) for name in table.column_names)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if not has_outputs and name.casefold() == ALL_SCORES and _is_scored(column.type):
            name = "probabilities"
        is_output = name in chosen or belongs(name, OUTPUT_NAMES)
        by_class = _by_class(column) if is_output else column
        if isinstance(by_class, Mapping):
            columns += [(f"{name}.{title}", one) for title, one in by_class.items()]
        else:
            columns += _keys(name, by_class)
    return pa.table([one for _, one in columns], names=[name for name, _ in columns])


def _keys(name: str, column: Any) -> list[tuple[str, Any]]:
    """A column of objects as one column per key, at any depth; any other column unchanged."""
    if not pa.types.is_struct(column.type):
        return [(name, column)]
    keys = enumerate(column.type)
    parts = ((f"{name}.{key.name}", pc.struct_field(column, [i])) for i, key in keys)
    return [one for part in parts for one in _keys(*part)]


def _by_class(column: pa.ChunkedArray) -> Any:
    """A column of objects as one column per key; JSON text is parsed; others are unchanged."""
    kind = column.type
    if is_text(column):
        texts = column.drop_null()
        if not len(texts) or texts[0].as_py().lstrip()[:1] not in ("[", "{"):
            return column
        try:
            values = [None if text is None else parse_json(text) for text in column.to_pylist()]
            column = pa.chunked_array([pa.array(values)])
        except (ValueError, pa.ArrowException):  # it is refused later, as not a number
            return column
        return column if is_text(column) else _by_class(column)
    if pa.types.is_struct(kind):
        return {field.name: pc.struct_field(column, [i]) for i, field in enumerate(kind)}
    if _is_scored(kind):
        rows = [{one["label"]: one["score"] for one in row or ()} for row in column.to_pylist()]
        names = sorted({name for row in rows for name in row}, key=str)  # orders differ by row
        return {str(name): pa.chunked_array([[row.get(name) for row in rows]]) for name in names}
    return column


def _is_scored(kind: pa.DataType) -> bool:
    """Whether each row is a list of labels with their scores."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    value: Any = kind.value_type if is_list else None
    return is_list and pa.types.is_struct(value) and {field.name for field in value} == SCORED


def _json_lines(path: Path) -> pa.Table:
    try:
        rows = [*json_objects(path)]
        samples = bool(rows) and are_samples(rows[0])
        return json_table(predictions_in_samples(rows) if samples else rows, path)
    except ArcalError as error:  # read_predictions adds the name of the file
        raise ArcalError(str(error).removeprefix(str(path)).lstrip(",: ")) from error


def _csv(path: Path, called: ColumnNames) -> pa.Table:
    """The columns of a CSV file; if semicolons separate them, commas may be decimal commas.

    If columns are named as outputs, decimal commas are read in these, in weights and in columns to
    group `by`, and otherwise in all columns. Column names and texts lose the spaces around them,
    which pad fields to one width. Whole numbers with leading zeros, such as 007, are names in ids
    and columns to group `by`, and in labels if a class has such a name.
    """
    refusal = "it is not UTF-8: save it as UTF-8"
    try:
        start = csv_header(path)
        if not start.names:
            raise ArcalError("it is empty: give a header and a row for each input")
        options: dict[str, Any] = {
            "read_options": start.read_options,
            "parse_options": start.parse_options,
        }
        table = csv.read_csv(path, **options)
        header = table.column_names
        trimmed = [pc.utf8_trim_whitespace(one) if is_text(one) else one for one in table.columns]
        table = pa.table(trimmed, names=[name.strip() for name in header])
        for i in _perhaps_names(table, called):
            types = {header[i]: pa.string()}
            convert = csv.ConvertOptions(include_columns=[header[i]], column_types=types)
            written = csv.read_csv(path, **options, convert_options=convert).column(0)
            written = pc.utf8_trim_whitespace(written)
            if pc.any(pc.match_substring_regex(written, ZEROS_BEFORE)).as_py():
                table = table.set_column(i, table.column_names[i], written)
    except UnicodeDecodeError as error:
        raise ArcalError(refusal) from error
    except pa.ArrowInvalid as error:
        if "Expected" not in str(error):
            raise
        raise ArcalError(
            f"it cannot be read ({first_line(error)}): give every row as many fields as the "
            "header, which comes first; begin a title above it with #"
        ) from error
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise ArcalError(refusal)
    prefixed = any(belongs(name, OUTPUT_NAMES) for name in table.column_names)
    numbers = (called.weight, *called.by, *called.probabilities)
    for i, name in enumerate(table.column_names if start.delimiter == ";" else ()):
        expected = name in numbers or belongs(name, [*WEIGHTS, *OUTPUT_NAMES]) or not prefixed
        column = table.column(i)
        if expected and (pointed := with_points(column)) is not column:
            table = table.set_column(i, name, pointed.cast(pa.float64()))
    return table


def _perhaps_names(table: pa.Table, called: ColumnNames) -> Sequence[int]:
    """The places of the columns of whole numbers that would be names if they had leading zeros."""
    names = table.column_names
    beside = called.beside(names)
    ids = _all_named(beside, IDS, called.id)
    labels = _all_named(beside, (*LABELS, *ALSO_LABELS, *LAST_LABELS), called.label)
    named_by_class = any(re.search(r"(^|[ _.:/-])0\d+$", name) for name in names)
    wanted = {*ids, *called.by, *(labels if named_by_class else ())}
    return [
        i
        for i, name in enumerate(names)
        if name in wanted and names.count(name) == 1 and pa.types.is_integer(table.field(i).type)
    ]


def numbers_in(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers, perhaps as text, as float64 `(N,)`; others raise `ArcalError`."""
    column = without_gaps(table.column(name), name)
    if is_text(column) and not _first_text(column):
        column = column.cast(pa.float64())
    if not (is_number(column.type) or pa.types.is_decimal(column.type)):
        raise ArcalError(
            f"{name} is not a number{_first_text(column)}: give numbers alone, with decimal points "
            "and without per cent signs or thousands separators"
        )
    return column.to_numpy().astype(np.float64)


def without_gaps(column: Any, name: str) -> Any:
    """The column; a row without a value raises `ArcalError`."""
    if column.null_count:
        row, more = column.is_null().to_pylist().index(True), column.null_count - 1
        rest, rows = (f" and in {more:,} more", "rows") if more else ("", "row")
        raise ArcalError(f"{name} is missing in row {row}{rest}: fill it in or drop the {rows}")
    return column


def _first_text(column: Any) -> str:
    """A phrase on the first value that is not a number; empty if there is none.

    A number with a decimal comma only counts if all others are numbers: else these are the cause.
    """
    texts = [(row, value) for row, value in enumerate(column.to_pylist()) if not _reads(value)]
    others = (one for one in texts if not _reads(str(one[1]).replace(",", ".")))
    row, value = next(others, texts[0] if texts else (0, None))
    return f" in row {row} ({value!r})" if texts else ""


def _reads(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True
