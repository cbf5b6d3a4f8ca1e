"""Many pieces of training on a Ray cluster (the extra `ray`) whose machines share the runs."""

from collections.abc import Callable, Sequence

from arcal.compute import Compute
from arcal.compute.on_ray import connected
from arcal.compute.processes import KILLED
from arcal.errors import ArcalError

Job = tuple[int, Callable[[], object]]
"""A number of threads, and what is called on so many cores."""


def fan_out(waves: Sequence[Sequence[Job]], compute: Compute) -> None:
    """Call the jobs of each wave on the Ray cluster at `compute.ray`, one wave after another.

    "local" starts Ray here, for as many jobs at a time as there are workers. On another cluster Ray
    decides how many run at a time, from the threads of each job and one GPU if the accelerator is
    one. When one job fails, all are stopped and `ArcalError` is raised; what they have saved stays.
    """
    gpus = 0 if compute.device.type == "cpu" else 1
    most = max((threads for wave in waves for threads, _ in wave), default=1)
    with connected(compute.ray or "local", compute.workers * most) as ray:
        for wave in waves:
            jobs = []
            for threads, job in wave:
                remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)
                jobs.append(remote(_done_or_error).remote(job))
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


def _done_or_error(job: Callable[[], object]) -> str | None:
    """Call the job, and return None or the message of the `ArcalError` that it raised."""
    try:
        job()
    except ArcalError as error:
        return str(error)
    return None
