"""Columns of outputs that may not be what they are taken for."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from arcal.auditing import Predictions
from arcal.errors import ArcalError
from arcal.printable import first_few

FEWEST = 30
"""With fewer values it may be chance that none is below one half."""


def never_below_half(probabilities: Any, predictions: Predictions) -> str | None:
    """A sentence if a binary classifier's single column may be how sure it is of any answer.

    That is so if none of 30 values or more is below one half, while there are labels of both kinds.

    >>> from arcal.auditing import as_predictions
    >>> p = [0.9, 0.75, 0.6] * 10
    >>> never_below_half(p, as_predictions(probabilities=p, labels=[1, 1, 0] * 10))
    'no probability is below one half, so class 1 is predicted for every input: if these are of \
the predicted class, give them as `confidence`, beside `predicted` and `label`'
    """
    p = np.asarray(0 if probabilities is None else probabilities)
    single = p.ndim > 0 and p.shape[1:] in ((), (1,)) and len(p) >= FEWEST
    if not single or p.min() < 0.5 or len(predictions.labels.unique()) < 2:
        return None
    return (
        "no probability is below one half, so class 1 is predicted for every input: if these are "
        "of the predicted class, give them as `confidence`, beside `predicted` and `label`"
    )


def check_not_by_number(
    labels: np.ndarray, classes: Sequence[str], predictions: Predictions
) -> None:
    """Refuse `labels` that were taken for places of the classes and fit the names' numbers better.

    These differ if columns are sorted as text, class_10 before class_2, or count from 1. Both
    readings are possible: a label encoder numbers names in that order. The one that makes fewer
    inputs right is wrong.

    >>> from arcal.auditing import as_predictions
    >>> p = [[0.1, 0.9], [0.9, 0.1]]
    >>> right, wrong = (as_predictions(probabilities=p, labels=y) for y in ([1, 0], [0, 1]))
    >>> check_not_by_number(np.array([1, 0]), ["c1", "c0"], right)
    >>> check_not_by_number(np.array([0, 1]), ["c1", "c0"], wrong)
    Traceback (most recent call last):
    ...
    arcal.errors.ArcalError: labels are numbers, and more are right as those in the names of the \
classes (c1, c0) than as their places, counted from 0: write each label as its class is called
    """
    parts = [re.fullmatch(r"(.*?\D)0*(\d+)", name) for name in classes]
    numbers = [int(part[2]) for part in parts if part is not None]
    alike = len({part[1] for part in parts if part is not None}) == 1
    if labels.dtype.kind not in "iuf" or not alike or min(numbers) > 1:
        return
    own = range(min(numbers), min(numbers) + len(classes))
    if sorted(numbers) != [*own] or numbers == [*range(len(classes))]:
        return
    if labels.min() < own.start or labels.max() >= own.stop:
        return
    places = np.argsort(numbers)[labels.astype(np.int64) - own.start]
    by_name = float((predictions.predicted.cpu().numpy() == places).mean())
    if by_name > float(predictions.correct.double().mean()):
        raise ArcalError(
            "labels are numbers, and more are right as those in the names of the classes "
            f"({first_few(classes)}) than as their places, counted from 0: write each label as its "
            "class is called"
        )
