"""The device that a command runs on, through Lightning Fabric."""

from typing import Any

from lightning_fabric import Fabric

from arcal.errors import ArcalError


def fabric_on(accelerator: str, precision: Any = "32-true") -> Fabric:
    """One device of this accelerator (`cpu`, `gpu`, `auto`, ...); one that is not here raises."""
    try:
        return Fabric(accelerator=accelerator, devices=1, precision=precision)
    except (RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArcalError(
            f"accelerator {accelerator!r} cannot be used here ({reason}): choose cpu or auto"
        ) from None
