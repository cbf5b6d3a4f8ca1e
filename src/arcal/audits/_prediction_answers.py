"""Files that have a confidence and whether the answer was right, and no output of a class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from arcal.audits._prediction_labels import TRUTH, as_text
from arcal.audits._prediction_tables import LABELS, named
from arcal.errors import ArcalError

CONFIDENCE = ("confidence", "confidences")
CORRECT = ("correct", "is_correct")
PREDICTED = ("predicted", "prediction", "pred", "y_pred")


def holds_answers(there: Sequence[str]) -> bool:
    """Whether columns of these names say how sure an answer was and whether it was right."""
    has = {name.casefold() for name in there}
    told = has & {*CORRECT} or (has & {*PREDICTED} and has & {*LABELS})
    return bool(has & {*CONFIDENCE} and told)


def correct_of(
    values: Mapping[str, Any], label: str | None = None
) -> tuple[np.ndarray, list[str]] | None:
    """Whether each answer was right, bool `(N,)`, and the names of the columns that say so.

    `values` are columns by name, and `label` that of the labels if they are called otherwise. It is
    what one called `correct` says, or else whether what was
    predicted is the label, compared as text; None where neither is there. Values that are not true
    or false, and names beside numbers alone, raise `ArcalError`.

    >>> columns = {"predicted": np.array(["cat", "dog"]), "label": np.array(["cat", "cat"])}
    >>> correct_of(columns)
    (array([ True, False]), ['predicted', 'label'])
    """
    if (name := named([*values], CORRECT, None)) is not None:
        return _truths(np.asarray(values[name]), name), [name]
    predicted, label = named([*values], PREDICTED, None), named([*values], LABELS, label)
    if predicted is None or label is None:
        return None
    said, labels = (_as_text(np.asarray(values[name]), name) for name in (predicted, label))
    if all(map(str.isdecimal, said)) != all(map(str.isdecimal, labels)):
        raise ArcalError(
            f"{predicted} has {said[0]!r} and {label} {labels[0]!r}, of which one is a number and "
            "one a name: give both by the same names, or a column `correct`"
        )
    return np.array(said) == np.array(labels), [predicted, label]


def _truths(values: np.ndarray, name: str) -> np.ndarray:
    text = [value.casefold() for value in _as_text(values, name)]
    wrong = next((row for row, value in enumerate(text) if value not in TRUTH), None)
    if wrong is not None:
        raise ArcalError(
            f"{name} is {values[wrong]!s} in row {wrong}: give true or false, or 1 or 0"
        )
    return np.array([value in ("1", "true") for value in text])


def _as_text(values: np.ndarray, name: str) -> list[str]:
    text = as_text(values) if values.ndim == 1 else None
    if text is None:
        raise ArcalError(f"{name} is {values.dtype} of shape {values.shape}: give a value a row")
    return text
