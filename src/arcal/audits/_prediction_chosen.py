"""Columns of probabilities that the user names: of which classes they are."""

import re
from collections.abc import Sequence
from itertools import takewhile

import numpy as np

from arcal.audits._prediction_labels import TRUTH, as_text, classes_of_one, truths_like
from arcal.audits._prediction_tables import OUTPUT_NAMES, SHORT
from arcal.errors import ArcalError
from arcal.printable import first_few

USUAL = re.compile(rf"({'|'.join(OUTPUT_NAMES)})[ _.:/-](?=.)", re.I)


def classes_of_chosen(
    of: Sequence[str],
    labels: np.ndarray | None,
    known: Sequence[str] | None,
    names: Sequence[str],
    *,
    titles: Sequence[str] | None = None,
) -> Sequence[str] | None:
    """The classes of chosen columns, in their order; of one column None, which is of class 1.

    They are the `names` that the user gives, or else the columns' own, without what all of them
    have before or after them if the labels are then found among them. Columns without labels are
    of the `known` classes, if there are as many. `titles` say more exactly what columns are called.
    Names in another order than the columns, and labels that are names beside one column that has
    the name of neither, raise `ArcalError`.

    >>> classes_of_chosen(["score_a", "score_b"], np.array(["b", "a"]), None, ())
    ['a', 'b']
    >>> classes_of_chosen(["target_p"], np.array([1, 0]), None, ("no", "yes"))
    ('no', 'yes')
    """
    if known and len(known) == max(len(of), 2):
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
    """Names such as 1.0 as 1, unless two of them would be the same, or one is a fraction.

    >>> whole(["0.0", "1.0"])
    ['0', '1']
    """
    short = [re.sub(r"^(-?\d+)\.0+$", r"\1", title) for title in titles]
    fractions = any(re.fullmatch(r"-?\d*\.\d+", title) for title in short)
    return titles if fractions or len({*short}) < len(titles) else short


def _titles(of: Sequence[str], labels: np.ndarray | None) -> list[str]:
    """What columns call their classes: the reading in which the most labels are among them."""
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
    """Names without what all of them begin or end with, such as `score_` or `_score`."""
    start, end = _common(of), _common([name[::-1] for name in of])
    return [name[start : len(name) - end] for name in of]


def _common(of: Sequence[str]) -> int:
    """How many characters all of them begin with, up to the last that separates words."""
    alike = takewhile(lambda column: len({*column}) == 1, zip(*of, strict=False))
    return max((i for i, (one, *_) in enumerate(alike, start=1) if one in " _.:/-"), default=0)


def _both(
    column: str, title: str, labels: np.ndarray | None, called: set[str]
) -> Sequence[str] | None:
    """The two classes, if one column is called as one of them."""
    is_label = title.casefold() in {one.casefold() for one in called}
    return classes_of_one(column, title, labels) if is_label and labels is not None else None


def _refuse_unnamed(column: str, called: set[str]) -> None:
    """Refuse one column beside labels that are not 0 and 1, where nothing says of which it is."""
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
