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


@pytest.mark.parametrize("words", PAGES, ids=IDS)
def test_no_word_is_broken_at_any_width(words, monkeypatch):
    def said(columns):
        monkeypatch.setenv("COLUMNS", str(columns))
        return help_of(words).split()

    assert said(40) == said(80) == said(120)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_each_option_is_there_with_its_explanation(name, completions, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    lines = help_of([name]).splitlines()
    options = [i for i, line in enumerate(lines) if re.match(r"  -", line)]
    assert all(lines[i + 1].startswith("      ") for i in options)
    listed = {re.findall(r"--[a-z][\w-]*", lines[i])[0] for i in options}
    common = {option for options, _ in COMMON for option in re.findall(r"--[a-z]+", options)}
    hidden = (
        {"--id", "--labels-from", "--probabilities", "--confidence"} if name == "score" else set()
    )
    assert not listed & hidden
    assert listed - common == options_in(completions, name) - common - hidden


def options_in(completions, name):
    """The options that the script of bash completes after a command."""
    (known,) = re.findall(r"^COMPLETION_SPEC = (.*)$", completions, re.MULTILINE)
    command = ast.literal_eval(known)["subcommands"][name]
    return {
        flag for option in command["options"] for flag in option["flags"] if flag.startswith("--")
    }


def test_a_method_of_another_value_says_what_its_settings_take():
    text = help_of(["train"])
    for option in ("--alpha NUMBER ...", "--levels N", "--update NAME", "--gamma NUMBER"):
        assert option in text
    assert re.search(r"--levels N\s+R, the number of robustness levels", text)


def test_the_version_is_in_the_help_of_arcal_alone():
    assert "--version" in help_of([])
    assert "--version" not in help_of(["audit"])


def test_idle_defaults_are_left_out_and_others_said():
    text = " ".join(help_of(["train"]).split())
    assert "(default: small)" in text
    assert "(default: vanilla)" in text
    assert "(default: 5000" not in text


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


def test_score_explains_nothing_that_several_models_or_predictions_need():
    options = help_of(["score"]).partition("What the model itself")[2]
    assert not re.search(r"file\s+of\s+predictions|several\s+models", options)


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
