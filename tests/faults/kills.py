"""Kills commands at random moments and goes on: `python tests/faults/kills.py --kills 100`.

Prints how many processes died, how many files were looked at, and whether anything was lost: after
each kill every file under its own name must be whole, and the same command, run again, must end in
the bytes that it writes undisturbed.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from faults import (
    COMMANDS,
    check_complete,
    contents,
    fresh,
    killed,
    prepare,
    run,
    temporary,
    writes,
)


def kills(
    number: int, seed: int, root: Path, say=print, commands: Iterable[str] = COMMANDS
) -> dict[str, int]:
    """So many kills of commands drawn at random, at moments drawn at random; the counts."""
    draw = random.Random(seed)
    prepared = prepare(root / "prepared")
    place = root / "here"
    whole, lasts = {}, {}
    counts = {"kills": 0, "ended before": 0, "left half written": 0, "files whole": 0, "lost": 0}
    while counts["kills"] < number:
        command = draw.choice(list(commands))
        if command not in whole:
            whole[command] = writes(command, prepared, place)[1]
            fresh(prepared, place)
            start = time.monotonic()
            run(command, place)
            lasts[command] = time.monotonic() - start
        folder = fresh(prepared, place)
        if killed(command, folder, draw.uniform(0, lasts[command])) != -signal.SIGKILL:
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
