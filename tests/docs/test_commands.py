"""Commands in the documents are ones that can be typed."""

import ast
import re
import shlex
import sys

import pytest
from documents import DOCUMENTS, NAMES, ROOT, blocks, quoted

from arcal.cli import main

ON_RUNS = ("train", "evaluate", "report", "reproduce")
COMMANDS = ("audit", "calibrate", "demo", "plan", "score", *ON_RUNS)
OF_PLAN = ("plan score", "plan train", "plan audit")
COMING = {"test-all"}  # once the slow tests are marked
EXAMPLES = {"--weight"}  # of the method that methods.md writes
EVERYWHERE = {"--config", "--debug", "--quiet", "--verbose"}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)) | COMING


@pytest.fixture(scope="module")
def flags():
    """The flags of each command, as its help names them."""
    with pytest.MonkeyPatch.context() as patch:
        found = {command: named_in_help(command, patch) for command in (*COMMANDS, *OF_PLAN)}
    found["plan"] |= set().union(*(found[command] for command in OF_PLAN))
    return found


def named_in_help(command, patch):
    lines: list[str] = []
    patch.setattr(sys, "argv", ["arcal", *command.split(), "--help"])
    patch.setattr(sys.stdout, "write", lines.append)
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    return set(re.findall(r"--[a-z][\w-]*", "".join(lines)))


def benchmark_flags(name):
    """The flags of a benchmark: the arguments of its `main`, or the fields of its `Options`."""
    tree = ast.parse((ROOT / "benchmarks" / f"{name}.py").read_text())
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "main":
            names |= {argument.arg for argument in node.args.args}
        if isinstance(node, ast.ClassDef) and node.name == "Options":
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign)]
            names |= {ast.unparse(f.target) for f in fields}
            bools = (f for f in fields if ast.unparse(f.annotation) == "bool")
            names |= {f"no_{ast.unparse(f.target)}" for f in bools}
    return {f"--{name.replace('_', '-')}" for name in names}


def commands(document):
    """What is in backquotes, and the lines of shell blocks, without comments."""
    text = document.read_text()
    typed = [line for block in blocks(text, "sh") for line in block.replace("\\\n", "").split("\n")]
    return [re.sub(r"\s+#.*", "", line) for line in (*quoted(text), *typed)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_commands_and_their_flags_exist(document, flags):
    for line in commands(document):
        if match := re.match(r"(?:\.venv\S*/bin/)?arcal ([a-z]+)", line):
            assert match[1] in COMMANDS, line
            known = flags[match[1]] | EXAMPLES | EVERYWHERE
        elif match := re.match(r"(?:\.venv\S*/bin/)?python -m benchmarks\.(\w+)", line):
            known = benchmark_flags(match[1])
        elif match := re.match(r"make ([a-z-]+)", line):
            assert match[1] in TARGETS, line
            continue
        elif line.startswith("--"):
            known = (EXAMPLES | EVERYWHERE).union(*flags.values(), benchmark_flags("attacks"))
        else:
            continue
        unknown = {word for word in shlex.split(line) if word.startswith("--")} - known
        assert not unknown, f"{document.name}: {line}"


def test_a_wrong_flag_and_a_wrong_benchmark_are_seen(flags):
    assert "--orders" not in flags["score"]
    assert "--order" in flags["score"]
    assert benchmark_flags("attacks") >= {"--setting", "--quick"}
    with pytest.raises(FileNotFoundError):
        benchmark_flags("nothing")


def test_flags_of_every_command_are_in_the_help_of_arcal(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["arcal", "--help"])
    with pytest.raises(SystemExit):
        main()
    assert set(re.findall(r"--[a-z][\w-]*", capsys.readouterr().out)) >= EVERYWHERE
