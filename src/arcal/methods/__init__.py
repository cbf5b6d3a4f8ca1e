"""The methods a classifier can be trained with. A new one is one file, its import and a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arcal.errors import ArcalError
from arcal.methods.adals import AdaLS, ARAdaLS
from arcal.methods.ccat import CCAT
from arcal.methods.label_smoothing import LabelSmoothing
from arcal.methods.method import Method
from arcal.methods.mixup import MIXUP
from arcal.methods.registry import Methods
from arcal.methods.setting import Setting, declared_by
from arcal.methods.vanilla import Vanilla

METHODS = Methods(
    (
        Vanilla,
        LabelSmoothing,
        AdaLS,
        ARAdaLS,
        CCAT,
    )
)
"""Every method by its name; those of other packages come by entry points, see `Methods`."""


def method_class(name: str) -> type[Method]:
    """The method of this name; an unknown one raises `ArcalError`.

    >>> method_class("ar-adals").title
    'AR-AdaLS'
    """
    if name not in METHODS:
        raise ArcalError(f"method {name!r} is unknown: choose from {', '.join(METHODS)}")
    return METHODS[name]


def method_named(name: str, Z: int, settings: Mapping[str, Any]) -> Method:
    """The method of this name for Z classes; `mixup` is a setting of all that have a criterion.

    >>> method = method_named("label-smoothing", 10, {"epsilon": 0.1, "mixup": 0.2})
    >>> type(method).__name__, method.epsilon, method.mixup
    ('LabelSmoothing', 0.1, 0.2)
    """
    settings = dict(settings)
    mixup = settings.pop("mixup", None)
    method = method_class(name)(Z, **settings)
    if mixup is not None:
        MIXUP.check(mixup)
        if not method.mixes():
            raise ArcalError(f"{name} makes its own inputs: leave mixup out")
        method.mixup = mixup
    return method


def complete_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method with its defaults filled in; one it does not have raises.

    `mixup` is there only if it is given: without it a run is what it was before mixup.

    >>> complete_settings("ccat", {"rho": 5.0})
    {'radius': 0.01, 'rho': 5.0, 'step': 0.025, 'iterations': 10}
    """
    settings = dict(settings)
    mixup = settings.pop("mixup", None)
    kind = method_class(name)
    known = {setting.name: setting.default for setting in declared_by(kind)}
    for setting in settings:
        if setting not in known:
            has = f"its settings are {', '.join(known)}" if known else "it has no settings"
            raise ArcalError(f"method {name!r} has no setting {_called(setting)}: {has}")
    completed = kind.completed(known | settings)
    return completed if mixup is None else completed | {"mixup": mixup}


def _called(name: str) -> str:
    """A setting, and the flag by which another method has it if that is another name."""
    flags = (s.flag for kind in METHODS.loaded() for s in kind.settings() if s.name == name)
    flag = next(flags, None)
    return repr(name) if flag is None else f"{name!r} ({flag})"


def in_words(kind: type[Method], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings of a method as people read them, in their order; None says nothing.

    What the method does not declare comes last, under its own name.

    >>> in_words(ARAdaLS, {"alpha": 0.2, "R": 4, "order": "gradient", "rescore": None})
    ('R = 4', 'α = 0.2', 'gradient order')
    """
    declared = sorted(kind.settings(), key=lambda setting: setting.place)
    known = {setting.name: setting for setting in declared}
    known |= {name: Setting(name=name) for name in settings if name not in known}
    given = {name: value for name, value in settings.items() if value is not None}
    return tuple(setting.in_words(given[name]) for name, setting in known.items() if name in given)


@dataclass(frozen=True)
class Description:
    """A method with its settings as a report shows it; methods are listed by `place`.

    >>> label_smoothing = describe("label-smoothing", {"epsilon": 0.1})
    >>> label_smoothing.title, label_smoothing.settings
    ('Label smoothing', ('ε = 0.1',))
    """

    title: str
    about: str
    place: int
    settings: tuple[str, ...]


def describe(name: str, settings: Mapping[str, Any]) -> Description:
    """How a report shows a method of this name, be it installed here or not.

    >>> describe("label-smoothing", {"epsilon": 0.1})
    Description(title='Label smoothing', about='every label gives away the same share ε to all \
classes', place=20, settings=('ε = 0.1',))
    >>> describe("somebody-elses", {"gamma": 2.0}).settings
    ('gamma = 2.0',)
    """
    try:
        kind = method_class(name)
    except ArcalError:  # of a package that is not installed here; its runs can still be read
        kind = Method
    return Description(kind.title or name, kind.about, kind.place, in_words(kind, settings))


__all__ = [
    "CCAT",
    "METHODS",
    "ARAdaLS",
    "AdaLS",
    "Description",
    "LabelSmoothing",
    "Method",
    "Setting",
    "Vanilla",
    "complete_settings",
    "describe",
    "in_words",
    "method_class",
    "method_named",
]
