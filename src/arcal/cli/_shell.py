"""Expanding arguments as a shell does, which shells on Windows leave to the programs."""

from collections.abc import Sequence
from glob import glob
from pathlib import Path

from arcal.files import expanded


def as_by_a_shell(arguments: Sequence[str]) -> list[str]:
    """The arguments with `~` expanded, and `*`, `?` and `[...]` replaced by matching names.

    A pattern that matches nothing stays as it is, and so does the name of an existing file.
    """
    written: list[str] = []
    for argument in arguments:
        name = str(expanded(argument)) if argument.startswith("~") else argument
        matches = [] if Path(name).exists() else sorted(glob(name))  # noqa: PTH207
        written += matches or [name]
    return written
