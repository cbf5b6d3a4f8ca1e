"""Work distributed over processes of this machine."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from signal import SIG_IGN, SIGINT, signal
from threading import Thread
from typing import Any

from arcal.errors import ArcalError

KILLED = (
    "a process was killed, perhaps because memory ran out; what was finished is saved, and the "
    "same command continues"
)


def fan_out(
    waves: Iterable[Sequence[Callable[[], object]]],
    workers: int,
    one_more: Callable[[], object] = lambda: None,
) -> None:
    """Call the functions of each wave in a pool of `workers` processes, one wave after another.

    Functions must be picklable. `one_more` is called here whenever one of them has returned. When
    one raises or is killed, all are stopped and the error is raised, as `ArcalError` for a killed
    process; files that they have written stay.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        for wave in waves:
            jobs = [pool.submit(function) for function in wave]
            for job in as_completed(jobs):  # so that an error is raised as soon as it occurs
                job.result()
                one_more()
    except BaseException as error:
        # Python 3.14 has terminate_workers for this. multiprocessing.active_children() would
        # collect exit codes for which the pool's own thread is waiting.
        children = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ArcalError(KILLED) from None
        raise
    pool.shutdown()


def _start_worker() -> None:
    """Let the parent process handle Ctrl-C, and end this process when the parent is killed."""
    signal(SIGINT, SIG_IGN)
    Thread(target=_exit_with, args=(parent_process(),), daemon=True).start()


def _exit_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
