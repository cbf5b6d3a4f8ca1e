"""The classes of the columns of probabilities that the user names."""

import re
from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from arcal.errors import ArcalError
from arcal.prediction_files._labels import TRUTH, as_text, classes_of_one, truths_like
from arcal.prediction_files._tables import OUTPUT_NAMES, SHORT
from arcal.printable import first_few

USUAL = re.compile(rf"({'|'.join(OUTPUT_NAMES)})[ _.:/-] *(?=.)", re.I)


def classes_of_chosen(
    of: Sequence[str],
    labels: np.ndarray | None,
    known: Sequence[str],
    names: Sequence[str],
    *,
    titles: Sequence[str] | None = None,
) -> Sequence[str] | None:
    """The classes of chosen columns, in their order; None for one column if it is for class 1.

    They are the `names` that the user gives, or else the columns' own names, without a prefix or
    suffix that all share if more labels are then among them. Columns without labels are for the
    `known` classes, if there are as many. `titles` are the columns' names where they are known more
    exactly. Names in another order than the columns, and labels that are names beside a single
    column named after none of them, raise `ArcalError`.

    >>> classes_of_chosen(["score_a", "score_b"], np.array(["b", "a"]), (), ())
    ['a', 'b']
    >>> classes_of_chosen(["target_p"], np.array([1, 0]), (), ("no", "yes"))
    ('no', 'yes')
    """
    if len(known) == max(len(of), 2):
        return known
    own = [*titles] if titles else _titles(of, labels)
    called = {*(() if labels is None else as_text(labels) or ())}
    boolean = labels is not None and labels.dtype.kind == "b"
    if len(of) <= 2 and not boolean:
        own = truths_like(own, called)
    if len(of) == 1:
        own = _both(of[0], own[0], labels, called)
    if not names:
        if own is None and not called <= TRUTH and len(called) > 1:
            _refuse_unnamed(of[0], called)
        return own
    if own is not None and sorted(own) == sorted(names) and [*own] != [*names]:
        raise ArcalError(
            f"--classes names {', '.join(names)}, and the columns are of {', '.join(own)}: give "
            "--classes in the order of --probabilities, or leave it out"
        )
    return names


def whole(titles: list[str]) -> list[str]:
    """Names such as 1.0 as 1, unless two would then be equal, or one is a fraction.

    >>> whole(["0.0", "1.0"])
    ['0', '1']
    """
    short = [re.sub(r"^(-?\d+)\.0+$", r"\1", title) for title in titles]
    fractions = any(re.fullmatch(r"-?\d*\.\d+", title) for title in short)
    return titles if fractions or len({*short}) < len(titles) else short


def _titles(of: Sequence[str], labels: np.ndarray | None) -> list[str]:
    """The class names in the columns' names: of several readings, the one with the most labels."""
    usual = [USUAL.sub("", name, count=1) if USUAL.match(name) else name for name in of]
    if all(map(SHORT.match, of)):
        usual = [SHORT.sub("", name, count=1) for name in of]
    readings = [usual, [*of]]
    if len(of) > 1:
        readings.append(_without_the_common(of))
    readings = [whole(titles) for titles in readings if len({*titles} - {""}) == len(of)] or [[*of]]
    called = {one.casefold() for one in (() if labels is None else as_text(labels) or ())}
    return max(readings, key=lambda titles: len(called & {*map(str.casefold, titles)}))


def _without_the_common(of: Sequence[str]) -> list[str]:
    """Names without the prefix or suffix that all share, such as `score_` or `_score`."""
    start, end = _common(of), _common([name[::-1] for name in of])
    return [name[start : len(name) - end] for name in of]


def _common(of: Sequence[str]) -> int:
    """The length of the prefix that all of them share, up to the last separator of words."""
    alike = takewhile(lambda column: len({*column}) == 1, zip(*of, strict=False))
    return max((i for i, (one, *_) in enumerate(alike, start=1) if one in " _.:/-"), default=0)


def _both(
    column: str, title: str, labels: np.ndarray | None, called: set[str]
) -> Sequence[str] | None:
    """The two classes, if the single column is named after one of them."""
    is_label = title.casefold() in {one.casefold() for one in called}
    return classes_of_one(column, title, labels) if is_label and labels is not None else None


def _refuse_unnamed(column: str, called: set[str]) -> None:
    """Refuse a single column for an unnamed class if the labels are not 0 and 1."""
    some = first_few(sorted(called))
    if len(called) > 2:
        raise ArcalError(
            f"{column} is one column, which describes two classes, and the labels have "
            f"{len(called):,} ({some}): name a column for each class"
        )
    first, second = sorted(called)
    raise ArcalError(
        f"{column} is the probability of one of two classes, and the labels are {some}: say of "
        f"which, with --classes and that one last, such as --classes {first} {second}"
    )
