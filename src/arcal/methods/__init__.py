"""The methods a classifier can be trained with. A new one is one file and one line here."""

import inspect
from collections.abc import Mapping
from typing import Any

from arcal.errors import ArcalError
from arcal.methods.adals import AdaLS, ARAdaLS
from arcal.methods.ccat import CCAT
from arcal.methods.label_smoothing import LabelSmoothing
from arcal.methods.method import Method
from arcal.methods.mixup import check_mixup
from arcal.methods.vanilla import Vanilla

METHODS: dict[str, type[Method]] = {
    "vanilla": Vanilla,
    "label-smoothing": LabelSmoothing,
    "adals": AdaLS,
    "ar-adals": ARAdaLS,
    "ccat": CCAT,
}


def method_class(name: str) -> type[Method]:
    """The method of this name."""
    if name not in METHODS:
        raise ArcalError(f"method {name!r} is unknown: choose from {', '.join(METHODS)}")
    return METHODS[name]


def method_named(name: str, Z: int, settings: Mapping[str, Any]) -> Method:
    """The method of this name for Z classes; `mixup` is a setting of all that have a criterion."""
    settings = dict(settings)
    mixup = settings.pop("mixup", None)
    method = method_class(name)(Z, **settings)
    if mixup is not None:
        check_mixup(mixup)
        if type(method).loss is not Method.loss:
            raise ArcalError(f"{name} makes its own inputs: leave mixup out")
        method.mixup = mixup
    return method


def complete_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method with its defaults filled in; one it does not have raises.

    `mixup` is there only if it is given: without it a run is what it was before mixup.
    """
    settings = dict(settings)
    mixup = settings.pop("mixup", None)
    parameters = inspect.signature(method_class(name).__init__).parameters.values()
    known = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    for setting in settings:
        if setting not in known:
            has = f"its settings are {', '.join(known)}" if known else "it has no settings"
            called = " (levels)" if setting == "R" else ""
            raise ArcalError(f"method {name!r} has no setting {setting!r}{called}: {has}")
    completed = method_class(name).completed(known | settings)
    return completed if mixup is None else completed | {"mixup": mixup}


__all__ = [
    "CCAT",
    "METHODS",
    "ARAdaLS",
    "AdaLS",
    "LabelSmoothing",
    "Method",
    "Vanilla",
    "complete_settings",
    "method_class",
    "method_named",
]
