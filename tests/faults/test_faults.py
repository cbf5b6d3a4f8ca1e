"""Every write of every command, broken in every way: nothing is lost, and the next run ends it."""

import itertools
import os
import sys

import pytest

from faults import (
    COMMANDS,
    DIED,
    ERRORS,
    KILLS,
    Fault,
    check_complete,
    contents,
    fresh,
    injected,
    killed,
    prepare,
    run,
    temporary,
    writes,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="faults are injected through /proc"),
    pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    return prepare(tmp_path_factory.mktemp("prepared") / "here")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Where all is run: what is written says where its data lies."""
    return tmp_path_factory.mktemp("place") / "here"


@pytest.fixture(scope="module")
def known():
    """How many files each command writes, and what there is after it."""
    return {}


def written(command, prepared, known, place):
    if command not in known:
        known[command] = writes(command, prepared, place)
    return known[command]


def chosen(total, kinds):
    """Which write is broken how: the first, one in the middle, the last; all if that is wanted."""
    if os.environ.get("ARCAL_FAULTS") == "all":
        return itertools.product(range(total), kinds)
    return zip((0, total // 2, total - 1), kinds, strict=True)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_killed_command_loses_nothing_and_the_next_ends_in_the_same_bytes(
    command, prepared, known, place
):
    total, expected = written(command, prepared, known, place)
    assert total >= 1
    for number, kind in chosen(total, KILLS):
        folder = fresh(prepared, place)
        assert killed(command, folder, Fault(kind, number)) == DIED, (number, kind)
        check_complete(folder)
        done = run(command, folder)
        assert done.code == 0, (number, kind, done.stderr)
        assert contents(folder).keys() == expected.keys(), (number, kind)
        assert contents(folder) == expected, (number, kind)
        assert not temporary(folder)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_write_that_fails_is_one_line_and_the_next_ends_in_the_same_bytes(
    command, prepared, known, place
):
    total, expected = written(command, prepared, known, place)
    for number, kind in chosen(total, ERRORS):
        folder = fresh(prepared, place)
        with injected(Fault(kind, number), lambda: None):
            failed = run(command, folder)
        if failed.code == 0:
            there = contents(folder)
            assert there == {name: expected[name] for name in there}, (number, kind)
            lost = expected.keys() - there.keys()
            assert lost, (number, kind)
            assert all("/figures/" in name for name in lost), "what can be made of predictions"
        else:
            assert failed.code == 2, (number, kind, failed.stderr)
            last = failed.stderr.splitlines()[-1]
            assert last.startswith("arcal: "), last
            assert "unforeseen" not in last
            assert ": " in last.removeprefix("arcal: "), "the line names the file"
        assert not temporary(folder)
        check_complete(folder)
        done = run(command, folder)
        assert done.code == 0, (number, kind, done.stderr)
        assert contents(folder) == expected, (number, kind)


def test_one_kill_and_one_full_disk(prepared, place):
    folder = fresh(prepared, place)
    assert killed("score a run", folder, Fault("half written", 1)) == DIED
    assert len(temporary(folder)) == 1
    check_complete(folder)
    with injected(Fault("ENOSPC", 0), lambda: None):
        failed = run("score a run", folder)
    assert failed.code == 2
    line = failed.stderr.splitlines()[-1]
    assert "00001.parquet: no space left on device: free some space" in line
    assert run("score a run", folder).code == 0
    assert not temporary(folder)
    assert not list(folder.rglob("*.shards"))
