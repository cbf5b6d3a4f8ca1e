"""Refusing columns whose names mislead.

These are computed from a model's outputs and called like them, or named by numbers in another order
than labels that are numbers.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from arcal.auditing import Predictions
from arcal.errors import ArcalError
from arcal.printable import first_few

STATISTICS = {
    "max",
    "maximum",
    "min",
    "mean",
    "std",
    "var",
    "sum",
    "entropy",
    "argmax",
    "margin",
    "pred",
    "predicted",
    "prediction",
}
"""What is computed from the outputs of all classes."""
FEWEST = 30
"""With fewer values it may be chance that none is below one half."""
EQUAL = 1e-6
"""How far numbers written by one program may differ by rounding."""


def check_are_classes(
    kind: str, of: Sequence[str], titles: Sequence[str], called: Collection[str]
) -> None:
    """Refuse output columns `of` if the rest of a name, its title, is not that of a class.

    It is empty, as of `logit` beside `logit_std`, or, for logits, a statistic such as `max` that no
    label is `called`. The probabilities of a class `max` sum to 1 with those of the others, but
    logits do not show whether they are of classes.

    >>> check_are_classes("logits", ["logits_a", "logits_b"], ["a", "b"], {"a"})
    >>> check_are_classes("logits", ["logit_a", "logit_b", "logit_max"], ["a", "b", "max"], {"a"})
    Traceback (most recent call last):
    ...
    arcal.errors.ArcalError: logit_max is called like the outputs, and no label is 'max': if it is \
no class, name the columns of the classes, as in --probabilities logit_a logit_b
    """
    titled = [*zip(of, titles, strict=True)]
    bare = [name for name, title in titled if not title]
    if bare:
        other = next(name for name in of if name not in bare)
        raise ArcalError(
            f"there are columns {bare[0]} and {other}, and {bare[0]} names no class: say which "
            f"columns are the outputs, such as --probabilities {bare[0]}"
        )
    if kind != "logits" or not called:
        return
    odd = [
        (name, title)
        for name, title in titled
        if title.casefold() in STATISTICS and title not in called
    ]
    if odd:
        rest = " ".join(name for name, _ in titled if name not in dict(odd))
        name, title = odd[0]
        raise ArcalError(
            f"{name} is called like the outputs, and no label is {title!r}: if it is no class, "
            f"name the columns of the classes, as in --probabilities {rest}"
        )


def check_not_the_largest(
    column: str, p: np.ndarray, possible: Sequence[tuple[Sequence[str], np.ndarray]]
) -> None:
    """Refuse a single column `p` `(N,)` if it is the largest of the others' probabilities.

    `possible` are names of columns with their rows `(N, Z)`, which sum to 1. A column that is the
    same as one of them is the probability of its class.

    >>> rows = np.array([[0.9, 0.1], [0.2, 0.8]])
    >>> check_not_the_largest("prob", rows[:, 1], [(["p0", "p1"], rows)])
    >>> check_not_the_largest("prob", rows.max(1), [(["p0", "p1"], rows)])
    Traceback (most recent call last):
    ...
    arcal.errors.ArcalError: prob is the largest of p0, p1 in every row, so it is no probability \
of one class: say --probabilities p0 p1
    """
    for of, rows in possible:
        largest = bool((np.abs(rows.max(axis=1) - p) <= EQUAL).all())
        single = bool((np.abs(rows - p[:, None]) <= EQUAL).all(axis=0).any())
        if largest and not single:
            raise ArcalError(
                f"{column} is the largest of {first_few(of)} in every row, so it is no probability "
                f"of one class: say --probabilities {' '.join(of)}"
            )


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
