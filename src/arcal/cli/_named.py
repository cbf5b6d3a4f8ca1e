"""The attacks and calibrators that --attack and --calibrators name: arcal's, or the user's own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.external import OwnCalibrator


def attack_with(name: str | None, **settings: Any) -> Any:
    """The attack of this name, by default `boundary-projection`, with the settings that are given.

    A name with a colon is an attack in the user's own code.
    """
    from arcal.attacks import ATTACKS, BoundaryProjection

    if name is None or name in ATTACKS:
        attack = ATTACKS[name or "boundary-projection"]
    elif ":" in name or name.endswith(".py"):
        from arcal.external import open_attack

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
    from arcal.external import open_calibrator

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
