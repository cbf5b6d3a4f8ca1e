"""Refusing rows and labels that fit far better in another order, in which their names put them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from arcal.errors import ArcalError
from arcal.printable import first_few

BESIDE = {"id", "ids", "index", "label", "labels", "target", "targets", "y_true"}
"""Names of columns that are no outputs."""


def check_columns_are_outputs(table: Any, classes: Sequence[str] | None) -> None:
    """Refuse a pandas or polars table of logits in which a column seems to be of ids or labels.

    >>> check_columns_are_outputs([[0.5, 2.0]], None)  # lists name no columns
    """
    names = [str(name) for name in getattr(table, "columns", ())]
    odd = [name for name in names if name.casefold() in BESIDE and name not in (classes or ())]
    if odd and len(names) > 2:
        raise ArcalError(
            f"the logits have a column {odd[0]}: leave it out, or name it among `classes` if it is "
            "one"
        )


def check_not_by_name(
    predicted: Tensor, labels: Tensor, table: Any, classes: Sequence[str] | None
) -> None:
    """Refuse labels taken for places if more of them are right as names of classes.

    The names are the `classes`, or else the columns of the `table`. They must be whole numbers
    other than 0, 1, 2 and so on in this order.

    >>> import torch
    >>> place, labels = torch.tensor([0, 1, 0]), torch.tensor([1, 2, 1])
    >>> check_not_by_name(place, labels, None, ["1", "2", "3"])
    Traceback (most recent call last):
    arcal.errors.ArcalError: labels are taken for places from 0, and more are right as the names \
1, 2, 3: give places from 0, or names as text, with `classes`
    """
    names = [str(name) for name in (getattr(table, "columns", ()) if classes is None else classes)]
    if not names or not all(map(str.isdecimal, names)):
        return
    numbers = [int(name) for name in names]
    places = {number: place for place, number in enumerate(numbers)}
    if numbers == [*range(len(names))] or len(places) < len(names):
        return
    if any(label not in places for label in labels.unique().tolist()):
        return
    by_name = np.array([places[label] for label in labels.tolist()])
    if (predicted.numpy() == by_name).sum() > (predicted == labels).sum():
        raise ArcalError(
            "labels are taken for places from 0, and more are right as the names "
            f"{first_few(names)}: give places from 0, or names as text, with `classes`"
        )


def check_not_by_index(predicted: Tensor, labels: Tensor, table: Any, given: Any) -> None:
    """Refuse pandas rows that are matched by position if more are right when matched by index.

    One index is that of the `table` of outputs, the other of the labels as `given`: one of them
    counts the rows from 0, and the other has the same numbers in another order.

    >>> import torch
    >>> labels = torch.tensor([0, 1])
    >>> check_not_by_index(labels, labels, [[3.0, 0.0], [0.0, 3.0]], [0, 1])  # no index to match by
    """
    one, other = getattr(table, "index", None), getattr(given, "index", None)
    if not hasattr(one, "equals") or not hasattr(other, "equals"):
        return
    rows, own = np.asarray(one), np.asarray(other)
    N = len(labels)
    if rows.dtype.kind not in "iu" or own.dtype.kind not in "iu" or len(rows) != len(own):
        return
    if (rows == own).all() or not ((np.sort(rows) == (every := np.arange(N))).all()):
        return
    if not (np.sort(own) == every).all():
        return
    by_index = labels.numpy()[np.argsort(own)[rows]]
    if (predicted.numpy() == by_index).sum() > (predicted == labels).sum():
        raise ArcalError(
            "rows are matched by position, and more are right if matched by their index, which "
            "has the labels in another order: give labels.loc[probabilities.index]"
        )
