"""The methods to train a classifier with. A new one needs a file, and an import and a line here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arcal.errors import ArcalError
from arcal.methods.adals import AdaLS, ARAdaLS
from arcal.methods.additions import ADDITIONS, additions_to
from arcal.methods.ccat import CCAT
from arcal.methods.focal import Focal
from arcal.methods.label_smoothing import LabelSmoothing
from arcal.methods.method import Method
from arcal.methods.registry import Methods
from arcal.methods.setting import Setting, declared_by
from arcal.methods.vanilla import Vanilla

METHODS = Methods(
    (
        Vanilla,
        LabelSmoothing,
        Focal,
        AdaLS,
        ARAdaLS,
        CCAT,
    )
)
"""Every method by its name; other packages add theirs by entry points, see `Methods`."""


def method_class(name: str) -> type[Method]:
    """The method of this name; an unknown one raises `ArcalError`.

    >>> method_class("ar-adals").title
    'AR-AdaLS'
    """
    if name in METHODS:
        return METHODS[name]
    line = f"method {name!r} is unknown: choose from {', '.join(METHODS)}"
    if name in {setting.name for setting in ADDITIONS}:
        line += f"; {name} is added to any of them, as a setting"
    raise ArcalError(line)


def method_named(name: str, Z: int, settings: Mapping[str, Any]) -> Method:
    """The method of this name for Z classes; `settings` include those that are added to it.

    A setting that it does not have, or a value out of range, raises `ArcalError`.

    >>> method = method_named("label-smoothing", 10, {"epsilon": 0.1, "mixup": 0.2})
    >>> type(method).__name__, method.epsilon, method.added.mixup
    ('LabelSmoothing', 0.1, 0.2)
    """
    kind = method_class(name)
    own, added = _divided(kind, settings)
    _check_known(kind, own)
    return kind(Z, **own).add(**added)


def complete_settings(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a method with its defaults filled in; an unknown one raises `ArcalError`.

    Additions are included only if given, so that a new kind of addition does not change the
    configuration of other runs.

    >>> complete_settings("ccat", {"rho": 5.0})
    {'radius': 0.01, 'rho': 5.0, 'step': 0.025, 'iterations': 10}
    """
    kind = method_class(name)
    own, added = _divided(kind, settings)
    known = {setting.name: setting.default for setting in declared_by(kind)}
    _check_known(kind, own)
    completed = kind.completed(known | own)
    return completed | {name: value for name, value in added.items() if value is not None}


def _check_known(kind: type[Method], own: Mapping[str, Any]) -> None:
    """Refuse settings that a method does not have."""
    known = [setting.name for setting in declared_by(kind)]
    for setting in own:
        if setting not in known:
            has = f"its settings are {', '.join(known)}" if known else "it has none of its own"
            others = [other.name for other in METHODS.loaded() if setting in _own(other)]
            if others:
                has = (
                    f"{' and '.join(others)} {'has' if len(others) == 1 else 'have'} it, and {has}"
                )
            raise ArcalError(f"method {kind.name!r} has no setting {_called(setting)}: {has}")


def _own(kind: type[Method]) -> set[str]:
    """The names of a method's own settings, without additions."""
    return {setting.name for setting in declared_by(kind)}


def needs_vanilla(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether such a run needs the robustness of images from a vanilla run.

    >>> needs_vanilla("ar-adals", {}), needs_vanilla("adals", {})
    (True, False)
    >>> needs_vanilla("adals", {"perturbed": 0.5, "perturbed_by": "gradient"})
    True
    """
    kind = method_class(name)
    return kind.ranks or _divided(kind, settings)[1].get("perturbed_by") is not None


def _divided(
    kind: type[Method], settings: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """A method's own settings, and its additions."""
    additions = {setting.name for setting in additions_to(declared_by(kind), criterion=True)}
    own = {name: value for name, value in settings.items() if name not in additions}
    return own, {name: value for name, value in settings.items() if name in additions}


def _called(name: str) -> str:
    """A setting's name, with its flag in another method if that has another name."""
    flags = (s.flag for kind in METHODS.loaded() for s in kind.settings() if s.name == name)
    flag = next(flags, None)
    return repr(name) if flag is None else f"{name!r} ({flag})"


def in_words(kind: type[Method], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The settings of a method in words, in their order; those that are None are left out.

    A setting that the method does not declare comes last, under its own name.

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
    """How a report shows a method of this name, whether or not it is installed here.

    >>> describe("label-smoothing", {"epsilon": 0.1})
    Description(title='Label smoothing', about='every label gives away the same share ε to all \
classes', place=20, settings=('ε = 0.1',))
    >>> describe("somebody-elses", {"gamma": 2.0}).settings
    ('gamma = 2',)
    """
    try:
        kind = method_class(name)
    except ArcalError:  # its package is not installed here, but its runs can still be read
        kind = Method
    return Description(kind.title or name, kind.about, kind.place, in_words(kind, settings))


__all__ = [
    "CCAT",
    "METHODS",
    "ARAdaLS",
    "AdaLS",
    "Description",
    "Focal",
    "LabelSmoothing",
    "Method",
    "Setting",
    "Vanilla",
    "complete_settings",
    "describe",
    "in_words",
    "method_class",
    "method_named",
    "needs_vanilla",
]
