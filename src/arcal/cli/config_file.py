"""`--config FILE`: a whole command as a TOML file, and what was run written as one."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from arcal.cli._help import dashed
from arcal.errors import ArcalError
from arcal.files import expanded as user_path

TABLES = ("recipe", "settings")
"""The tables for `arcal train`: the recipe, and the settings of the method."""


def expanded(arguments: Sequence[str]) -> list[str]:
    """The arguments with the file that `--config` names replaced by the flags in it.

    Its keys are flags without their dashes, and `command` names the command if the arguments do
    not. The list `what` has the command's positional arguments, the table `settings` the flags of a
    method, and a table `recipe` the contents of a recipe file. Flags in the arguments come later
    and so override those in the file. A file that cannot be read raises `ArcalError`.
    """
    arguments = list(arguments)
    place = next((i for i, one in enumerate(arguments) if one.split("=")[0] == "--config"), None)
    if place is None:
        return arguments
    _, equals, name = arguments.pop(place).partition("=")
    if not equals:
        if place >= len(arguments):
            raise ArcalError("--config names no file: give a TOML file")
        name = arguments.pop(place)
    from arcal.training.recipe_files import read_toml

    path = user_path(name)
    content = read_toml(path)
    command = content.pop("command", None)
    typed = arguments[:1] if arguments[:1] and not arguments[0].startswith("-") else []
    if command is not None and typed not in ([], [command]):
        raise ArcalError(f"{path} is for the command {command}, and not for {typed[0]}")
    if command is None and not typed:
        raise ArcalError(f'{path} does not say its command: add a line such as command = "train"')
    rest = arguments[len(typed) :]
    without_flags = [*takewhile(lambda one: not one.startswith("-"), rest)]
    what = [*_texts(path, "what", content.pop("what", [])), *without_flags]  # before any list
    rest = rest[len(without_flags) :]
    return [*(typed or [str(command)]), *what, *_flags(path, content), *rest]


def _flags(path: Path, content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        if name == "recipe" and isinstance(value, Mapping):
            yield from ("--recipe", str(path))
        elif name == "settings" and isinstance(value, Mapping):
            for setting, chosen in value.items():
                yield from (dashed(setting), *_texts(path, setting, chosen))
        elif isinstance(value, Mapping):
            raise ArcalError(
                f"{path}: {name} is a table: only `arcal train` has some, {' and '.join(TABLES)}"
            )
        elif isinstance(value, bool):
            yield from [dashed(name)] if value else []
        elif value == []:
            none = ', or write "none" in an audit' if name == "shift" else ""
            raise ArcalError(
                f"{path}: {name} = [] is an empty list: name something, leave the line out{none}"
            )
        else:
            yield from (dashed(name), *_texts(path, name, value))


def _texts(path: Path, name: str, value: Any) -> Iterator[str]:
    """A value, every value of a list, or the keys and values of a table in turn, as typed."""
    if isinstance(value, Mapping):
        value = [one for pair in value.items() for one in pair]
    for one in value if isinstance(value, list) else [value]:
        if not isinstance(one, str | int | float):
            raise ArcalError(f"{path}: {name} = {one!r}: give a text, a number or a list of them")
        yield str(one)
