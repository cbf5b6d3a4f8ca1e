"""The methods a classifier can be trained with. A new one is one file and one line here."""

import inspect
from collections.abc import Mapping
from typing import Any

from arcal.errors import ArcalError
from arcal.methods.adals import AdaLS, ARAdaLS
from arcal.methods.label_smoothing import LabelSmoothing
from arcal.methods.method import Method
from arcal.methods.vanilla import Vanilla

METHODS: dict[str, type[Method]] = {
    "vanilla": Vanilla,
    "label-smoothing": LabelSmoothing,
    "adals": AdaLS,
    "ar-adals": ARAdaLS,
}


def method_class(name: str) -> type[Method]:
    """The method of this name."""
    if name not in METHODS:
        raise ArcalError(f"method {name!r} is unknown: choose from {', '.join(METHODS)}")
    return METHODS[name]


def complete_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method with its defaults filled in; one it does not have raises."""
    parameters = inspect.signature(method_class(name).__init__).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    for setting in settings:
        if setting not in known:
            has = f"its settings are {', '.join(known)}" if known else "it has no settings"
            raise ArcalError(f"method {name!r} has no setting {setting!r}: {has}")
    return method_class(name).completed(known | dict(settings))


__all__ = [
    "METHODS",
    "ARAdaLS",
    "AdaLS",
    "LabelSmoothing",
    "Method",
    "Vanilla",
    "complete_settings",
    "method_class",
]
