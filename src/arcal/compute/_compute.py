"""One value for the device, processes and threads that a command runs on."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from typing import TYPE_CHECKING, Any

import torch

from arcal._version import __version__
from arcal.compute.launcher import joined
from arcal.compute.processes import start_method
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import: only where it is needed

log = logging.getLogger(__name__)

MOST = 1024
"""The most threads or processes; a million threads end a process without a message."""


def check_count(name: str, value: int | None, least: int = 1) -> None:
    """Raise `ArcalError` unless this is None, or from `least` to `MOST`.

    >>> check_count("threads", 4)
    """
    if value is not None and value < least:
        raise ArcalError(f"{value} {name}: at least {least} is needed")
    if value is not None and value > MOST:
        raise ArcalError(
            f"{value} {name}: at most {MOST:,} are possible, and more than one per core is slower"
        )


@dataclass(frozen=True)
class Compute:
    """The device, and the number of processes and threads that work on it.

    `accelerator` is "cpu", "gpu" or "auto"; `processes` is the number of its devices, with one
    process each, that share one training or scoring. `workers` is the number of processes of this
    machine that each train or evaluate one run, on a GPU of their own if there are as many, and
    `loaders` the number of further processes per run that read images ahead. `threads` is the
    number of threads of each process, None for torch's default. `ray` is the address of a Ray
    cluster that does the work instead, or "local" for one that is started here. Training has
    the precision of its recipe, everything else float32.

    A number that is too small or too large, or an accelerator that this machine does not have,
    raises `ArcalError`.

    >>> Compute(processes=2).devices()
    [device(type='cpu'), device(type='cpu')]
    """

    accelerator: str = "cpu"
    processes: int = 1
    workers: int = 1
    loaders: int = 0
    threads: int | None = None
    ray: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("processes", 1), ("workers", 1), ("loaders", 0), ("threads", 1)):
            check_count(name, getattr(self, name), least)

    def begin(self, *modules: str) -> None:
        """Prepare to start the workers or processes, if there are several, that need `modules`.

        They start sooner if this is called before what they wait for, such as reading the data.
        """
        several = max(self.workers, self.processes) > 1 and self.ray is None and joined() is None
        if several and start_method({*modules}) == "forkserver":
            forkserver.ensure_running()  # imports them while this process goes on

    def fabric_if_needed(self) -> "Fabric | None":
        """The Fabric that shares a scoring; None for one process on the CPU, which needs none."""
        alone = self.accelerator == "cpu" and self.processes == 1
        return None if alone else self.fabric()

    def fabric(self, precision: str = "32-true") -> "Fabric":
        """A Fabric with the devices of this accelerator; `run_on` starts their processes."""
        from arcal.compute.device import fabric_on

        return fabric_on(self.accelerator, precision, self.processes)

    @property
    def device(self) -> torch.device:
        """The device of a single process."""
        if self.accelerator == "cpu":
            return torch.device("cpu")
        from arcal.compute.device import fabric_on

        device = fabric_on(self.accelerator).device
        if device.type == "cuda" and torch.cuda.is_initialized():  # a launcher gives each its own
            return torch.device("cuda", torch.cuda.current_device())
        return device

    def devices(self) -> list[torch.device]:
        """The devices of all processes; more than there are raise `ArcalError`."""
        if self.accelerator == "cpu":
            return [torch.device("cpu")] * self.processes
        strategy: Any = self.fabric().strategy
        return list(strategy.parallel_devices) if self.processes > 1 else [self.device]

    def gpus(self) -> list[str]:
        """CUDA's names of the GPUs that are dealt to workers; empty if there are none."""
        if self.accelerator == "cpu":
            return []
        count, visible = torch.cuda.device_count(), os.environ.get("CUDA_VISIBLE_DEVICES")
        return visible.split(",")[:count] if visible else [str(i) for i in range(count)]

    def log(self, precision: str = "32-true") -> None:
        """Log what a command runs on: versions, device, precision, threads and processes."""
        if not log.isEnabledFor(logging.INFO):
            return
        threads = self.threads or torch.get_num_threads()
        several = max(self.workers, self.processes)
        log.info(
            f"arcal {__version__}, torch {torch.__version__}, on {self.device} in "
            f"{'float32' if precision == '32-true' else precision}, "
            f"{several} process{'es' * (several > 1)} of {threads} thread{'s' * (threads > 1)}"
        )

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Use `threads` threads while the block runs, and restore the number afterwards."""
        before = torch.get_num_threads()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
