"""Many runs on a Ray cluster (the extra `ray`) whose machines share the folder of the runs."""

from collections.abc import Sequence
from pathlib import Path

from arcal.compute import Compute
from arcal.compute.on_ray import connected
from arcal.compute.processes import KILLED
from arcal.errors import ArcalError
from arcal.training._train import train
from arcal.training.run import Run


def fan_out(waves: Sequence[list[Run]], root: Path, compute: Compute) -> None:
    """Train the runs of each wave on the Ray cluster at `compute.ray`, one wave after another.

    "local" starts Ray here, for as many runs at a time as there are workers. On another cluster Ray
    decides how many run at a time, from the cores of each run and one GPU if the accelerator is
    one. When one run fails, all are stopped and `ArcalError` is raised; what the runs have saved
    stays.
    """
    address, alone = compute.ray or "local", compute.one_worker()
    gpus = 0 if compute.device.type == "cpu" else 1
    threads = max((run.threads for wave in waves for run in wave), default=1)
    with connected(address, compute.workers * threads) as ray:
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
                    except ray.exceptions.RayTaskError:
                        raise
                    except ray.exceptions.RayError:
                        error = KILLED
                    if error is not None:
                        raise ArcalError(error)
            except BaseException:
                for job in jobs:
                    ray.cancel(job, force=True)
                raise


def _train_or_error(run: Run, root: Path, compute: Compute) -> str | None:
    """Train the run, and return None or the message of the `ArcalError` that it raised."""
    try:
        train(run, root, compute=compute)
    except ArcalError as error:
        return str(error)
    return None
