"""The labels of predictions, as names or numbers, against the names of the classes."""

from collections.abc import Collection, Sequence

import numpy as np

from arcal.errors import ArcalError

TRUTH = {"0", "1", "false", "true"}
"""Labels that say whether an input is of the class that a column is named by."""


def numbered(
    labels: np.ndarray, classes: Sequence[str] | None, *, by_column: bool = False
) -> np.ndarray:
    """Labels `(N,)` as numbers of `classes`, the Z names in the order of the outputs.

    Text is names; "0" and "1" are numbers where no class has a name. True and False, and whole
    numbers, are names where all of them are names of classes: columns may be named "True" and
    "False", or 1, 0 and "other". Otherwise numbers stay as they are, except that columns named by
    numbers alone (`by_column`) name every label. A label that is no class, and numbers that could
    be either in a file where classes are no columns, raise `ArcalError`.

    >>> numbered(np.array([True, False]), ("True", "False"))
    array([0, 1])
    >>> numbered(np.array([2, 0, 1]), ("cat", "dog", "fox"))
    array([2, 0, 1])
    """
    if classes is None and labels.dtype.kind in "biuf":
        return labels
    text = as_text(labels)
    if text is None or labels.ndim != 1 or not len(labels):
        return labels
    if classes is None and all(map(str.isdecimal, text)):
        return np.array(text, dtype=np.int64)
    if classes is None:
        remedy = (
            "put the class into the name of each column of outputs, such as probability_yes (one "
            'is enough for two classes), give objects such as {"cat": 0.9, "dog": 0.1}'
            if by_column
            else "add `classes` in the order of the outputs"
        )
        raise ArcalError(
            f"labels are names, and the classes are not named: {remedy}, name those of lists by "
            "--classes, or number the labels from 0"
        )
    names = [name.casefold() for name in classes] if labels.dtype.kind == "b" else list(classes)
    numbers = {name: i for i, name in enumerate(names)}
    if labels.dtype.kind in "biuf" and names != [str(i) for i in range(len(names))]:
        values = dict.fromkeys(text)
        all_names = all(value in numbers for value in values)
        if not all_names and not (by_column and all(map(str.isdecimal, names))):
            return labels
        places = labels.dtype.kind != "b" and labels.min() >= 0 and labels.max() < len(names)
        if places and not by_column:
            raise ArcalError(
                f"labels are numbers, and so are the classes ({', '.join(classes[:10])}), in "
                "another order than 0, 1, 2: save the labels as text, if they are these names"
            )
    unknown = next((row for row, value in enumerate(text) if value not in numbers), None)
    if unknown is not None:
        if not text[unknown].strip():
            raise ArcalError(f"the label of row {unknown} is blank: fill it in or drop the row")
        some = ", ".join(classes[:10])
        raise ArcalError(f"the label {text[unknown]!r} of row {unknown} is none of {some}")
    return np.array([numbers[value] for value in text])


def as_text(labels: np.ndarray) -> list[str] | None:
    """Labels as the names they would be, None where they are neither names nor whole numbers."""
    kind = labels.dtype.kind
    if kind == "b":
        return [str(label).casefold() for label in labels.tolist()]
    if kind == "f":
        labels = labels.astype(np.float64)  # in half precision 2**53 is infinite
        whole = np.isfinite(labels) & (labels == np.round(labels)) & (abs(labels) < 2**53)
        return [str(int(label)) for label in labels.ravel().tolist()] if whole.all() else None
    if kind == "S":
        labels = np.char.decode(labels, "utf-8")
    if kind == "M":
        labels = labels.astype(str)
    return [str(label) for label in labels.tolist()] if kind in "iuUSOM" else None


def truths_like(titles: Sequence[str], known: Collection[str]) -> list[str]:
    """Titles True and False as `known` labels or classes say it, which may be 1 and 0; or these.

    All others stay as they are.

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
    """The two classes, where one column of a binary classifier is named by the class `title`.

    The other class is the other label there is. None where the title is no label, as in
    `probability_spam` beside the labels 0 and 1, or one of them alone: the column is of class 1. A
    column of class 0 beside no other label raises `ArcalError`.

    >>> classes_of_one("probability_0", "0", np.array([1, 0, 1]))
    ('1', '0')
    """
    title = title.casefold() if labels.dtype.kind == "b" else title
    others = {value for value in as_text(labels) or () if value != title}
    a_name = not title.lstrip("-").isdecimal() and title not in TRUTH
    if labels.dtype.kind in "biuf" and others <= TRUTH and a_name:
        return None
    if len(others) == 1:
        return others.pop(), title
    if title in ("0", "false") and not others:
        raise ArcalError(
            f"{column} is the only column of the outputs, and every label is {title}: add a column "
            "for the other class"
        )
    return None


def classes_of_one_unlabelled(
    column: str, title: str, classes: Sequence[str]
) -> tuple[str, str] | None:
    """The two classes, where one column is all that there is of the binary classifier's `classes`.

    The column is of the class `title`, or of True where it has none and the classes are True and
    False. None where that is left to be class 1, because the classes are not known or are numbers.
    A column that names neither of the two raises `ArcalError`.

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


def check_not_of_the_predicted(
    name: str, probabilities: np.ndarray, predicted: np.ndarray, classes: Sequence[str] | None
) -> None:
    """Refuse the one column of a binary classifier if it is the confidence in what is predicted."""
    text = as_text(predicted)
    if text is None or probabilities.min() <= 0.5:
        return
    first = ("0", "false") if classes is None else (classes[0].casefold(),)
    for row, value in enumerate(text):
        if value.casefold() in first:
            raise ArcalError(
                f"{name} is {probabilities[row]:g} in row {row}, where {value} is predicted: a "
                "single column is the probability of one class, 1 unless its name says another, "
                "and not that of the predicted class, which is called `confidence`"
            )
