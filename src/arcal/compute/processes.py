"""Work distributed over processes of this machine."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.context import BaseContext
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
    waves = [list(wave) for wave in waves]
    pool = ProcessPoolExecutor(workers, mp_context=_context(waves), initializer=end_with_parent)
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


def _context(waves: list[list[Callable[[], object]]]) -> BaseContext:
    """How workers start.

    On Linux they are forked from a server that has imported what the functions need, and that never
    runs a thread: importing torch and its optimizers takes a worker five seconds of processor time.
    """
    functions = {getattr(job, "func", job) for wave in waves for job in wave}
    return get_context(start_method({function.__module__ for function in functions}))


def start_method(modules: set[str]) -> str:
    """How processes are started that need these modules: see `_context`."""
    if sys.platform != "linux":
        return "spawn"
    context = get_context("forkserver")
    context.set_forkserver_preload([*sorted(modules - {"__main__"}), "torch._dynamo"])
    return "forkserver"


def end_with_parent() -> None:
    """Let the parent process handle Ctrl-C, and end this process when the parent is killed."""
    signal(SIGINT, SIG_IGN)
    Thread(target=_exit_with, args=(parent_process(),), daemon=True).start()


def _exit_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
