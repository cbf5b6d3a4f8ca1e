"""Many runs on a Ray cluster (the extra `ray`) whose machines share the folder of the runs."""

import logging
import socket
from collections.abc import Sequence
from pathlib import Path

from arcal.compute import Compute
from arcal.compute.processes import KILLED
from arcal.errors import ArcalError
from arcal.training import ray_watch
from arcal.training._train import train
from arcal.training.run import Run

STORE = 100 * 2**20
"""Bytes of the shared memory for what is sent: Ray would take 30 % of the memory there is."""


def fan_out(waves: Sequence[list[Run]], root: Path, compute: Compute) -> None:
    """Train the runs of each wave on the Ray cluster at `compute.ray`, one wave after another.

    "local" starts Ray here, for as many runs at a time as there are workers. On another cluster Ray
    decides how many run at a time, from the cores of each run and one GPU if the accelerator is
    one. When one run fails, all are stopped and `ArcalError` is raised; what the runs have saved
    stays.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
        from ray.exceptions import RayError, RayTaskError  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ArcalError("Ray is not installed: pip install ray, or leave out --ray") from None
    address, alone = compute.ray or "local", compute.one_worker()
    gpus = 0 if compute.device.type == "cpu" else 1
    started, watching = not ray.is_initialized(), None
    if started:
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
        try:
            if address == "local":
                watching = ray_watch.watch(Path(ray.__file__).parent)
                threads = max((run.threads for wave in waves for run in wave), default=1)
                ray.init(num_cpus=compute.workers * threads, object_store_memory=STORE, **quiet)
            else:
                _check_reachable(address)
                ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, OverflowError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            if watching is not None:
                watching.communicate(ray_watch.OVER)
            raise ArcalError(
                f"no Ray at {address!r} ({reason}): start a cluster there, or use 'local'"
            ) from None
    try:
        for wave in waves:
            jobs = []
            for run in wave:
                remote = ray.remote(num_cpus=run.threads, num_gpus=gpus, max_retries=0)
                jobs.append(remote(_train_or_error).remote(run, root.absolute(), alone))
            try:
                waiting = list(jobs)
                while waiting:  # so that an error is raised as soon as it occurs
                    (done,), waiting = ray.wait(waiting)
                    try:
                        error = ray.get(done)
                    except RayTaskError:
                        raise
                    except RayError:
                        error = KILLED
                    if error is not None:
                        raise ArcalError(error)
            except BaseException:
                for job in jobs:
                    ray.cancel(job, force=True)
                raise
    finally:
        if started:
            ray.shutdown()
        if watching is not None:
            watching.communicate(ray_watch.OVER)


def _check_reachable(address: str) -> None:
    """Raise `OSError` if nothing answers at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _train_or_error(run: Run, root: Path, compute: Compute) -> str | None:
    """Train the run, and return None or the message of the `ArcalError` that it raised."""
    try:
        train(run, root, compute=compute)
    except ArcalError as error:
        return str(error)
    return None
