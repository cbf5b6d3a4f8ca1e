"""Ends what a local Ray has started as soon as the command that started it is killed.

Run as a program of its own, so that it does not end with arcal's or Ray's processes. A killed
command cannot end Ray's processes: most notice it, but two of its helpers run on for a minute.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SECONDS = 0.5
"""Seconds between two looks at what has been started."""

OVER = b"over"
Started = dict[int, bytes]
"""Processes by id, each with the time of its start, to tell when an id is used again."""


def watch(ray: Path) -> subprocess.Popen[bytes]:
    """Watch the processes that this one starts from the folder `ray`, and those that they start.

    The watch ends when its standard input does. If it has not read `OVER` by then, this process was
    killed, and the watch kills what is left. Without `/proc` it does nothing.
    """
    program = [sys.executable, __file__, str(ray)]
    return subprocess.Popen(program, stdin=subprocess.PIPE, start_new_session=True)


def started(parents: set[int], within: str = "") -> Started:
    """The children of these processes whose command names `within`, and their descendants."""
    every = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            every[int(folder.name)] = _parent_and_start(int(folder.name))
    processes: Started = {}
    latest = {
        pid for pid, (parent, _) in every.items() if parent in parents and within in _command(pid)
    }
    while latest:
        processes |= {pid: every[pid][1] for pid in latest}
        latest = {pid for pid, (parent, _) in every.items() if parent in latest}
    return processes


def _parent_and_start(pid: int) -> tuple[int, bytes]:
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return int(fields[1]), fields[19]


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    return ""


def main(ray: str) -> None:
    """Note what the parent starts until it says that all is over; kill what it leaves behind."""
    if not Path("/proc").is_dir():
        return
    parent, known = os.getppid(), {}
    while not select.select([sys.stdin], [], [], SECONDS)[0]:
        known |= started({parent}, ray)
    if sys.stdin.buffer.read() == OVER:
        return
    known |= started(set(known))
    known.pop(os.getpid(), None)  # its own command names the folder, too
    for pid, begun in known.items():
        with suppress(OSError):
            if _parent_and_start(pid)[1] == begun:
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
