"""Help is plain text: it fits the terminal, and nothing in it is a parser's notation."""

import ast
import re
import subprocess
import sys

import pytest

from arcal.cli._help import COMMON
from arcal.cli._parsed import COMMANDS
from command_line import arcal

NOTATION = re.compile(
    r"\b(STR|INT|FLOAT)\b|\{[^}]*\}|\bNone\b|\[[A-Z-]|\|[A-Z{]|[│╭╰─]|\(default: (False|)\)"
    r"|\(required\)|\(repeatable\)|\x1b"
)
PAGES = [[], *([name] for name in COMMANDS)]
IDS = ["arcal", *COMMANDS]


def help_of(words):
    done = arcal(*words, "--help")
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def completions():
    """What the parser itself completes, for all commands."""
    done = arcal("--tyro-print-completion", "bash")
    assert done.code == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("words", PAGES, ids=IDS)
def test_it_fits_the_terminal_and_has_no_notation(words, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(words)
    lines = text.splitlines()
    assert max(map(len, lines)) <= columns
    assert not [line for line in lines if NOTATION.search(line)]


@pytest.mark.parametrize("name", [*COMMANDS])
def test_each_option_is_there_with_its_explanation(name, completions, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = help_of([name]).splitlines()
    options = [i for i, line in enumerate(lines) if re.match(r"  -", line)]
    assert all(lines[i + 1].startswith("      ") for i in options)
    listed = {re.findall(r"--[a-z][\w-]*", lines[i])[0] for i in options}
    common = {option for options, _ in COMMON for option in re.findall(r"--[a-z]+", options)}
    hidden = (
        {"--id", "--labels-from", "--probabilities", "--confidence"}
        if name == "score" or name.startswith("plan")
        else set()
    )
    assert not listed & hidden
    assert listed - common == options_in(completions, name) - common - hidden


def options_in(completions, name):
    """The options that the script of bash completes after a command."""
    (known,) = re.findall(r"^COMPLETION_SPEC = (.*)$", completions, re.MULTILINE)
    command = ast.literal_eval(known)
    for word in name.split():
        command = command["subcommands"][word]
    return {
        flag for option in command["options"] for flag in option["flags"] if flag.startswith("--")
    }


@pytest.mark.parametrize(
    "arguments", [[], ["-q"], ["--help"], ["audit", "-h"], ["audit", "a", "b", "--help"]]
)
def test_help_needs_no_torch(arguments):
    program = (
        f"import sys; sys.argv = ['arcal', *{arguments!r}]\nfrom arcal.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: arcal")


@pytest.mark.parametrize("command", ["audit", "calibrate"])
def test_nothing_named_is_refused_before_torch_is_imported(command):
    """`arcal audit` alone may be the first that somebody types; torch takes seconds."""
    script = (
        "import sys; from arcal.cli import main\n"
        f"sys.argv = ['arcal', {command!r}]\n"
        "try: main()\n"
        "except SystemExit as ended: print(ended.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.split() == ["2", "False"]
    assert "nothing is named" in done.stderr
