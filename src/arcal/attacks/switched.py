"""Sets attributes to a value for a while, for several threads at the same time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

Setting = tuple[Any, str, Any]
"""An object, the name of an attribute of it, and the value wanted there."""


@dataclass
class _Switch:
    place: Any
    name: str
    before: Any
    users: int = 0


_LOCK = Lock()
_SWITCHES: dict[tuple[int, str], _Switch] = {}
"""What is switched now, by the id of the object, which is unique while the object is held here."""


@contextmanager
def switched(settings: Sequence[Setting]) -> Iterator[None]:
    """Set attributes in this order; the last block that wants one so restores it, in reverse.

    An attribute that already has its value is left alone.

    >>> from types import SimpleNamespace
    >>> model = SimpleNamespace(training=True)
    >>> with switched([(model, "training", False)]):
    ...     model.training
    False
    >>> model.training
    True
    """
    mine: list[_Switch] = []
    try:
        with _LOCK:
            for place, name, value in settings:
                before, switch = getattr(place, name), _SWITCHES.get((id(place), name))
                if before != value:
                    setattr(place, name, value)
                    switch = switch or _Switch(place, name, before)
                if switch:
                    _SWITCHES[id(place), name] = switch
                    switch.users += 1
                    mine.append(switch)
        yield
    finally:
        with _LOCK:
            for switch in reversed(mine):
                switch.users -= 1
                if not switch.users:
                    del _SWITCHES[id(switch.place), switch.name]
                    setattr(switch.place, switch.name, switch.before)
