"""What --attack and --calibrators name, arcal's or the user's own, and the names of --classes."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arcal.errors import ArcalError, first_line
from arcal.files import expanded, meant

if TYPE_CHECKING:
    from arcal.cli._own_calibrator import OwnCalibrator


def attack_with(name: str | None, **settings: Any) -> Any:
    """The attack of this name, by default `boundary-projection`, with the settings that are given.

    A name with a colon is an attack in the user's own code.
    """
    from arcal.attacks import ATTACKS, BoundaryProjection

    if name is None or name in ATTACKS:
        attack = ATTACKS[name or "boundary-projection"]
    elif ":" in name or name.endswith(".py"):
        from arcal.cli._own_attack import open_attack

        attack = open_attack(name)
    else:
        raise ArcalError(
            f"attack {name!r} is unknown: choose from {', '.join(ATTACKS)}, or name one of your "
            "own as FILE.py:NAME"
        )
    chosen = {setting: value for setting, value in settings.items() if value is not None}
    if chosen and not isinstance(attack, BoundaryProjection):
        first = next(iter(chosen))
        raise ArcalError(f"--{first} is for boundary-projection: leave it out with {name}")
    return replace(attack, **chosen)


def calibrators_named(names: Sequence[str]) -> "tuple[list[str], list[OwnCalibrator]]":
    """The kinds that these names stand for, and the calibrators among them that are not arcal's.

    A name with a colon is a calibrator in the user's own code, which is then registered.
    """
    from arcal.calibration.posthoc.registry import POSTHOC, also_called
    from arcal.cli._own_calibrator import open_calibrator

    kinds: list[str] = []
    own: list[OwnCalibrator] = []
    for name in names:
        if ":" in name or name.endswith(".py"):
            opened = open_calibrator(name)
            if (twice := next((one for one in own if one.kind == opened.kind), None)) is not None:
                raise ArcalError(
                    f"{twice.spec} and {name} are both of the kind {opened.kind!r}: name one of "
                    "them, or give it another kind"
                )
            own.append(opened)
            kinds.append(opened.kind)
        elif name in POSTHOC:
            kinds.append(name)
        else:
            raise ArcalError(
                f"calibrator {name!r} is unknown: choose from {', '.join(POSTHOC)}, or name one of "
                f"your own as FILE.py:NAME{also_called(name)}"
            )
    return kinds, own


def classes_named(given: Sequence[str]) -> tuple[str, ...]:
    """The names of the classes: those given, or the lines of a file, if only this one is given.

    A single name that is no file raises `ArcalError`, as there are always several classes, and so
    does a file that is not text in UTF-8, or has a blank line between its names.

    >>> classes_named(["cat", "dog"])
    ('cat', 'dog')
    """
    if len(given) != 1:
        return tuple(given)
    path = expanded(given[0])
    if not path.exists():
        remedy = meant(path) or "name every class, or a file with one name a line"
        raise ArcalError(f"--classes {path} is one name and no file: {remedy}")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ArcalError(
            f"--classes {path} cannot be read ({first_line(error)}): give a file of text in UTF-8 "
            "with one name a line"
        ) from error
    names = tuple(line.strip() for line in lines)
    if "" in names:
        raise ArcalError(
            f"--classes {path}: line {names.index('') + 1} is blank: give one name a line, in the "
            "order of the model's outputs"
        )
    return names
