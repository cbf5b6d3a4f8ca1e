"""Pieces of work shared by processes of this machine, of a launcher, or of a Ray cluster.

Each piece is independent and leaves a file, so it does not matter which process does it, how many
there are, or where an earlier command was killed.
"""

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from arcal.compute._compute import Compute
from arcal.compute.launcher import joined
from arcal.compute.processes import (
    begin_worker,
    call_in,
    keep_memory,
    pool_on,
    process_pool,
    start_method,
)
from arcal.distributed import from_all

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Item = TypeVar("Item")
Begun = TypeVar("Begun")

Do = Callable[[Any, torch.device], object]
"""Does one item on a device; it and its items can be pickled."""


class Sharing(Protocol):
    """Has pieces of work done by other processes."""

    def __call__(self, do: Do, items: Iterable[Item], folder: Path) -> Iterator[Item]:
        """Have `do(item, device)` called for all items, started in order; yield each when done.

        `folder` is where the files go. What `do` raises is raised here; a killed process raises
        `ArcalError`.
        """
        ...


@contextmanager
def shared(compute: Compute, modules: set[str]) -> Iterator[Sharing | None]:
    """Share work over the devices of `compute`, or its Ray cluster, while the block runs.

    If a launcher started this command, its processes are used, as many as `compute` has. The value
    is None if one process does all the work. Local processes are started when there is work for
    them, and have imported `modules`. Each has the threads of `compute`, or its share of this
    process's.
    """
    if compute.ray is not None:
        from arcal.compute.on_ray import RayTasks, connected

        tasks = RayTasks(compute)
        with connected(compute.ray, compute.processes * tasks.threads) as tasks.ends:
            yield tasks
        return
    if compute.processes == 1:
        yield None
        return
    if joined() is not None:
        yield partial(_on_launched, compute)
        return
    devices = compute.devices()
    waiting = get_context(start_method(modules)).SimpleQueue()
    for device in devices:
        waiting.put(str(device))
    threads = compute.threads or max(1, torch.get_num_threads() // len(devices))
    with process_pool(len(devices), modules, _begin, waiting, threads) as pool:
        yield partial(_on_pool, pool, 2 * len(devices))


def _on_pool(
    pool: ProcessPoolExecutor, most: int, do: Do, items: Iterable[Item], folder: Path
) -> Iterator[Item]:
    """`Sharing` by processes of this machine."""
    pickled = pickle.dumps(do)

    def begin(item: Item) -> "Future[Exception | None]":
        return pool.submit(_do_here, pickled, item)

    def first_done(jobs: "list[Future[Any]]") -> "Iterable[Future[Any]]":
        return wait(jobs, return_when=FIRST_COMPLETED).done

    for item, job in as_done(begin, first_done, items, most):
        if (error := job.result()) is not None:
            raise error
        yield item


def _on_launched(compute: Compute, do: Do, items: Iterable[Item], folder: Path) -> Iterator[Item]:
    """`Sharing` by a launcher's processes, including this one: a piece each, then the next ones."""
    pickled, rest = pickle.dumps(do), iter(items)
    while some := list(islice(rest, compute.processes)):
        in_all(compute, partial(_do_own, pickled, some, torch.get_num_threads()))
        yield from some


def _do_own(pickled: bytes, items: list[Any], threads: int, fabric: "Fabric") -> Exception | None:
    torch.set_num_threads(threads)
    keep_memory()
    mine = items[fabric.global_rank : fabric.global_rank + 1]
    return error_of(pickled, mine[0], fabric.device) if mine else None


def in_all(compute: Compute, function: Callable[["Fabric"], Exception | None]) -> None:
    """Call `function(fabric)` in all processes of a launcher, and raise the first error returned.

    Each process waits for all of them, so none waits for one that has failed.
    """
    from arcal.compute.device import run_on  # takes seconds to import

    if (error := run_on(compute.fabric(), partial(_first_error, function))) is not None:
        raise error


def _first_error(
    function: Callable[["Fabric"], Exception | None], fabric: "Fabric"
) -> Exception | None:
    return next(filter(None, from_all(function(fabric))), None)


Shares = Callable[[Callable[[int, int, int], object]], None]
"""Has a function `do(share, of, threads)`, which can be pickled, called for each of the shares."""


@contextmanager
def in_shares(compute: Compute, modules: set[str]) -> Iterator[Shares]:
    """Have each of the workers of `compute` do a share of some work, while the block runs.

    They are started when there is work, and have imported `modules`, or they are the processes of a
    launcher, including this one. Each gets a copy of the work, and should use as many threads as
    this process.
    """
    of, threads = compute.workers, torch.get_num_threads()
    if joined() is not None:
        whole = replace(compute, processes=of)
        yield lambda do: in_all(whole, partial(_do_share, pickle.dumps(do), threads))
        return
    with pool_on(compute.gpus(), of, modules) as pool:
        yield lambda do: call_in(pool, [partial(do, share, of, threads) for share in range(of)])


def _do_share(pickled: bytes, threads: int, fabric: "Fabric") -> Exception | None:
    keep_memory()
    return error_of(pickled, fabric.global_rank, fabric.world_size, threads)


def as_done(
    begin: Callable[[Item], Begun],
    first_done: Callable[[list[Begun]], Iterable[Begun]],
    items: Iterable[Item],
    most: int,
) -> Iterator[tuple[Item, Begun]]:
    """Begin the items in order, at most `most` at a time, and yield each once it is done.

    `first_done` waits until some of those begun are done, and returns them.

    >>> [item for item, _ in as_done(lambda item: item, lambda jobs: jobs[-1:], [1, 2, 3], 2)]
    [2, 3, 1]
    """
    rest, begun = iter(items), {}
    while True:
        for item in islice(rest, most - len(begun)):
            begun[begin(item)] = item
        if not begun:
            return
        for job in first_done(list(begun)):
            yield begun.pop(job), job


_own: list[torch.device] = []
"""The device of this process, if it was started to do pieces of work."""


def _begin(devices: Any, threads: int) -> None:
    begin_worker()
    device = torch.device(devices.get())
    if device.type == "cuda":
        torch.cuda.set_device(device)
    torch.set_num_threads(threads)
    _own.append(device)


def _do_here(pickled: bytes, item: Any) -> Exception | None:
    return error_of(pickled, item, _own[0])


def error_of(pickled: bytes, *given: Any) -> Exception | None:
    """Do a piece of work, and return what it raises, in a form that can be sent.

    `pickled` is what is called with the rest, such as a `Do`; consecutive pieces of the same work
    share one unpickled object.
    """
    try:
        _unpickled(pickled)(*given)
    except Exception as error:
        return _sendable(error)
    return None


def _sendable(error: Exception) -> Exception:
    sent = error
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # such as a class that only a model's file defines
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note("".join(traceback.format_exception(error)))
    return sent


@lru_cache(maxsize=1)
def _unpickled(pickled: bytes) -> Any:
    return pickle.loads(pickled)
