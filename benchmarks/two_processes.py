"""Commands with two processes on two cores, and with one process on one core: times and results.

    python -m benchmarks.two_processes

Each command has one thread per process and is timed from start to end, including reading the data,
opening the models and starting the processes. Nothing else should run on the two cores; the seconds
of processor time show how much of the cores the command had.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import tyro

from arcal.errors import ArcalError

TICKS = os.sysconf("SC_CLK_TCK")
SAME = {".json", ".parquet", ".safetensors"}
"""The files that have to be the same; others say when and how long."""


@dataclass(frozen=True)
class Options:
    """Time `train`, `evaluate` and `score` with one process and with two."""

    network: str = "medium"
    """The network that is trained, evaluated and scored, on the embedded images."""
    epochs: int = 12
    """How long two runs of 6,000 images are trained."""
    shift: str = "standard"
    """The corruptions that they are evaluated under, with 5,000 images each."""
    images: int = 5000
    """How many images are scored."""
    budget: int = 150
    """The attack's budget."""
    only: tuple[Literal["train", "devices", "members", "evaluate", "score"], ...] = (
        "train",
        "devices",
        "members",
        "evaluate",
        "score",
    )
    """What is timed: two runs trained, one trained on both, an ensemble of two trained on both, the
    two evaluated, one scored."""


def main(options: Options) -> None:
    """Time each command, print its seconds, and compare what it wrote."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ArcalError("two cores are needed")
    with TemporaryDirectory() as name:
        root = Path(name)
        trained = ["--network", options.network, "--epochs", str(options.epochs), "--recipe"]
        train = ["train", *trained, options.network, "--seeds", "0", "1"]
        run_in(root / "start", [*train, "--workers", "2"], cores)
        runs = sorted(str(path.name) for path in (root / "start" / "runs").iterdir())
        shared = ["evaluate", *(f"runs/{run}" for run in runs), "--shift", options.shift]
        score = ["score", f"runs/{runs[0]}", "fashion", "--limit", str(options.images)]
        commands = {
            "train": (train, "--workers", False),
            "devices": (train[:-1], "--devices", False),
            "members": ([*train, "--ensemble"], "--devices", False),
            "evaluate": (shared, "--workers", True),
            "score": ([*score, "--budget", str(options.budget)], "--devices", True),
        }
        for what in options.only:
            command, flag, on_runs = commands[what]
            seconds, results = [], []
            for n in (1, 2):
                folder = root / f"{what}-{n}"
                if on_runs:
                    shutil.copytree(root / "start", folder)
                wall, worked = run_in(folder, [*command, flag, str(n)], cores[:n])
                busy = f"{sum(worked):.1f} s of processor time, {max(worked):.1f} s in one process"
                print(f"{what} {flag} {n}: {wall:.1f} s, {busy}", flush=True)
                seconds.append(wall)
                results.append(contents(folder))
            same = "the same files" if results[0] == results[1] else "other files"
            print(f"{what}: {seconds[0] / seconds[1]:.2f} times as fast, {same}", flush=True)


def run_in(folder: Path, command: list[str], cores: list[int]) -> tuple[float, list[float]]:
    """The seconds of a command on these cores, and of processor time of each of its processes."""
    folder.mkdir(parents=True, exist_ok=True)
    worked: dict[int, float] = {}
    os.sched_setaffinity(0, cores)
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "arcal", *command, "--threads", "1", "--quiet"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None:
        worked |= processor_times(process.pid)
        time.sleep(0.2)
    if process.returncode:
        said = process.stderr.read() if process.stderr else ""
        raise ArcalError(f"{' '.join(command)} failed: {said}")
    return time.perf_counter() - start, [*worked.values()]


def contents(folder: Path) -> dict[str, bytes]:
    """The files that a command wrote, by their names."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in SAME)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def processor_times(root: int) -> dict[int, float]:
    """The processor time so far of a process and of all that it started, by process id."""
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
    main(tyro.cli(Options))
