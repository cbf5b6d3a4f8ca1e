"""Two devices train a run, and one process is killed: all end at once, and the run goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]

SOON = 30
"""Seconds within which everything must have ended; it takes one or two on a quiet machine."""


def command(folder, devices=2):
    size = ["--images", "800", "--validation", "100", "--epochs", "8"]
    options = ["--devices", str(devices), "--runs", str(folder), "--quiet"]
    return [sys.executable, "-m", "arcal", "train", *size, *options]


def start(folder):
    return subprocess.Popen(
        command(folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder, devices=2):
    return subprocess.run(command(folder, devices), capture_output=True, text=True, timeout=300)


def children() -> dict[int, list[int]]:
    """The processes that run, by their parent's number."""
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(") ")[2].split()[:2]
        except OSError:
            continue
        if state != "Z":
            found.setdefault(int(parent), []).append(int(path.parent.name))
    return found


def descendants(process: int) -> list[int]:
    """All that a process has started, those nearest to it first."""
    by_parent, found = children(), [process]
    for one in found:
        found += by_parent.get(one, [])
    return found[1:]


def ranks(process: int) -> list[int]:
    """The processes of the devices: they are forked from a server that this process started."""
    by_parent = children()
    return [one for server in by_parent.get(process, []) for one in by_parent.get(server, [])]


def trains(folder, process):
    """Wait until an epoch is saved and not all are, and return the processes of the devices."""
    deadline = time.monotonic() + 240
    while not list(Path(folder).glob("*/checkpoint.safetensors")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    found = ranks(process.pid)
    assert len(found) == 2, found
    return found


def all_end(processes):
    deadline = time.monotonic() + SOON
    while any(Path(f"/proc/{one}").exists() and _runs(one) for one in processes):
        assert time.monotonic() < deadline, "a process is left"
        time.sleep(0.05)


def _runs(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def bits(folder):
    (path,) = Path(folder).glob("*/checkpoint.safetensors")
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The checkpoint of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    done = finish(folder)
    assert done.returncode == 0, done.stderr
    return bits(folder)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_rank_ends_all_with_one_line_and_the_command_goes_on(tmp_path, whole, rank):
    process = start(tmp_path)
    others = trains(tmp_path, process)
    everything = descendants(process.pid)
    os.kill(sorted(others)[rank], signal.SIGKILL)
    _, said = process.communicate(timeout=SOON)
    assert process.returncode == 2
    (line,) = said.strip().splitlines()
    assert line.startswith("arcal: a process was killed")
    assert line.endswith("the same command continues")
    all_end(everything)

    refused = finish(tmp_path, devices=1)
    assert refused.returncode == 2
    (line,) = refused.stderr.strip().splitlines()
    assert "is this run on 2 devices" in line
    assert "give --devices 2 to continue it" in line

    done = finish(tmp_path)
    assert done.returncode == 0, done.stderr
    assert bits(tmp_path) == whole


def test_ranks_end_with_the_command_that_started_them(tmp_path, whole):
    process = start(tmp_path)
    others = trains(tmp_path, process)
    process.kill()
    process.communicate()
    all_end(others)
    done = finish(tmp_path)
    assert done.returncode == 0, done.stderr
    assert bits(tmp_path) == whole
