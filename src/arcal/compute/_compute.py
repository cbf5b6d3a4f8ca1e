"""What a command runs on: one value, made once and handed on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from lightning_fabric import Fabric

from arcal.compute.device import fabric_on
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Compute:
    """The device, and how many share the work on it.

    `accelerator` is `cpu`, `gpu` or `auto`, with `processes` of its devices that share one training
    or scoring. `workers` processes of this machine take a run each, `loaders` more read images
    ahead for each run; each process computes with `threads`, None for torch's own choice.
    `ray` is the address of a Ray cluster that takes the runs instead, or `local` for one that is
    started here. The precision of a training is its recipe's; all else is in float32.

    A number below its least, and an accelerator that is not here, raise `ArcalError`.

    >>> Compute(workers=2).one_worker()
    Compute(accelerator='cpu', processes=1, workers=1, loaders=0, threads=None, ray=None)
    """

    accelerator: str = "cpu"
    processes: int = 1
    workers: int = 1
    loaders: int = 0
    threads: int | None = None
    ray: str | None = None

    def __post_init__(self) -> None:
        for name, least in (("processes", 1), ("workers", 1), ("loaders", 0), ("threads", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ArcalError(f"{value} {name}: at least {least} is needed")

    def fabric(self, precision: str = "32-true") -> Fabric:
        """The devices of this accelerator, each with a process once `run_on` is called."""
        return fabric_on(self.accelerator, precision, self.processes)

    @property
    def device(self) -> torch.device:
        """The device of a single process."""
        return fabric_on(self.accelerator).device

    def one_worker(self) -> "Compute":
        """What one of the workers computes with."""
        return replace(self, workers=1, ray=None)

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Compute with `threads` while the block runs, then with as many as before."""
        before = torch.get_num_threads()
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)
