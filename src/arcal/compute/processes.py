"""Work fanned out over processes of this machine."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from signal import SIG_IGN, SIGINT, signal
from threading import Thread
from typing import Any

from arcal.compute.device import KILLED
from arcal.errors import ArcalError


def fan_out(
    waves: Iterable[Sequence[Callable[[], object]]],
    workers: int,
    one_more: Callable[[], object] = lambda: None,
) -> None:
    """Call each wave's functions on a pool of `workers` processes, wave after wave.

    `one_more` is called after each. Whatever stops one stops all; what they have written stays.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    try:
        for wave in waves:
            jobs = [pool.submit(function) for function in wave]
            for job in as_completed(jobs):  # a failure is not to wait for those before it
                job.result()
                one_more()
    except BaseException as error:
        # What Python 3.14 has as terminate_workers; a public list of children would be read while
        # the pool's own thread waits for them, and the two would take each other's exit codes.
        children = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise ArcalError(KILLED) from None
        raise
    pool.shutdown()


def _begin() -> None:
    """A worker leaves Ctrl-C to the process that began it, and ends when that has been killed."""
    signal(SIGINT, SIG_IGN)
    Thread(target=_leave_with, args=(parent_process(),), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
