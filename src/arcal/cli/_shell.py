"""What a shell makes of arguments elsewhere, and those of Windows leave to the programs."""

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from arcal.files import expanded


def as_by_a_shell(arguments: Sequence[str]) -> list[str]:
    """The arguments with `~` written out, and the names that `*`, `?` and `[...]` match.

    What matches nothing stays as it is, and so does the name of something that is there.
    """
    written: list[str] = []
    for argument in arguments:
        name = str(expanded(argument)) if argument.startswith("~") else argument
        matches = [] if Path(name).exists() else sorted(glob(name))  # noqa: PTH207
        written += matches or [name]
    return written
