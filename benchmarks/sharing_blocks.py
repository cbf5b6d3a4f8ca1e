"""`arcal score MODEL DATA` with two processes on two cores, and with one on one: times, same file.

    python -m benchmarks.sharing_blocks

Each is a command of one thread a process, timed from its start to its end: opening the model and
the data and starting the processes are in it. Nothing else should run on the two cores; the seconds
of processor time say how much of them it was given.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import tyro

from arcal.errors import ArcalError
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run

TICKS = os.sysconf("SC_CLK_TCK")


def main(images: int = 5000, budget: int = 150, network: str = "medium", epochs: int = 1) -> None:
    """Score embedded test images with a network trained on others, by one and by two processes."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ArcalError("two cores are needed")
    with TemporaryDirectory() as root:
        run = Run(network=network, recipe=RECIPES["demo"].shortened(epochs), images=2000)
        model = train(run, root).path
        command = [sys.executable, "-m", "arcal", "score", str(model), "fashion", "--quiet"]
        command += ["--limit", str(images), "--budget", str(budget), "--threads", "1"]
        seconds, files = [], []
        for devices in (1, 2):
            os.sched_setaffinity(0, cores[:devices])
            out = Path(root, f"{devices}.parquet")
            wall, worked = timed([*command, "--devices", str(devices), "--out", str(out)])
            words = f"{sum(worked):.1f} s of processor time, {max(worked):.1f} s in one process"
            print(f"{devices} on {devices}: {wall:.1f} s, {words}", flush=True)
            seconds.append(wall)
            files.append(out.read_bytes())
    if files[0] != files[1]:
        raise ArcalError("the two files differ")
    print(f"{images} images: ratio {seconds[0] / seconds[1]:.2f}, the files are identical")


def timed(command: list[str]) -> tuple[float, list[float]]:
    """The seconds of a command, and of processor time of each process that it started."""
    worked: dict[int, float] = {}
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        worked |= processor_times(process.pid)
        time.sleep(0.2)
    if process.returncode:
        raise ArcalError(f"it failed: {' '.join(command)}")
    return time.perf_counter() - start, [*worked.values()]


def processor_times(root: int) -> dict[int, float]:
    """The processor time so far of a process and of all that it started, by their numbers."""
    parents, times = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(path.parent.name)] = int(fields[1])
        times[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / TICKS
    family, latest = {root}, {root}
    while latest := {one for one, parent in parents.items() if parent in latest}:
        family |= latest
    return {one: times[one] for one in family & times.keys()}


if __name__ == "__main__":
    tyro.cli(main)
