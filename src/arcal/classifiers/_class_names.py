"""Checks a model's class names against the data's: another order would be silently wrong."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from arcal.errors import ArcalError
from arcal.files import parse_json
from arcal.printable import first_few

GENERIC = re.compile(r"(label|class)[ _-]?\d+", re.IGNORECASE)
"""A name that says only which number the class has."""

SYNSET = re.compile(r"n\d{8}")
"""A folder name of ImageNet: a WordNet id, which says nothing until it is looked up."""


def check_class_names(model_names: Sequence[str], data_names: Sequence[str]) -> None:
    """Compare a model's class names, in the order of its logits, with the data's.

    Names are equal if they differ only in case, spaces, underscores and hyphens; if a name is a
    list of synonyms, as in "tench, Tinca tinca", one match is enough. Names that say nothing, such
    as "LABEL_0", ImageNet's "n01440764", and "0", "1", .. where the other side has words, match
    anything. Names that differ raise `ArcalError` with the first difference.

    >>> check_class_names(["tench, Tinca tinca", "Jay"], ["tench", "jay"])
    >>> check_class_names(["cat", "dog"], ["dog", "cat"])
    Traceback (most recent call last):
    arcal.errors.ArcalError: class 0 is 'cat' for the model and 'dog' in the data, which has the \
same classes in another order: reorder the model's
    """
    if len(model_names) != len(data_names):
        raise ArcalError(
            f"the model has {len(model_names)} classes and the data {len(data_names)}: give the "
            "model for this data"
        )
    if not _comparable(model_names, data_names):
        return
    for z, (model_name, data_name) in enumerate(zip(model_names, data_names, strict=True)):
        if not _forms(model_name) & _forms(data_name):
            what = f"class {z} is {model_name!r} for the model and {data_name!r} in the data"
            if reorder(model_names, data_names) is not None:
                raise ArcalError(
                    f"{what}, which has the same classes in another order: reorder the model's"
                )
            raise ArcalError(f"{what}: give the model for this data, or rename its classes")


def reorder(model_names: Sequence[str], data_names: Sequence[str]) -> tuple[int, ...] | None:
    """The order that brings the model's classes into the data's order; None if the sets differ.

    `logits[:, order]` are in the data's order: class `order[z]` of the model is class z of the
    data. Names are compared as in `check_class_names`. A name that fits several classes takes the
    one with the same number; if there is none, the result is None.

    >>> reorder(["cat", "dog", "fox"], ["Fox", "cat", "dog"])
    (2, 0, 1)
    >>> reorder(["cat", "dog"], ["cat", "cow"]) is None
    True
    """
    if len(model_names) != len(data_names):
        return None
    if not _comparable(model_names, data_names):
        return tuple(range(len(data_names)))
    numbers: dict[str, list[int]] = {}
    for number, name in enumerate(model_names):
        for form in _forms(name):
            numbers.setdefault(form, []).append(number)
    order = []
    for z, name in enumerate(data_names):
        fitting = {number for form in _forms(name) for number in numbers.get(form, ())}
        if z not in fitting and len(fitting) != 1:
            return None
        order.append(z if z in fitting else fitting.pop())
    return tuple(order) if len(set(order)) == len(order) else None


def check_order_given(classifier: Any, given: Sequence[str]) -> None:
    """Refuse given names that are the classifier's own names in another order.

    Its own names are its attribute `class_names`, or the `config.id2label` of transformers. Other
    names, such as translations, are accepted.

    >>> from torch import nn
    >>> model = nn.Linear(3, 2)
    >>> model.class_names = ["cat", "dog"]
    >>> check_order_given(model, ["Katze", "Hund"])
    >>> check_order_given(model, ["dog", "cat"])
    Traceback (most recent call last):
    arcal.errors.ArcalError: the model's own names of its outputs are cat, dog, and those given \
are the same in another order, dog, cat: give them in the order of its outputs
    """
    names = own_class_names(classifier) or _names_by_number(classifier)
    order = reorder(names, given)
    if order is None or order == tuple(range(len(given))):
        return
    raise ArcalError(
        f"the model's own names of its outputs are {first_few(names)}, and those given are the "
        f"same in another order, {first_few(given)}: give them in the order of its outputs"
    )


def own_class_names(classifier: Any) -> tuple[str, ...]:
    """The attribute `class_names` of a classifier, empty unless it is a list or tuple of names.

    >>> from types import SimpleNamespace
    >>> own_class_names(SimpleNamespace(class_names=["cat", "dog"]))
    ('cat', 'dog')
    """
    return all_names(getattr(classifier, "class_names", None))


def _names_by_number(classifier: Any) -> tuple[str, ...]:
    """The names in the configuration of a transformers classifier, if there is one per output."""
    named = getattr(getattr(classifier, "config", None), "id2label", None)
    if not isinstance(named, Mapping) or {*named} != {*range(len(named))}:
        return ()
    return all_names([named[z] for z in range(len(named))])


def all_names(value: Any) -> tuple[str, ...]:
    """A list or tuple of texts as names, empty if it is anything else.

    >>> all_names(["cat", "dog"]), all_names({"cat": 0})
    (('cat', 'dog'), ())
    """
    texts = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    return tuple(value) if texts else ()


def are_numbers(names: Sequence[str]) -> bool:
    """Whether names say only which number a class has: "LABEL_0" .., or "0" .. in order.

    >>> are_numbers(["LABEL_0", "LABEL_1"]), are_numbers(["0", "1"]), are_numbers(["0", "10", "2"])
    (True, True, False)
    """
    return all(map(GENERIC.fullmatch, names)) or list(names) == [str(z) for z in range(len(names))]


def _comparable(*both: Sequence[str]) -> bool:
    """Whether the names of both sides say which class is meant."""
    if any(all(GENERIC.fullmatch(name) or SYNSET.fullmatch(name) for name in one) for one in both):
        return all(all(map(SYNSET.fullmatch, one)) for one in both)
    figures = [all(name.isdigit() for name in one) for one in both]
    return all(figures) or not any(are_numbers(one) for one in both)


def _forms(name: str) -> set[str]:
    """The whole name and each of its synonyms, without case, spaces, underscores and hyphens."""
    return {re.sub(r"[\s_-]+", "", form).lower() for form in (name, *name.split(","))} - {""}


CALIBRATED_ON = "calibrated_on.json"
"""The entry of a program with the fingerprint of the inputs that its calibrator was fitted to."""

CLASS_NAMES = "class_names.json"
"""The entry of a program with the names of its classes: a list, in the order of its outputs."""


def read_entries(
    entry: Callable[[str], str | bytes | None],
) -> tuple[tuple[str, ...] | None, str | None]:
    """The class names and the fingerprint; None for an entry that is missing or something else.

    >>> read_entries({CLASS_NAMES: '["cat", "dog"]', CALIBRATED_ON: '"0123456789abcdef"'}.get)
    (('cat', 'dog'), '0123456789abcdef')
    >>> read_entries({CLASS_NAMES: '{"cat": 0}'}.get)
    (None, None)
    """
    names, calibrated_on = all_names(_json(entry(CLASS_NAMES))), _json(entry(CALIBRATED_ON))
    return (
        names if len(names) > 1 else None,
        calibrated_on if isinstance(calibrated_on, str) else None,
    )


def _json(text: str | bytes | None) -> Any:
    """The value of a JSON text; None if the text is missing or not JSON."""
    try:
        return parse_json(text) if text else None
    except ValueError:
        return None
