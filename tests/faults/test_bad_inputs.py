"""`bad_inputs.txt`: every line of it is answered by one line that names what is wrong, and by 2."""

import shlex
import sys
from pathlib import Path

import pytest
from bad_files import write_world

from arcal.calibration.posthoc import CALIBRATORS, EVALUATED, POSTHOC
from command_line import arcal

TABLE = Path(__file__).with_name("bad_inputs.txt")
SEPARATOR = "  =>  "
FAST = 25
"""One case of so many is run by `make test`, all by `make test-all`."""


def cases() -> list[tuple[str, str]]:
    """The arguments of each case, and what the line must name."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return [
        (before, after) for before, mark, after in (x.partition(SEPARATOR) for x in lines) if mark
    ]


CASES = cases()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = write_world(tmp_path_factory.mktemp("world"))
    path = [*sys.path]
    yield folder
    for table in (POSTHOC, EVALUATED, CALIBRATORS):
        table.pop("failing", None)  # which nets.py makes known
    sys.path[:] = path
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        pytest.param(*case, id=case[0], marks=[pytest.mark.slow] if number % FAST else [])
        for number, case in enumerate(CASES)
    ],
)
def test_bad_input_is_one_line(world, monkeypatch, arguments, named):
    monkeypatch.chdir(world)
    done = arcal(*shlex.split(arguments))
    assert done.code == 2, done.stderr or done.stdout
    assert done.stdout == ""
    assert done.stderr.startswith("arcal: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    assert done.stderr.strip().isprintable()
    assert named in done.stderr
    for word in ("Traceback", "unforeseen"):
        assert word not in done.stderr


def test_the_table_is_long_and_says_nothing_twice():
    arguments = [case[0] for case in CASES]
    assert len(arguments) == len(set(arguments)) >= 400
    assert all(named for _, named in CASES)
