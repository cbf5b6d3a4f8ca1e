"""Labels and ids as whole numbers, whatever form they come in."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from arcal import arrays
from arcal.errors import ArcalError
from arcal.printable import first_few

NUMBERS = (
    "numbers, not text: give each name's place among the model's outputs, or the names in that "
    "order as `classes=`"
)


def as_tensor(values: Any, name: str, **options: Any) -> Tensor:
    """A tensor on the CPU, without a gradient, from a tensor, an array, or lists."""
    if isinstance(values, list | tuple) and values and isinstance(values[0], Tensor):
        values = [value.tolist() for value in values]
    return arrays.plain(arrays.as_tensor(values, name, **options)).detach().cpu()


def refuse_text(names: object, what: str) -> None:
    """Refuse a text or a number in place of a list of names; a text would be read as its letters.

    >>> refuse_text(["cat", "dog"], "classes")
    """
    if isinstance(names, str):
        raise ArcalError(f"{what} is the text {names!r}: give a list of names, such as [{names!r}]")
    if isinstance(names, int):
        raise ArcalError(f"{what} is the number {names}: give a list of names")


def as_labels(values: Any, N: int, Z: int, *, one_column: bool = False) -> Tensor:
    """The labels of N inputs, int64 `(N,)` in 0 .. Z-1; `one_column` of outputs means Z = 2."""
    labels = as_whole_numbers(values, N, "labels")
    wrong = (labels < 0) | (labels >= Z)
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        if one_column and labels.min() >= 0 and (several := len(labels.unique())) > Z:
            raise ArcalError(
                f"the labels have {several} classes, such as {labels[row]} in row {row}, and one "
                "column of outputs describes two: give a column for each class"
            )
        ignored = labels[row] < 0 or (labels[row] == 255 and Z < 255)
        without = ", and leave out inputs without a label" if ignored else ""
        raise ArcalError(
            f"the label of row {row} is {labels[row]}, and the {Z} classes are 0 .. {Z - 1}: "
            f"number them from 0{without}"
        )
    return labels


def numbered(labels: Any, classes: Sequence[str] | None) -> Any:
    """Turn names into their places in `classes`; return other labels as they are.

    >>> numbered(["dog", "cat", "dog"], ("cat", "dog"))
    [1, 0, 1]
    """
    try:
        first = [] if isinstance(labels, Tensor) else np.asarray(labels[:1], dtype=object).flat
    except (TypeError, IndexError, KeyError, ValueError):  # not a row of labels: reported later
        return labels
    if not any(isinstance(one, str) for one in first):
        return labels
    if classes is None:
        raise ArcalError("labels are names: give `classes`, the names in the order of the columns")
    names = np.asarray(labels, dtype=object)
    places = {name: place for place, name in enumerate(classes)}
    for row, name in enumerate(names.flat):
        if name not in places:
            raise ArcalError(
                f"the label of row {row} is {name!r}, and the classes are "
                f"{first_few(tuple(map(str, classes)))}: name it among them"
            )
    return [places[name] for name in names.flat]


def as_whole_numbers(values: Any, N: int, name: str) -> Tensor:
    """One whole number for each of N inputs, int64 `(N,)`, from `(N,)` or a column `(N, 1)`."""
    options = {"must_be": NUMBERS} if name.startswith("labels") else {}
    numbers = as_tensor(values, name, **options)
    numbers = numbers[:, 0] if numbers.shape == (N, 1) else numbers
    if numbers.shape != (N,):
        shape = tuple(numbers.shape)
        more = ""
        if name.startswith("labels") and shape[:1] == (N,) and numbers.shape[1:].numel() > 1:
            more = _several_each(numbers)
        raise ArcalError(
            f"{name} have shape {shape}, and there are {N} inputs: give one for each{more}"
        )
    whole = numbers.long()
    wrong = whole != numbers
    if wrong.any():
        row = int(wrong.nonzero()[0, 0])
        raise ArcalError(f"{name} are whole numbers, and row {row} has {numbers[row]:g}")
    return whole


def _several_each(labels: Tensor) -> str:
    """What to do about several labels for each input."""
    alone = "give each label a row of its own, with the input it belongs to as its cluster"
    if labels.ndim > 2:
        return f"; where pixels have labels, {alone}"
    sums_to_one = ((labels.sum(dim=1) - 1).abs() < 1e-3).all() and (labels >= 0).all()
    if ((labels == 0) | (labels == 1)).all():
        if sums_to_one:
            return "; for one-hot rows give argmax(axis=1)"
        return "; where several classes may be true give each as a binary classifier of its own"
    one_hot = "; for one-hot rows give argmax(axis=1)" if sums_to_one else ""
    return f"{one_hot}; of several annotators, or of words, {alone}"
