"""What a method declares for a setting besides its type and default: help, bounds, words."""

import inspect
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from numbers import Real
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from arcal.errors import ArcalError

_BOUNDS = {
    "above": operator.gt,
    "at_least": operator.ge,
    "below": operator.lt,
    "at_most": operator.le,
}


@dataclass(frozen=True)
class Setting:
    """A keyword argument of a method's constructor, described in its annotation.

    `help` is for the command line, where the setting is called `flag` if that is given. A report
    shows `symbol = value`, or the result of `words(value)`. Settings with a lower `place` come
    first, otherwise in the constructor's order. With bounds, anything but a finite number within
    them is refused. `name`, `type` and `default` are taken from the constructor.

    >>> gamma = Setting("how little easy examples count", symbol="γ", at_least=0, name="gamma")
    >>> gamma.in_words(2.0), gamma.range
    ('γ = 2', 'at least 0')
    >>> gamma.contains(2.0), gamma.contains(-1.0)
    (True, False)
    """

    help: str = ""
    symbol: str | None = None
    flag: str | None = None
    words: Callable[[Any], str] | None = None
    place: int = 0
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    name: str = ""
    type: Any = Any
    default: Any = None

    @property
    def types(self) -> tuple[Any, ...]:
        """The types that a value may have: those of a union, without None."""
        union = get_origin(self.type) in (Union, UnionType)
        types = get_args(self.type) if union else (self.type,)
        return tuple(one for one in types if one is not type(None))

    @property
    def bounds(self) -> dict[str, float]:
        """Those of `above`, `at_least`, `below` and `at_most` that are given."""
        return {name: bound for name in _BOUNDS if (bound := getattr(self, name)) is not None}

    @property
    def range(self) -> str:
        """The bounds in words, such as "at least 0 and below 1"."""
        words = (f"{name.replace('_', ' ')} {bound:g}" for name, bound in self.bounds.items())
        return " and ".join(words)

    def contains(self, value: Any) -> bool:
        """Whether a value is within the bounds; without bounds every value is."""
        if not self.bounds:
            return True
        finite = isinstance(value, Real) and math.isfinite(value)
        return finite and all(_BOUNDS[name](value, bound) for name, bound in self.bounds.items())

    def check(self, value: Any) -> None:
        """Refuse a value outside the bounds, unless it is the default."""
        if value != self.default and not self.contains(value):
            raise ArcalError(f"{self.name} is {value}: it must be {self.range}")

    def in_words(self, value: Any) -> str:
        """A value in words, for reports."""
        if self.words is not None:
            return self.words(value)
        values = value if isinstance(value, list | tuple) else [value]
        text = " ".join(str(one).removesuffix(".0") for one in values)
        return f"{self.symbol or self.name} = {text}"


@cache
def declared_by(kind: type) -> tuple[Setting, ...]:
    """The keyword arguments of a class's constructor, in order.

    An argument without a default, or an annotation that cannot be read, raises `ArcalError`.
    """
    constructor = kind.__init__
    try:
        hints = get_type_hints(constructor, include_extras=True)
    except NameError as error:
        raise ArcalError(f"the settings of {kind.__name__} cannot be read: {error}") from None
    return tuple(
        _declared(kind, parameter, hints.get(parameter.name, Any))
        for parameter in inspect.signature(constructor).parameters.values()
        if parameter.kind is parameter.KEYWORD_ONLY
    )


def _declared(kind: type, parameter: inspect.Parameter, hint: Any) -> Setting:
    if parameter.default is parameter.empty:
        raise ArcalError(f"{kind.__name__} has a setting {parameter.name} without a default")
    annotated = get_origin(hint) is Annotated
    value_type, *notes = get_args(hint) if annotated else (hint,)
    setting = next((note for note in notes if isinstance(note, Setting)), Setting())
    return replace(setting, name=parameter.name, type=value_type, default=parameter.default)
