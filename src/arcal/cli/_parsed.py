"""Parsing the arguments of a command."""

import io
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from difflib import get_close_matches
from typing import Annotated, Any, Union

import tyro
from tyro.conf import subcommand

from arcal.cli._help import help_for, lists_of, options_of, overview
from arcal.cli.audit import Audit
from arcal.cli.calibrate import Calibrate
from arcal.cli.demo import Demo
from arcal.cli.evaluate import Evaluate
from arcal.cli.method_flags import train_command
from arcal.cli.report import Report
from arcal.cli.reproduce import Reproduce
from arcal.cli.score import Score
from arcal.cli.train import Train
from arcal.errors import ArcalError

COMMANDS = {
    "audit": Audit,
    "calibrate": Calibrate,
    "demo": Demo,
    "train": Train,
    "score": Score,
    "evaluate": Evaluate,
    "report": Report,
    "reproduce": Reproduce,
}

ANY_MODEL, OWN_RUNS = ("score", "audit", "calibrate"), ("evaluate", "report")
INSTEAD = {
    ("--precision", *ANY_MODEL, *OWN_RUNS): "only `arcal train` has it; all else runs in float32",
    ("--workers", *ANY_MODEL): "--devices is the number of processes that share the work",
    ("--ood", "audit"): "--other names other data",
    ("--other", *OWN_RUNS): "--ood names other data",
    ("--out", "evaluate"): "--table names the file of all figures",
    ("--weight", "train"): "all training images count alike; --weights loads network weights",
    ("--ray", *OWN_RUNS): "--devices, torchrun or srun share the sets",
}
"""Options that some commands lack although others have them: why, or what to use instead."""

ABOUT = "Audit classifiers, calibrate them, and train better calibrated ones."


def command(arguments: list[str], typed: Sequence[str] = ()) -> Any:
    """The command that the arguments name; bad arguments raise `ArcalError`, of one line.

    `typed` are those arguments that do not come from a file of --config. Without arguments, or if
    they ask for help, the help is printed and the program ends.
    """
    commands: dict[str, Any] = dict(COMMANDS)
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        close = get_close_matches(arguments[0], COMMANDS)
        meant = f"did you mean {' or '.join(close)}?" if close else f"choose {', '.join(COMMANDS)}"
        raise ArcalError(f"there is no command {arguments[0]}: {meant}; see `arcal --help`")
    asks = not arguments or bool({"-h", "--help"} & {*arguments})
    if arguments[:1] in (["train"], ["--tyro-write-completion"], ["--tyro-print-completion"]):
        commands["train"] = train_command()
    if asks:
        print(_help(arguments, commands))
        sys.exit(0)
    named_command = commands.get(arguments[0])
    _check_lists(typed, named_command)
    # Comments do not explain options here; looking for them would take half as long again.
    named = tuple(
        Annotated[command, subcommand(name), tyro.conf.HelptextFromCommentsOff]
        for name, command in commands.items()
    )
    any_of_them: Any = Union[named]  # noqa: UP007
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                any_of_them,
                args=arguments,
                prog="arcal",
                description=ABOUT,
                config=(tyro.conf.OmitSubcommandPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if not stop.code:  # tyro has written or printed shell completion
            raise
        own = [] if named_command is None else options_of(named_command)
        raise ArcalError(_one_line(said.getvalue(), arguments, own)) from None


def _help(arguments: list[str], commands: dict[str, Any]) -> str:
    name = arguments[0] if arguments else ""
    if name not in commands:
        return overview(ABOUT, commands)
    return help_for(name, commands[name])


def _check_lists(typed: Sequence[str], command: type | None) -> None:
    """Refuse a list of values that would not count: one typed twice, or an empty one.

    tyro takes the last of two, and an empty one for the default.
    """
    names = [one.partition("=")[0].replace("_", "-") for one in typed]
    for name, default in ({} if command is None else lists_of(command)).items():
        if names.count(name) > 1:
            raise ArcalError(f"{name} is there twice: write it once, with all values after it")
        if default == () and name in names:
            place = names.index(name)
            following = [*typed, "--end"][place + 1]
            if "=" not in typed[place] and re.match("--?[a-z]", following):
                raise ArcalError(f"{name} names nothing: write a value after it, or leave it out")


def _one_line(box: str, arguments: list[str], own: list[str]) -> str:
    """The message in tyro's box as one line, and which help to read.

    Only the command's `own` options are suggested.
    """
    text = _words_before_rule(box)
    if match := re.match(r"Unrecognized (?:or misplaced )?options: (.*)", text):
        given = re.split(r", | \(applied to [\w ]+\) ?", match[1])
        option = next((one for one in given if one.startswith("-")), given[0]).partition("=")[0]
        meant = re.findall(r"^[│| ]+(--[a-z][\w-]*)", box.partition("Perhaps you meant")[2], re.M)
        text = _about_unknown(option, meant, arguments, own)
    elif match := re.match(r"Error parsing (\S+): .*(?:\[(.*)\]|('[^']*'))\.?$", text):
        text = f"{match[1]} cannot be {match[2] or match[3]}"
    named = [name for name in arguments[:1] if name in COMMANDS]
    return f"{text.rstrip('.')}; see `{' '.join(['arcal', *named])} --help`"


def _words_before_rule(box: str) -> str:
    """The text in a box, drawn with lines or in ASCII, before its rule."""
    _, *lines = box.strip().splitlines() or [""]
    words: list[str] = []
    for line in (line.strip("│| ") for line in lines):
        if line[:1] in {"─", "╰"} or line.startswith("---"):
            if words:
                break
        elif line:
            words.append(line)
    return " ".join(words).partition(" Got errors:")[0]


def _about_unknown(option: str, meant: list[str], arguments: list[str], own: list[str]) -> str:
    """The line on an option that the command does not have, or on a stray word.

    `meant` are the options that tyro suggests, from any command.
    """
    if not option.startswith("-"):
        text = f"{option} is not expected here"
        place = arguments.index(option) if option in arguments else 0
        if arguments[0] == "train" and arguments[max(place - 2, 0) : place][:1] == ["--method"]:
            text += ": --method takes one; run the command once for each"
        return text
    text = f"there is no option {option}"
    if arguments[0].startswith("-"):
        return f"{text} before the command: name the command first"
    if instead := [why for names, why in INSTEAD.items() if {option, arguments[0]} <= {*names}]:
        return f"{text} here: {instead[0]}"
    if own:
        near = get_close_matches(option, own, cutoff=0.75)
        meant = near or [one for one in meant if one in {*own, option}]
    if meant and option not in meant:  # otherwise another command has it
        text += f": did you mean {' or '.join(dict.fromkeys(meant))}?"
    return text
