"""Attacks: the smallest perturbation that changes a model's own prediction.

An attack is a frozen dataclass that holds its settings, and is called as
`attack(model, x, bounds) -> Adversarial`. To run a part of its inputs it calls
`rows(model, index)(x[index])`, so that a mask or anything else that belongs to a row follows it.
"""

from dataclasses import asdict, is_dataclass
from typing import Any

from arcal.attacks.adversarial import Adversarial
from arcal.attacks.boundary_projection import BoundaryProjection
from arcal.attacks.carlini_wagner import CarliniWagner
from arcal.attacks.inputs import Inputs, InputsLike, Model, bound, rows
from arcal.attacks.model import frozen, margin
from arcal.attacks.norms import Bounds
from arcal.attacks.own import OwnAttack
from arcal.errors import ArcalError

ATTACKS: dict[str, Any] = {
    "boundary-projection": BoundaryProjection(),
    "boundary-projection-quick": BoundaryProjection(budget=16, reach=1.3),
    "carlini-wagner": CarliniWagner(),
    "carlini-wagner-gradient": CarliniWagner(initial_c="gradient", search_steps=2),
}
"""Attacks by name: ours, ours with fewer passes for rankings alone, the paper's, and the paper's
from a better c, for fewer passes."""


def attack_named(name: str) -> Any:
    """The attack of this name; another name raises `ArcalError`.

    >>> attack_named("boundary-projection")
    BoundaryProjection(budget=48, classes=9, reach=1.5, starts=8, norm='l2')
    """
    if name not in ATTACKS:
        raise ArcalError(f"attack {name!r} is unknown: choose from {', '.join(ATTACKS)}")
    return ATTACKS[name]


def as_attack(attack: Any = None) -> Any:
    """The attack itself, looked up if it is a name; the default one if None.

    A class in place of an instance, or an unknown name, raises `ArcalError`.

    >>> as_attack("carlini-wagner") == CarliniWagner()
    True
    >>> as_attack(BoundaryProjection)
    Traceback (most recent call last):
    arcal.errors.ArcalError: attack is the class BoundaryProjection: give an instance of it, ...
    """
    if isinstance(attack, type):
        raise ArcalError(
            f"attack is the class {attack.__name__}: give an instance of it, such as "
            f"{attack.__name__}()"
        )
    if isinstance(attack, str):
        return attack_named(attack)
    return BoundaryProjection() if attack is None else attack


def name_of(attack: Any) -> str:
    """The name of this attack in `ATTACKS`, followed by the settings that differ from it.

    >>> name_of(BoundaryProjection())
    'boundary-projection'
    >>> name_of(BoundaryProjection(budget=100))
    'boundary-projection-budget-100'
    """
    if isinstance(attack, OwnAttack):
        return attack.file_name
    for name, known in ATTACKS.items():
        if known == attack:
            return name
    for name, known in ATTACKS.items():
        if type(known) is type(attack):
            usual = asdict(known)
            others = [f"{k}-{v}" for k, v in asdict(attack).items() if v != usual[k]]
            return "-".join([name, *others])
    raise ArcalError(f"attack {attack!r} has no name: give one of {', '.join(ATTACKS)}")


def attack_words(attack: Any) -> str:
    """An attack in words: its name and settings, or what it is called in the user's code.

    >>> attack_words(BoundaryProjection(budget=100)), attack_words(rows)
    ('boundary-projection-budget-100', 'rows, your own')
    """
    try:
        return name_of(attack)
    except ArcalError:
        own = repr(attack) if is_dataclass(attack) else getattr(attack, "__qualname__", None)
        return f"{own or type(attack).__name__}, your own"


def settings_of(attack: Any) -> dict[str, Any]:
    """An attack's kind and settings: what its results depend on besides the model and the data.

    They include the version of an attack that has one, and a norm other than L2: results without a
    norm are from before there was a choice.

    >>> settings_of(BoundaryProjection(budget=100))
    {'kind': 'BoundaryProjection', 'version': 3, 'budget': 100, 'classes': 9, 'reach': 1.5, ...}
    >>> settings_of(BoundaryProjection(norm="linf"))["norm"]
    'linf'
    """
    if isinstance(attack, OwnAttack):
        return attack.settings
    version = {"version": attack.VERSION} if hasattr(attack, "VERSION") else {}
    settings = {"kind": type(attack).__name__, **version, **asdict(attack)}
    if settings.get("norm") == "l2":
        del settings["norm"]
    return settings


__all__ = [
    "ATTACKS",
    "Adversarial",
    "BoundaryProjection",
    "Bounds",
    "CarliniWagner",
    "Inputs",
    "InputsLike",
    "Model",
    "OwnAttack",
    "as_attack",
    "attack_named",
    "attack_words",
    "bound",
    "frozen",
    "margin",
    "name_of",
    "rows",
    "settings_of",
]
