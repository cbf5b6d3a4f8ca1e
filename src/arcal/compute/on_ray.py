"""Pieces of work on a Ray cluster (the extra `ray`), or on one that is started here."""

import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any

import torch

from arcal._version import __version__
from arcal.compute._compute import Compute
from arcal.compute.processes import KILLED, keep_memory
from arcal.compute.sharing import Do, Item, as_done, error_of
from arcal.errors import ArcalError, first_line
from arcal.files import write_whole

STORE = 100 * 2**20
"""Bytes of shared memory for what is sent: Ray would take 30 % of all memory."""

AT_ONCE = 5000
"""Pieces of work submitted at a time: more than the cluster has cores, but not millions."""

RETRIES = 3
"""How often a piece of work is started again after its process, or machine, has died."""


@contextmanager
def connected(address: str, cores: int) -> Iterator[bool]:
    """Connect to the Ray cluster at `address` while the block runs, or use the process's own.

    "local" starts one here, with `cores` cores. If none answers, `ArcalError` is raised. The block
    gets whether the connection ends with it, and with the connection all that it began.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ArcalError("Ray is not installed: pip install ray, or leave out --ray") from None
    if ray.is_initialized():
        yield False
        return
    quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            own = {"object_store_memory": STORE, "include_dashboard": False}
            ray.init(num_cpus=cores, **own, **quiet)
        else:
            _check_reachable(address)
            ray.init(address=address, **quiet)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        raise ArcalError(
            f"no Ray at {address!r} ({first_line(error)}): start a cluster there, or use 'local'"
        ) from None
    try:
        yield True
    finally:
        ray.shutdown()


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@dataclass(frozen=True)
class _Place:
    """What every process of a cluster needs to have: the folders, and the same versions.

    `mark` is a file of this command alone, which another folder of the same name does not have.
    """

    here: Path
    mark: Path
    versions: str

    def enter(self) -> None:
        """Go to the folder in a process of the cluster; a mismatch raises `ArcalError`."""
        host = socket.gethostname()
        if (theirs := _versions()) != self.versions:
            raise ArcalError(
                f"{host} of the Ray cluster has {theirs}, this command {self.versions}: install "
                "the same"
            )
        with suppress(OSError):
            os.chdir(self.here)
        if not self.mark.exists():
            raise ArcalError(
                f"{host} of the Ray cluster does not see {self.mark.parent}: run the command in a "
                "folder of a disk that all its machines share, with model, data and --out on it"
            )


def _versions() -> str:
    return f"arcal {__version__} with torch {torch.__version__.partition('+')[0]}"


class RayTasks:
    """Pieces of work as tasks of Ray, each with one GPU if the accelerator is one.

    If one fails, those left are cancelled, unless the connection `ends`: cancelling a task that is
    just done can crash Ray (its issue 54846).
    """

    def __init__(self, compute: Compute) -> None:
        self.ends: bool = False
        self.threads: int = compute.threads or 1
        self.device: str = compute.device.type

    def __call__(self, do: Do, items: Iterable[Item], folder: Path) -> Iterator[Item]:
        """See `Sharing`. A piece whose process or machine dies is retried, `RETRIES` times."""
        import ray  # pyright: ignore[reportMissingImports]

        mark = folder.absolute() / f".shared-{token_hex(8)}"
        write_whole(mark, Path.touch)
        place = _Place(Path.cwd(), mark, _versions())
        gpus = 0 if self.device == "cpu" else 1
        how: dict[str, Any] = {"num_cpus": self.threads, "num_gpus": gpus, "max_retries": RETRIES}
        how |= {"max_calls": 0}  # with a GPU it is 1, and each piece would open the model anew
        task = ray.remote(**how)(_do_there)
        pickled = pickle.dumps(partial(_do_in_place, do, place))
        whole = ray.put((pickled, self.threads, self.device))
        begun = set()

        def begin(item: Item) -> Any:
            begun.add(job := task.remote(whole, item))
            return job

        def first_done(jobs: list[Any]) -> list[Any]:
            while not (done := ray.wait(jobs, num_returns=len(jobs), timeout=0.5)[0]):
                pass
            return done

        try:
            for item, job in as_done(begin, first_done, items, AT_ONCE):
                begun.discard(job)
                if (error := _raised_by(job)) is not None:
                    raise error
                yield item
        finally:
            mark.unlink(missing_ok=True)
            for job in begun if ray.is_initialized() and not self.ends else ():
                ray.cancel(job, force=True)


def _raised_by(job: Any) -> Exception | None:
    """The error of a finished task of `_do_there`, or the reason why it could not run."""
    import ray  # pyright: ignore[reportMissingImports]
    from ray.exceptions import RayError, RayTaskError  # pyright: ignore[reportMissingImports]

    try:
        return ray.get(job)
    except RayTaskError as failed:  # it failed before the work itself
        reason = str(failed).strip().splitlines()[-1]
        return ArcalError(
            f"the Ray cluster cannot run arcal {__version__} ({reason}): install it on all its "
            "machines"
        )
    except RayError:
        return ArcalError(KILLED)


def _do_in_place(do: Do, place: _Place, item: Any, device: torch.device) -> None:
    place.enter()
    do(item, device)


def _do_there(whole: tuple[bytes, int, str], item: Any) -> Exception | None:
    pickled, threads, device = whole
    torch.set_num_threads(threads)
    keep_memory()
    return error_of(pickled, item, torch.device(device))


def fan_out(waves: Sequence[Sequence[Callable[[], object]]], root: Path, compute: Compute) -> None:
    """Call the jobs of each wave on the Ray cluster at `compute.ray`, one wave after another.

    "local" starts Ray here, for as many jobs at a time as there are workers. On another cluster Ray
    decides how many run at a time, from the threads of each job and one GPU if the accelerator is
    one. When one job fails, all are stopped and `ArcalError` is raised; what they have saved, in
    the folder `root`, stays.
    """
    tasks = RayTasks(compute)
    with connected(compute.ray or "local", compute.workers * tasks.threads) as tasks.ends:
        for wave in waves:
            deque(tasks(_call, wave, root), maxlen=0)


def _call(job: Callable[[], object], device: torch.device) -> None:
    job()
