"""Breaks the n-th write of a command, in any of the ways in which a machine does."""

import contextlib
import errno
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from bad_networks import NETWORKS

from arcal.training import RECIPES, Run, train
from command_line import Done, arcal
from tiny_files import write_tiny

KILLS = ("half written", "before the rename", "after the rename")
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
DIED = 137

COMMANDS = {
    "train": "train --data data/tiny --validation 40 --epochs 2 --seeds 5 --runs trained",
    "score a run": "score {run} --order margin",
    "score": "score nets.py:grey data/tiny --order margin --out scores.parquet",
    "evaluate": "evaluate {run} --shift fog-3 --cache cache",
    "audit": "audit nets.py:grey data/tiny --order margin --out audit",
    "calibrate": "calibrate nets.py:grey data/tiny --calibrators temperature --out calibrated",
    "report": "report {run} --out report --no-images",
}
"""What each command of the harness is; all write somewhere of their own or into the run."""


def prepare(folder: Path) -> Path:
    """A folder with data, a model and a trained run, where every command can be run."""
    folder.mkdir(parents=True, exist_ok=True)
    data = write_tiny(folder / "data", test=450)
    (folder / "nets.py").write_text(NETWORKS)
    run = Run(str(data), recipe=replace(RECIPES["small"], epochs=1), validation=40)
    train(run, folder / "runs")
    return folder


def arguments(command: str, folder: Path) -> list[str]:
    """The arguments of a command of the harness, in a folder that was prepared."""
    (run,) = (folder / "runs").iterdir()
    return COMMANDS[command].format(run=run.relative_to(folder)).split()


def run(command: str, folder: Path) -> Done:
    """Run a command in a folder, in this process."""
    with contextlib.chdir(folder):
        return arcal(*arguments(command, folder))


@dataclass
class Fault:
    """A fault at the n-th write, counted from 0; without a kind, writes are only counted."""

    kind: str = ""
    number: int = -1
    seen: int = 0


@contextlib.contextmanager
def injected(fault: Fault, die: Callable[[], None]) -> Iterator[Fault]:
    """Every file that `write_whole` writes is synchronised once and renamed once: there it breaks.

    `die` ends the process as a kill would: nothing after it runs.
    """
    fsync, rename = os.fsync, Path.replace

    def synchronise(handle: int) -> None:
        if fault.seen == fault.number and fault.kind in ("half written", *ERRORS):
            name = Path(f"/proc/self/fd/{handle}").readlink()
            os.truncate(name, os.stat(handle).st_size // 2)
            if fault.kind in ERRORS:
                code = ERRORS[fault.kind]
                fault.seen += 1
                raise OSError(code, os.strerror(code))
            die()
        fsync(handle)

    def replaced(self: Path, target: Path) -> Path:
        now = fault.seen == fault.number
        fault.seen += 1
        if now and fault.kind == "before the rename":
            die()
        moved = rename(self, target)
        if now and fault.kind == "after the rename":
            die()
        return moved

    with patch("os.fsync", synchronise), patch.object(Path, "replace", replaced):
        yield fault


def killed(command: str, folder: Path, fault: Fault) -> int:
    """Run a command in a process that dies at a fault; how it ended."""
    child = os.fork()
    if child == 0:
        os.close(1)
        os.close(2)
        code = 99
        with contextlib.suppress(BaseException), injected(fault, lambda: os._exit(DIED)):
            code = run(command, folder).code
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fresh(prepared: Path, folder: Path) -> Path:
    """A copy of a prepared folder."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(prepared, folder)


TEMPORARY = re.compile(r"^\..*\.[0-9a-f]{6}\.\d+\.[0-9a-f]{8}$")
TIMES = re.compile(rb'"(rescoring_)?seconds": [0-9.e+-]+')


def contents(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by path; what a clock measured is left out, and what is compiled."""
    return {
        str(path.relative_to(folder)): TIMES.sub(b"", path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def temporary(folder: Path) -> list[Path]:
    """Files that a killed process left half written."""
    return [path for path in folder.rglob("*") if TEMPORARY.match(path.name)]


def writes(command: str, prepared: Path, folder: Path) -> tuple[int, dict[str, bytes]]:
    """How many files a command writes, and what there is after it."""
    fresh(prepared, folder)
    with injected(Fault(), lambda: None) as fault:
        done = run(command, folder)
    assert done.code == 0, done.stderr
    return fault.seen, contents(folder)


def check_complete(folder: Path) -> None:
    """Every file under its own name is whole, whatever happened to the process that wrote it."""
    import pyarrow.parquet as pq
    from safetensors import safe_open

    for path in folder.rglob("*"):
        if not path.is_file() or TEMPORARY.match(path.name):
            continue
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118
                    file.get_tensor(name)
        elif path.suffix == ".parquet":
            pq.read_table(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("</html>")


if __name__ == "__main__":
    sys.exit("run `python -m pytest tests/faults`")
