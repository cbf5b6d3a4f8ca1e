"""A command that is killed leaves no process behind: not one of those it started runs on."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arcal.training import RECIPES, Run, train
from tiny_files import write_tiny

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
    pytest.mark.slow,
]

PATIENCE = 20
"""Seconds in which all must have ended."""

ENDLESS = "train --data data/tiny --validation 40 --epochs 100000 --seeds 0 1 --runs runs"
COMMANDS = {
    "workers": f"{ENDLESS} --workers 2",
    "devices": f"{ENDLESS} --devices 2",
    "loaders": f"{ENDLESS} --loaders 2",
    "ray": f"{ENDLESS} --ray local --workers 2",
    "shared score": "score {run} --attack carlini-wagner --devices 2",
}


def stat(pid: int) -> tuple[str, int] | None:
    """The state of a process and the process that started it, None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], int(fields[1])


def started_by(pid: int) -> set[int]:
    """All processes that a process has started, and they in turn."""
    every = {int(path.name): stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")}
    found, latest = set(), {pid}
    while latest:
        latest = {child for child, known in every.items() if known and known[1] in latest}
        found |= latest
    return found


def running(pids: set[int]) -> dict[int, str]:
    """Those that run, with their command lines; a zombie does not."""
    found = {}
    for pid in pids:
        known = stat(pid)
        if known is not None and known[0] not in "ZX":
            with contextlib.suppress(OSError):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return found


@pytest.mark.parametrize("how", COMMANDS)
def test_no_process_is_left_when_its_command_is_killed(how, tmp_path):
    if how == "ray":
        pytest.importorskip("ray")
    data = write_tiny(tmp_path / "data", test=450)
    run, begun = "", "runs/*/metrics.jsonl"
    if how == "shared score":
        short = RECIPES["small"].shortened(1)
        run, begun = train(Run(str(data), recipe=short, validation=40), tmp_path).path, "*/scores"
    command = [sys.executable, "-m", "arcal", *COMMANDS[how].format(run=run).split()]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    started: set[int] = set()
    try:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob(begun)):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        while len(started := started_by(process.pid)) < 2:  # loaders come and go with an epoch
            assert time.monotonic() < deadline
        process.kill()
        process.wait()
        end = time.monotonic() + PATIENCE
        while (left := running(started)) and time.monotonic() < end:
            time.sleep(0.1)
        assert not left
    finally:
        process.kill()
        for pid in running(started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
