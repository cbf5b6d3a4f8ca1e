"""Turns a column of labels, of whatever type, into class numbers and class names."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.printable import first_few

pc: Any = pyarrow.compute  # its functions are made on import, unknown to type checkers

MOST_CLASSES = 1_000_000
"""More classes than this are taken for a mistake: a label that is an id, say."""
Where = Callable[[int], str]
"""Names the place of a row for messages."""


def encode_labels(
    column: pa.ChunkedArray,
    name: str,
    where: Where,
    *,
    names: Sequence[str] = (),
    classes: Sequence[str] | None = None,
    numbers_are_names: bool = False,
) -> tuple[Tensor, tuple[str, ...]]:
    """The labels int64 `(N,)` in [0, Z) and the names of the Z classes.

    Integers are class numbers, and so are text, floats and decimals if all of them are whole
    numbers. Other text is the name of a class. `names` are the data's own names of its classes;
    without them, classes named by text are sorted, and numbered ones are "0" .. "Z-1", where Z - 1
    is the largest label. `classes` are those of the model, in its order: names are looked up in
    them, and so are whole numbers if all of them are names there. Other numbers are positions in
    `names`, or else in `classes`. With `numbers_are_names`, numbers that are all in `names` are
    names, too. A label that is missing, of another type, outside the classes, or both a name in
    `names` and perhaps another class's number raises `ArcalError`, which calls the column `name`.
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    refuse_missing(column, name, where)
    if pa.types.is_boolean(column.type):
        column = pc.if_else(column, "True", "False")
    elif pa.types.is_decimal(column.type):  # as databases write numbers
        column = column.cast(pa.float64())
    known = tuple(names or classes or ())
    if is_text(column) and not (known and pc.all(_is_in(column, known)).as_py()):
        column = typed(column)
    numerals = known and known != tuple(map(str, range(len(known))))
    if numerals and (numbers_are_names or not names) and not is_text(column):
        column = _by_name(column, known, name, where, either=not names)
    if is_text(column):
        names = names or sorted(column.unique().to_pylist())
        labels = _look_up(column, names, name, where)
    else:
        labels = whole_numbers(column, name, where)
        Z = len(known) or min(int(labels.max(initial=-1)) + 1, MOST_CLASSES)
        check_range(labels, Z, name, where)
        names = known or [str(z) for z in range(Z)]
    if classes is not None and tuple(classes) != tuple(names):
        labels = _renumber(labels, names, classes, where)
        names = classes
    return torch.from_numpy(labels), tuple(names)


def typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column of text as numbers, if all of it is numbers; any other column as it is.

    >>> typed(pa.chunked_array([["31", None, "58"]])).type
    DataType(int64)
    """
    for kind in (pa.int64(), pa.float64()) if is_text(column) else ():
        with suppress(pa.ArrowInvalid):
            return pc.utf8_trim_whitespace(column).cast(kind)
    return column


def _by_name(
    column: pa.ChunkedArray, known: Sequence[str], name: str, where: Where, *, either: bool
) -> pa.ChunkedArray:
    """Whole numbers as text if all of them are names of classes; any other column as it is.

    Numbers that may also be class numbers raise `ArcalError`, unless `either` meaning will do.
    """
    try:
        whole = column.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return column
    text = whole.cast(pa.string())
    if not pc.all(_is_in(text, known)).as_py():
        return column
    if not either and pc.min(whole).as_py() >= 0 and pc.max(whole).as_py() < len(known):
        raise ArcalError(
            f"{where(0)}: {name} is a number, and so are the classes ({first_few(known)}), in "
            "another order than 0, 1, 2: save the labels as text, if they are these names"
        )
    return text


def is_text(column: pa.ChunkedArray | pa.Field) -> bool:
    """Whether a column, or a field that describes one, is text."""
    return pa.types.is_string(column.type) or pa.types.is_large_string(column.type)


def refuse_missing(
    column: pa.ChunkedArray, name: str, where: Where, advice: str = "fill it in or remove the row"
) -> None:
    """Raise an `ArcalError` that names the first row without a value."""
    if column.null_count:
        raise ArcalError(f"{where(first(column.is_null()))}: {name} is missing: {advice}")


def first(mask: pa.ChunkedArray) -> int:
    """The first row where a mask is true."""
    return int(np.flatnonzero(mask.to_numpy())[0])


def _is_in(column: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(names, column.type))


def _look_up(column: pa.ChunkedArray, names: Sequence[str], name: str, where: Where) -> np.ndarray:
    indices = pc.index_in(column, value_set=pa.array(names, column.type))
    if indices.null_count:
        row = first(indices.is_null())
        raise ArcalError(
            f"{where(row)}: {name} is {column[row].as_py()!r}, which is none of the "
            f"{len(names)} classes ({first_few(names)}): correct it, or name all classes"
        )
    return indices.to_numpy().astype(np.int64)


def whole_numbers(column: pa.ChunkedArray, name: str, where: Where) -> np.ndarray:
    """Numeric labels as int64 `(N,)`; one that is not a whole number raises `ArcalError`."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64(), safe=False).to_numpy().copy()
    if not pa.types.is_floating(column.type):
        raise ArcalError(
            f"{where(0)}: {name} is of type {column.type}: labels are numbers or names of classes"
        )
    values = column.to_numpy().astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(values) & (values == np.round(values))))
    if len(wrong):
        raise ArcalError(
            f"{where(int(wrong[0]))}: {name} is {values[wrong[0]]:g}, which is not a class: labels "
            "are whole numbers or names of classes"
        )
    return np.clip(values, -(2.0**62), 2.0**62).astype(np.int64)


def check_range(labels: np.ndarray, Z: int, name: str, where: Where) -> None:
    """Raise an `ArcalError` that names the row if a label is not in [0, Z)."""
    wrong = np.flatnonzero((labels < 0) | (labels >= Z))
    if len(wrong):
        row = int(wrong[0])
        advice = (
            "such a part has no labels, so choose another with --part"
            if (labels == -1).all()
            else "number the classes from 0"
        )
        raise ArcalError(f"{where(row)}: {name} {labels[row]} is not in [0, {Z}): {advice}")


def _renumber(
    labels: np.ndarray, names: Sequence[str], classes: Sequence[str], where: Where
) -> np.ndarray:
    """The labels as numbers of the given classes, matched by name.

    Case, spaces, underscores and hyphens do not matter, unless they tell a name from another class:
    ImageNet has the dog "Cardigan" and a "cardigan". Nor does the way an accent is written: a Mac
    may store a letter of a folder's name and its accent separately.
    """
    number = {name: z for z, name in enumerate(classes)}
    written = Counter(map(_plain, names))
    several = Counter(map(_plain, classes))
    plain = {_plain(name): z for name, z in number.items() if several[_plain(name)] == 1}
    number = {
        name: plain.get(_plain(name), -1) for name in names if written[_plain(name)] == 1
    } | number
    table = np.array([number.get(name, -1) for name in names], np.int64)
    renumbered = table[labels]
    if (renumbered < 0).any():
        row = int(np.flatnonzero(renumbered < 0)[0])
        name = names[labels[row]]
        like = get_close_matches(name, classes, n=1)
        guess = f"is it {like[0]!r}? Call it" if like else "call it"
        raise ArcalError(
            f"{where(row)}: the class {name!r} is none of the model's {len(classes)} classes "
            f"({first_few(classes)}): {guess} as the model does, or give the data's names as "
            "classes, in the model's order"
        )
    return renumbered


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFC", name)).lower()
