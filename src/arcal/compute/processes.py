"""Work distributed over processes of this machine, and the memory that each keeps."""

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import current_process, get_context
from signal import SIG_IGN, SIGINT, signal
from typing import Any

from arcal.errors import ArcalError
from arcal.parents import end_with_parent

KILLED = (
    "a process was killed, perhaps because memory ran out; finished work is saved, and the same "
    "command continues"
)
UNGUARDED = 78
"""The exit code of a process that would start others while it reads its parent's script."""


def why_ended(codes: Iterable[int | None]) -> str:
    """The message for processes that ended with these exit codes without being asked to."""
    if UNGUARDED in codes:
        return (
            "each process that is started reads this script first, and would run it again: put "
            'what it does below `if __name__ == "__main__":`'
        )
    return KILLED


def fan_out(
    waves: Iterable[Sequence[Callable[[], object]]],
    workers: int,
    gpus: Sequence[str] = (),
) -> None:
    """Call the functions of each wave in a pool of `workers` processes, one wave after another.

    Functions must be picklable. When one raises or is killed, all are stopped and the error is
    raised, as `ArcalError` for a killed process; files that they have written stay. Each process
    sees one of `gpus`, as `Compute.gpus` names them, dealt in turn.
    """
    waves = [list(wave) for wave in waves]
    functions = {getattr(job, "func", job) for wave in waves for job in wave}
    with pool_on(gpus, workers, {function.__module__ for function in functions}) as pool:
        for wave in waves:
            call_in(pool, wave)


def call_in(pool: ProcessPoolExecutor, jobs: Iterable[Callable[[], object]]) -> None:
    """Call functions in processes; an error is raised as soon as it occurs."""
    for job in as_completed([pool.submit(function) for function in jobs]):
        job.result()


@contextmanager
def pool_on(gpus: Sequence[str], workers: int, modules: set[str]) -> Iterator[ProcessPoolExecutor]:
    """A `process_pool` in which each process sees one of these GPUs, if there are any."""
    dealt = get_context(start_method(modules)).SimpleQueue()
    for i in range(workers if gpus else 0):
        dealt.put(gpus[i % len(gpus)])
    with process_pool(workers, modules, partial(_begin_on, dealt) if gpus else None) as pool:
        yield pool


@contextmanager
def process_pool(
    workers: int, modules: set[str], begin: Callable[..., object] | None = None, *given: Any
) -> Iterator[ProcessPoolExecutor]:
    """A pool of `workers` processes, which end with the block, at once when it raises.

    Each has imported `modules`, and begins with `begin_worker`, or with `begin(*given)`. If the
    block raises because a process was killed, that becomes `ArcalError`.
    """
    context = get_context(start_method(modules))
    begin = begin or begin_worker
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=begin, initargs=given)
    try:
        yield pool
    except BaseException as error:
        # Python 3.14 has terminate_workers for this. multiprocessing.active_children() would
        # collect exit codes for which the pool's own thread is waiting.
        children = list((pool._processes or {}).values())
        broken = isinstance(error, BrokenProcessPool)  # then the pool itself ends them
        pool.shutdown(wait=broken, cancel_futures=True)
        for child in children:
            child.terminate()
        if broken:
            raise ArcalError(why_ended([child.exitcode for child in children])) from None
        raise
    pool.shutdown()


def start_method(modules: set[str]) -> str:
    """How to start processes that need these modules.

    On Linux they are forked from a server that has imported the modules and never runs a thread,
    because importing torch takes a worker seconds of processor time, and its optimizers as long
    again. Each process reads the script that this process runs; a script that is not in a file
    raises `ArcalError`.
    """
    if getattr(current_process(), "_inheriting", False):  # a started process is reading the script
        os._exit(UNGUARDED)
    if str(getattr(sys.modules["__main__"], "__file__", "")).startswith("<"):
        raise ArcalError(
            "processes read the script that starts them, and this one comes from standard input: "
            "save it as a file, or use one process"
        )
    if sys.platform != "linux":
        return "spawn"
    context = get_context("forkserver")
    # The server may not find modules beside the script, but it finds this one, and so torch.
    context.set_forkserver_preload(sorted({__name__, *modules} - {"__main__"}))
    return "forkserver"


def begin_worker() -> None:
    """Let the parent process handle Ctrl-C, end with it when it is killed, and keep memory."""
    signal(SIGINT, SIG_IGN)
    end_with_parent()
    keep_memory()


def _begin_on(dealt: Any) -> None:
    begin_worker()
    os.environ["CUDA_VISIBLE_DEVICES"] = dealt.get()  # before CUDA is asked for anything


@contextmanager
def watched(report: Callable[[], object]) -> Iterator[None]:
    """Call `report` every second while the block runs, and once after it."""
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(1.0):
            report()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        report()


def keep_memory() -> None:
    """Stop glibc's allocator from returning memory between steps; without glibc, do nothing.

    By default it returns the large blocks of activations to the system and requests them again in
    every step, which takes a sixth of the time of a small network on a CPU. Results do not change.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # M_TRIM_THRESHOLD, ... in malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)
        mallopt(top_pad, 1 << 26)
