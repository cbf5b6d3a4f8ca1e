"""From the flags of a command to the attack that it runs."""

from dataclasses import replace
from typing import Any

from arcal.errors import ArcalError


def attack_with(name: str | None, **settings: Any) -> Any:
    """The attack of this name, `boundary-projection` unless given, with what else is given."""
    from arcal.attacks import BoundaryProjection, attack_named

    attack = attack_named(name or "boundary-projection")
    given = {setting: value for setting, value in settings.items() if value is not None}
    if given and not isinstance(attack, BoundaryProjection):
        flag = next(iter(given))
        raise ArcalError(f"--{flag} is of boundary-projection: leave it out with {name}")
    return replace(attack, **given)
