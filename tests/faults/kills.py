"""Kills commands at random moments and goes on: `python tests/faults/kills.py --kills 100`.

Prints how many processes died, how many files were looked at, and whether anything was lost: after
each kill every file under its own name must be whole, and the same command, run again, must end in
the bytes that it writes undisturbed.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from faults import COMMANDS, check_complete, contents, fresh, prepare, run, temporary, writes


def kill(command: str, folder: Path, seconds: float) -> bool:
    """Run a command in a process that is killed after so long; whether it still ran."""
    child = os.fork()
    if child == 0:
        os.close(1)
        os.close(2)
        code = 99
        with contextlib.suppress(BaseException):
            code = run(command, folder).code
        os._exit(code)
    time.sleep(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def kills(number: int, seed: int, root: Path, say=print) -> dict[str, int]:
    """So many kills of commands drawn at random, at moments drawn at random; the counts."""
    draw = random.Random(seed)
    prepared = prepare(root / "prepared")
    place = root / "here"
    whole, lasts = {}, {}
    counts = {"kills": 0, "ended before": 0, "left half written": 0, "files whole": 0, "lost": 0}
    while counts["kills"] < number:
        command = draw.choice(list(COMMANDS))
        if command not in whole:
            whole[command] = writes(command, prepared, place)[1]
            start = time.monotonic()
            fresh(prepared, place)
            copied = time.monotonic()
            run(command, place)
            lasts[command] = time.monotonic() - copied, start
        folder = fresh(prepared, place)
        if not kill(command, folder, draw.uniform(0, lasts[command][0])):
            counts["ended before"] += 1
            continue
        counts["kills"] += 1
        counts["left half written"] += len(temporary(folder))
        check_complete(folder)
        counts["files whole"] += sum(path.is_file() for path in folder.rglob("*"))
        done = run(command, folder)
        if done.code != 0 or contents(folder) != whole[command] or temporary(folder):
            counts["lost"] += 1
            say(f"{command}: {done.stderr}")
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary_folder:
        counted = kills(given.kills, given.seed, Path(temporary_folder))
    print(", ".join(f"{name}: {count}" for name, count in counted.items()))
    sys.exit(counted["lost"] > 0)
