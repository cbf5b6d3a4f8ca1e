"""Ends what a local Ray has started as soon as the command that started it is killed.

Run as a program of its own, which nothing of arcal's or Ray's takes along. A killed command cannot
end Ray's processes: most notice it, two of its helpers run on for a minute.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

SECONDS = 0.5
"""Between two looks at what has been started."""

OVER = b"over"
Started = dict[int, bytes]
"""Processes, each with the time of its start, by which a number that is used again is known."""


def watch(ray: Path) -> subprocess.Popen[bytes]:
    """Watch over what this process starts from the folder `ray`, and what that starts in turn.

    The watch ends with its standard input. If it has not been told that all is `OVER`, this process
    was killed, and it kills what is left. Where there is no `/proc` it does nothing.
    """
    program = [sys.executable, __file__, str(ray)]
    return subprocess.Popen(program, stdin=subprocess.PIPE, start_new_session=True)


def started(parents: set[int], within: str = "") -> Started:
    """The processes that these have started, by a command that names `within`, and theirs."""
    every = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            every[int(folder.name)] = int(fields[1]), fields[19]
    processes: Started = {}
    latest = {
        pid for pid, (parent, _) in every.items() if parent in parents and within in _command(pid)
    }
    while latest:
        processes |= {pid: every[pid][1] for pid in latest}
        latest = {pid for pid, (parent, _) in every.items() if parent in latest}
    return processes


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
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            if fields[19] == begun:
                os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
