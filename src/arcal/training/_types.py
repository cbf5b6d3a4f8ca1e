"""Checks that values read back from files have the annotated types."""

import dataclasses
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


def check_types(kind: type, values: Mapping[str, Any]) -> None:
    """Raise `TypeError` unless each of a dataclass's fields has a value of its annotated type.

    A field with a default may be missing. Whole numbers count as floats.

    >>> from arcal.training import Run
    >>> check_types(Run, {"seeds": "zero"})
    Traceback (most recent call last):
    TypeError: seeds is 'zero'
    """
    types = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in values and not has_type(values[field.name], types[field.name]):
            raise TypeError(f"{field.name} is {values[field.name]!r}"[:100])
    if unknown := values.keys() - types.keys():
        raise TypeError(f"{min(unknown)} is unknown")


def has_type(value: Any, kind: Any) -> bool:
    """Whether a value, and whatever is in it, has an annotated type.

    >>> has_type((1, 2.5), tuple[int, float]), has_type(True, int)
    (True, False)
    """
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin is Literal:
        return value in inner
    if origin in (Union, UnionType):
        return any(has_type(value, one) for one in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if inner[-1] is Ellipsis:
            return all(has_type(one, inner[0]) for one in value)
        return len(value) == len(inner) and all(map(has_type, value, inner))
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(has_type(one, inner[1]) for one in value.values())
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
