"""Files with a confidence and whether the answer was right, but no outputs for classes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from unicodedata import normalize

import numpy as np

from arcal.errors import ArcalError
from arcal.prediction_files._entries import ColumnNames
from arcal.prediction_files._labels import as_text
from arcal.prediction_files._tables import ALSO_LABELS, LABELS, LAST_LABELS, labels_in, named

CONFIDENCE = ("confidence", "confidences")
CORRECT = ("correct", "is_correct")
PREDICTED = ("predicted", "prediction", "pred", "y_pred")
RIGHT = ("1", "true", "t", "yes", "y", "right", "correct")
WRONG = ("0", "false", "f", "no", "n", "wrong", "incorrect")
"""Values for an answer that was right, or wrong, in any capitalisation."""
MANY = 30
"""With this many answers, all of them wrong is no coincidence."""
MOSTLY = 2 / 3
"""If so many predictions are off by the same one, they count from another number than labels."""


NOT_TOLD = (
    "nothing says which answers are right: give a column `correct`, true or false, or columns "
    "`predicted` and `label`, or name the file of labels with --labels-from"
)


def missing_of(there: Sequence[str], labelled: bool = True) -> str | None:
    """What is missing if columns of these names hold only a part of what answers need.

    None if they have neither a confidence nor what was right. If answers need not be `labelled`, a
    confidence is enough.

    >>> missing_of(["id", "correct", "sureness"])
    'there is correct, but no confidence: give it in a column `confidence`, a number from 0 to 1'
    """
    has = {name.casefold(): name for name in there}
    sure = next((has[name] for name in CONFIDENCE if name in has), None)
    right = next((has[name] for name in CORRECT if name in has), None)
    if sure is None and right is not None:
        return (
            f"there is {right}, but no confidence: give it in a column `confidence`, a number "
            "from 0 to 1"
        )
    if sure is None or not labelled:
        return None
    return f"there is {sure}, but {NOT_TOLD}"


def holds_answers(there: Sequence[str]) -> bool:
    """Whether columns with these names give the confidence and whether the answer was right."""
    has = {name.casefold() for name in there}
    right = has & {*CORRECT} or (has & {*PREDICTED} and has & {*LABELS, *ALSO_LABELS, *LAST_LABELS})
    return bool(has & {*CONFIDENCE} and right)


def labels_among(
    values: Mapping[str, Any], called: ColumnNames, fractions: Callable[[Any], bool]
) -> str | None:
    """The column of labels by its usual name, or by a less usual one if it can hold labels.

    A less usual name does not count for a column of `fractions`, which may be an output, for one
    that the user names as something else, or beside a confidence and what was correct.

    >>> labels_among({"gold": 0.5, "truth": 1}, ColumnNames(), lambda one: one < 1)
    'truth'
    """
    there = called.beside([*values])
    has = {name.casefold() for name in there}
    if called.label is not None or has & {*LABELS} or (has & {*CONFIDENCE} and has & {*CORRECT}):
        return named(there, LABELS, called.label)
    maybe = [name for name in there if name.casefold() in {*ALSO_LABELS, *LAST_LABELS}]
    not_labels = {name for name in maybe if name in called.chosen or fractions(values[name])}
    return labels_in([name for name in there if name not in not_labels])


def correct_of(
    values: Mapping[str, Any], label: str | None = None
) -> tuple[np.ndarray, list[str]] | None:
    """Whether each answer was right, bool `(N,)`, and the names of the columns that say so.

    `values` are columns by name, and `label` names the column of labels, or of what was right, if
    it has no usual name. A column `correct` decides, with true or false, yes or no, right or wrong,
    or 1 or 0. Without it an answer is right if the prediction equals the label, compared as text
    in which accents may be combining characters. The result is None if there is neither. Any other
    value in `correct`, names compared with numbers, 30 or more predictions of which none is any
    label, blank labels, and numbers that count from 0 beside those from 1 raise `ArcalError`.

    >>> columns = {"predicted": np.array(["cat", "dog"]), "label": np.array(["cat", "cat"])}
    >>> correct_of(columns)
    (array([ True, False]), ['predicted', 'label'])
    """
    predicted = named([*values], PREDICTED, None)
    right = named([*values], CORRECT, None) if label is None else named([*values], (), label)
    if right is not None and (label is None or not _is_class(values, right, predicted)):
        classes = label is not None and predicted is None
        return _truths(np.asarray(values[right]), right, perhaps_classes=classes), [right]
    label = labels_in([*values], label)
    if predicted is None or label is None:
        return None
    said, labels = (_as_text(np.asarray(values[name]), name) for name in (predicted, label))
    if all(map(str.isdecimal, said)) != all(map(str.isdecimal, labels)):
        raise ArcalError(
            f"{predicted} has {said[0]!r} and {label} {labels[0]!r}, of which one is a number and "
            "one a name: give both by the same names, or a column `correct`"
        )
    said, labels = ([normalize("NFC", one.strip()) for one in column] for column in (said, labels))
    two_cases = len({one.casefold() for one in labels}) < len({*labels})  # such as single letters
    for row, (one, other) in enumerate(zip(said, labels, strict=True)):
        if one != other and one.casefold() == other.casefold() and not two_cases:
            raise ArcalError(
                f"{predicted} has {one!r} and {label} {other!r} in row {row}, which differ in "
                "capitals alone: write both alike, or give a column `correct`"
            )
    _check_labels(predicted, said, label, labels)
    if len(said) >= MANY and not {*said} & {*labels}:
        raise ArcalError(
            f"no value of {predicted} is one of {label}, such as {said[0]!r} and {labels[0]!r} in "
            "row 0: write both alike, or give a column `correct`"
        )
    return np.array(said) == np.array(labels), [predicted, label]


def _check_labels(predicted: str, said: Sequence[str], label: str, labels: Sequence[str]) -> None:
    """Refuse blank labels, unless answers may be blank, and numbers from 1 beside those from 0."""
    if "" in labels and "" not in said:
        row = labels.index("")
        raise ArcalError(f"{label} is blank in row {row}: fill it in or drop the row")
    numbers = len(said) >= MANY and all(one.isdecimal() for one in {*said, *labels})
    if not numbers:
        return
    apart = Counter(int(other) - int(one) for one, other in zip(said, labels, strict=True))
    by, times = apart.most_common(1)[0]
    if abs(by) == 1 and times >= MOSTLY * len(said):
        raise ArcalError(
            f"{label} is {predicted} {'plus' if by > 0 else 'less'} 1 in {times:,} of "
            f"{len(said):,} rows, as if one of them counted from 0 and the other from 1: count "
            "alike in both, or give a column `correct`"
        )


def doubt_of(
    sure: str, confidences: np.ndarray, values: Mapping[str, Any], right: Sequence[str]
) -> str | None:
    """A sentence if the column `sure` may be the probability of class 1 instead of a confidence.

    That is so if its name does not say that it is a confidence, some values are below one half, and
    the only column in `right` holds the numbers 0 and 1 and is not called `correct`.

    >>> doubt_of("p", np.array([0.25, 0.75]), {"target": np.array([0, 1])}, ["target"])
    'p is taken for how sure each answer is, and target for whether it is right: if p is the \
probability of class 1, and not how sure an answer is, give --probabilities p'
    """
    if sure.casefold() in CONFIDENCE or len(right) != 1 or right[0].casefold() in CORRECT:
        return None
    kinds = {np.asarray(one).dtype.kind for one in (confidences, values[right[0]])}
    if not kinds <= {*"iuf"} or (confidences >= 0.5).all():
        return None
    return (
        f"{sure} is taken for how sure each answer is, and {right[0]} for whether it is right: if "
        f"{sure} is the probability of class 1, and not how sure an answer is, give "
        f"--probabilities {sure}"
    )


def _is_class(values: Mapping[str, Any], label: str, predicted: str | None) -> bool:
    """Whether a column can hold classes, rather than whether predictions were right."""
    if predicted is None:
        return False
    truths = {*RIGHT, *WRONG}
    said, labels = (
        {one.strip().casefold() for one in as_text(np.asarray(values[name])) or ()}
        for name in (predicted, label)
    )
    return said <= truths or not labels <= truths


def _truths(values: np.ndarray, name: str, *, perhaps_classes: bool = False) -> np.ndarray:
    if values.ndim == 1 and values.dtype.kind == "f":
        partly = np.flatnonzero(~np.isin(values, (0, 1)))
        if len(partly):
            raise ArcalError(
                f"{name} is {values[partly[0]]:g} in row {partly[0]}: an answer is right or wrong, "
                "so give 1 or 0, such as 1 for all grades above a threshold"
            )
    text = [value.strip().casefold() for value in _as_text(values, name)]
    unknown = next((row for row, value in enumerate(text) if value not in (*RIGHT, *WRONG)), None)
    if unknown is not None:
        otherwise = (
            f"; if {name} is the true class, call the column of predicted classes `predicted`"
        )
        otherwise = otherwise if perhaps_classes else ""
        raise ArcalError(
            f"{name} is {str(values[unknown])!r} in row {unknown}: give true or false, yes or no, "
            f"right or wrong, or 1 or 0{otherwise}"
        )
    return np.array([value in RIGHT for value in text])


def _as_text(values: np.ndarray, name: str) -> list[str]:
    text = as_text(values) if values.ndim == 1 else None
    if text is None:
        raise ArcalError(
            f"{name} is {values.dtype} of shape {values.shape}: give one value per row"
        )
    return text
