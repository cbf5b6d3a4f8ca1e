"""The labels of predictions, as names or numbers, matched with the names of the classes."""

from collections.abc import Collection, Sequence

import numpy as np

from arcal.errors import ArcalError
from arcal.printable import first_few

TRUTH = {"0", "1", "false", "true"}
"""Labels that say whether an input is of the class that a column is named after."""


def numbered(
    labels: np.ndarray, classes: Sequence[str] | None, *, by_column: bool = False
) -> np.ndarray:
    """Labels `(N,)` as indices into `classes`, the Z names in the order of the outputs.

    Text labels are names, except that "0" and "1" are indices if no class has a name. True and
    False, and whole numbers, are names if every one of them is the name of a class, since columns
    may be named "True" and "False", or 1, 0 and "other". All other numbers are indices, but if
    every column (`by_column`) is named by a number, labels are always names, and if the columns are
    LABEL_0, LABEL_1 and so on, the numbers in these names. A label that is no class raises
    `ArcalError`, and so do numbers that could be either in a file whose classes are not columns.

    >>> numbered(np.array([True, False]), ("True", "False"))
    array([0, 1])
    >>> numbered(np.array([2, 0, 1]), ("cat", "dog", "fox"))
    array([2, 0, 1])
    """
    text = as_text(labels)
    if text is None or labels.ndim != 1 or not len(labels):
        return labels
    if classes is None:
        return _without_names(labels, text, by_column=by_column)
    names = [name.casefold() for name in classes] if labels.dtype.kind == "b" else list(classes)
    if labels.dtype.kind in "biuf" and _are_indices(labels, text, names, by_column=by_column):
        return _as_in_transformers(labels, names) if by_column else labels
    number = {name: i for i, name in enumerate(names)}
    unknown = next((row for row, label in enumerate(text) if label not in number), None)
    if unknown is not None:
        _refuse_blank(text[: unknown + 1])
        some = ", ".join(classes[:10])
        label = text[unknown]
        like = next((name for name in names if name.casefold() == label.casefold()), None)
        remedy = "" if like is None else f": write {like!r}, as that class is called"
        raise ArcalError(f"the label {label!r} of row {unknown} is none of {some}{remedy}")
    return np.array([number[label] for label in text])


def _without_names(labels: np.ndarray, text: Sequence[str], *, by_column: bool) -> np.ndarray:
    """Labels as indices where no class has a name; labels that are names are refused."""
    if labels.dtype.kind in "biuf":
        return labels
    if all(map(str.isdecimal, text)):
        return np.array(text, dtype=np.int64)
    _refuse_blank(text)
    remedy = (
        "put the class into the name of each column of outputs, such as probability_yes (one "
        'is enough for two classes), give objects such as {"cat": 0.9, "dog": 0.1}'
        if by_column
        else "add `classes` in the order of the outputs"
    )
    raise ArcalError(
        f"labels are names, and the classes are not named: {remedy}, name those of lists or "
        "of a single column by --classes, or number the labels from 0"
    )


def _are_indices(
    labels: np.ndarray, text: Sequence[str], names: Sequence[str], *, by_column: bool
) -> bool:
    """Whether numbers or truth values are indices of the classes rather than their `names`.

    Numbers that could be either are refused, unless the names are those of columns.
    """
    if [*names] == [str(i) for i in range(len(names))]:
        return False  # either way they are the same
    if not {*text} <= {*names}:
        return not (by_column and all(map(str.isdecimal, names)))
    could_be = labels.dtype.kind != "b" and labels.min() >= 0 and labels.max() < len(names)
    if could_be and not by_column:
        raise ArcalError(
            f"labels are numbers, and so are the classes ({', '.join(names[:10])}), in another "
            "order than 0, 1, 2: save the labels as text, if they are these names"
        )
    return False


def _as_in_transformers(labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Indices as they are, unless the names are LABEL_0, LABEL_1 and so on in another order.

    These names of transformers hold the index, and are often sorted as text, LABEL_10 before
    LABEL_2.

    >>> _as_in_transformers(np.array([2, 0]), ["LABEL_0", "LABEL_2", "LABEL_1"])
    array([1, 0])
    """
    own = [f"LABEL_{z}" for z in range(len(names))]
    if [*names] == own or sorted(names) != sorted(own) or labels.dtype.kind == "b":
        return labels
    if labels.min() < 0 or labels.max() >= len(names):
        return labels
    return np.array([names.index(name) for name in own])[labels.astype(np.int64)]


def _refuse_blank(labels: Sequence[str]) -> None:
    blank = next((row for row, label in enumerate(labels) if not label.strip()), None)
    if blank is not None:
        raise ArcalError(f"the label of row {blank} is blank: fill it in or drop the row")


def as_text(labels: np.ndarray) -> list[str] | None:
    """Labels as text, or None if they are neither names nor whole numbers."""
    kind = labels.dtype.kind
    if kind == "b":
        return [str(label).casefold() for label in labels.tolist()]
    if kind == "f":
        labels = labels.astype(np.float64)  # 2**53 is infinite in half precision
        whole = np.isfinite(labels) & (labels == np.round(labels)) & (abs(labels) < 2**53)
        return [str(int(label)) for label in labels.ravel().tolist()] if whole.all() else None
    if kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if kind == "M":
        labels = labels.astype(str)
    return [str(label) for label in labels.tolist()] if kind in "iuUSOM" else None


def called_in(
    there: Sequence[str], labels: np.ndarray | None, classes: Sequence[str] = ()
) -> set[str]:
    """The names that columns for these labels have or would have, or without labels for `classes`.

    Names that are `there` count in another spelling, too: pandas turns 1 into 1.0 and true into
    True.

    >>> called_in(["0.5", "1.0", "age"], np.array([1, 0.5, 1])) == {"1.0", "0.5"}
    True
    """
    names = {*there}
    if labels is not None and labels.dtype.kind in "iuf":
        classes = as_text(labels) or [str(one) for one in np.unique(labels)]
    elif labels is not None:
        classes = as_text(labels) or ()
    called = set[str]()
    for label in {*classes}:
        also = (label, f"{label}.0", label.capitalize() if label in TRUTH else label)
        called.add(next((name for name in also if name in names), label))
    return called


def truths_like(titles: Sequence[str], known: Collection[str]) -> list[str]:
    """Titles True and False, or 1 and 0, as the `known` labels or classes write them.

    All other titles stay as they are.

    >>> truths_like(["True", "False"], {"0", "1"}), truths_like(["1"], ("False", "True"))
    (['1', '0'], ['True'])
    """
    spelt, said = {one.casefold(): one for one in known}, dict[str, str]()
    if spelt and spelt.keys() <= {"0", "1"}:
        said = {"true": "1", "false": "0"}
    elif spelt.keys() == {"true", "false"}:
        said = {**spelt, "1": spelt["true"], "0": spelt["false"]}
    same = [said.get(title.casefold(), "") for title in titles]
    return same if all(same) else [*titles]


def classes_of_one(column: str, title: str, labels: np.ndarray) -> tuple[str, str] | None:
    """The two classes, if a binary classifier's single column is named after the class `title`.

    The other class is the only other label. The result is None if the title is not a label, such as
    in `probability_spam` beside the labels 0 and 1, or if it is the only label: the column is then
    for class 1. A column for class 0 without another label, one for a label beside several others,
    one that differs from a label only in capitals, and a blank label raise `ArcalError`.

    >>> classes_of_one("probability_0", "0", np.array([1, 0, 1]))
    ('1', '0')
    """
    title = title.casefold() if labels.dtype.kind == "b" else title
    text = as_text(labels) or []
    _refuse_blank(text)
    others = {value for value in text if value != title}
    a_name = not title.lstrip("-").isdecimal() and title not in TRUTH
    if labels.dtype.kind in "biuf" and others <= TRUTH and a_name:
        return None
    alike = next((one for one in others if one.casefold() == title.casefold()), None)
    if alike is not None and title not in text:
        raise ArcalError(
            f"{column} is of the class {title!r}, and the labels have {alike!r}: write both alike"
        )
    if len(others) == 1:
        return others.pop(), title
    if title in ("0", "false") and not others:
        raise ArcalError(
            f"{column} is the only column of the outputs, and every label is {title}: add a column "
            "for the other class"
        )
    if title in text and others:
        row = text.index(min(sorted(others), key=text.count))
        raise ArcalError(
            f"{column} is the only column of the outputs, so there can be two classes, and there "
            f"are {len(others) + 1:,} labels ({first_few([title, *sorted(others)])}), such as "
            f"{text[row]!r} in row {row}: correct it, drop the row, or give every class a column"
        )
    return None


def classes_of_one_unlabelled(
    column: str, title: str, classes: Sequence[str]
) -> tuple[str, str] | None:
    """The two classes of a binary classifier with a single column, in the order other, own.

    The column is for the class `title`, or for True if it has no title and the classes are True and
    False. The result is None if the column is for class 1, because the `classes` are not two or are
    numbers. A column named after neither of the two raises `ArcalError`.

    >>> classes_of_one_unlabelled("probability_cat", "cat", ("cat", "dog"))
    ('dog', 'cat')
    """
    if len(classes) != 2:
        return None
    for of, other in (classes, classes[::-1]):
        if (title or "true").casefold() == of.casefold():
            return other, of
    if title == "1" or {name.casefold() for name in classes} <= TRUTH:
        return None
    raise ArcalError(
        f"{column} is the only column of the outputs, and does not say which class it is of: call "
        f"it probability_{classes[0]} or probability_{classes[1]}"
    )
