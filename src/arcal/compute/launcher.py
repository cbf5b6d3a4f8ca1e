"""Processes that `torchrun` or SLURM's `srun` started, on one machine or several.

All run the same command. The process of rank 0 does the work of the command, and sends what is
shared to the others, which do nothing else. So a command reads, locks, writes and prints things
once, as it does when arcal starts the processes itself.
"""

import os
import platform
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import torch.distributed as dist

from arcal.errors import ArcalError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Work = Callable[["Fabric"], Any]

LOST = re.compile(
    r"(closed|reset) by (peer|remote)|connection (was )?(closed|reset|refused)|broken pipe"
    r"|socket closed|remote process exited|failed to recv|failed to connect",
    re.IGNORECASE,
)
"""What torch's backends say when another process has ended."""


@dataclass(frozen=True)
class Launcher:
    """What started this process as one of `size`, and its `rank` among them, from 0.

    `devices` are the processes on each of the `nodes` machines.

    >>> Launcher.from_environment({"LOCAL_WORLD_SIZE": "2", "WORLD_SIZE": "4", "RANK": "3"})
    Launcher(name='torchrun', rank=3, size=4, devices=2, nodes=2)
    """

    name: str
    rank: int
    size: int
    devices: int
    nodes: int

    @staticmethod
    def from_environment(values: Mapping[str, str] = os.environ) -> "Launcher | None":
        """The launcher that set these environment variables, None if there was none."""

        def number(name: str, default: int = 1) -> int:
            text = values.get(name, "")
            return int(text) if text.isdecimal() else default

        if "LOCAL_WORLD_SIZE" in values:
            size, local = number("WORLD_SIZE"), max(1, number("LOCAL_WORLD_SIZE"))
            return Launcher("torchrun", number("RANK", 0), size, local, max(1, size // local))
        if number("SLURM_STEP_NUM_TASKS") > 1:
            size = number("SLURM_NTASKS", number("SLURM_STEP_NUM_TASKS"))
            nodes = max(1, number("SLURM_STEP_NUM_NODES", number("SLURM_NNODES")))
            return Launcher("srun", number("SLURM_PROCID", 0), size, max(1, size // nodes), nodes)
        return None

    def check(self, devices: int, nodes: int) -> None:
        """Raise `ArcalError` unless it started `devices` processes on each of `nodes` machines."""
        if (devices, nodes) != (self.devices, self.nodes):
            raise ArcalError(
                f"{self.name} started {_there(self.devices, self.nodes)}, and not "
                f"{_there(devices, nodes)}: give --devices {self.devices} --nodes {self.nodes}, or "
                "start as many"
            )

    def claims(self) -> bool:
        """Whether this process is the first to report why all of them stop.

        They ask the store through which they found each other. If it cannot be reached, no other
        process can have reported.
        """
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        try:
            place, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
            store = dist.TCPStore(  # pyright: ignore[reportPrivateImportUsage]
                place, port, is_master=False, timeout=timedelta(seconds=5)
            )
            return store.add(f"arcal/says/{attempt}", 1) == 1
        except (KeyError, ValueError, RuntimeError):
            return True

    @property
    def environment(self) -> Any:
        """Fabric's environment for this launcher."""
        from arcal.compute.fabric import SLURMEnvironment, TorchElasticEnvironment

        if self.name == "srun":
            # Fabric requires this variable; `srun` knows the number even if nobody gave it.
            os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(self.devices))
            return SLURMEnvironment(auto_requeue=False)
        return TorchElasticEnvironment()


def _there(devices: int, nodes: int) -> str:
    there = f"each of {nodes} machines" if nodes != 1 else "1 machine"
    return f"{devices} process{'es' * (devices != 1)} on {there}"


def is_lost(error: BaseException) -> bool:
    """Whether an error says that another process has ended."""
    return isinstance(error, RuntimeError) and bool(LOST.search(str(error)))


class Ranks:
    """The processes of a launcher once they have found each other."""

    def __init__(self, launcher: Launcher, accelerator: str) -> None:
        from arcal.compute.device import PATIENCE

        self.launcher: Launcher = launcher
        self.accelerator: str = accelerator
        self._fabric("32-true").launch()
        # Python objects are sent over gloo, so that no accelerator is kept waiting.
        several = dist.get_backend() != "gloo"
        self._group: Any = dist.new_group(backend="gloo", timeout=PATIENCE) if several else None

    def _fabric(self, precision: str) -> "Fabric":
        from arcal.compute.device import fabric_of

        return fabric_of(self.launcher, self.accelerator, precision)

    def call(self, fabric: "Fabric", function: Work, elsewhere: Work | None, precision: str) -> Any:
        """In the first process: call a function here, and in the others `elsewhere` or the same."""
        self._sent((elsewhere or function, precision))
        return fabric.launch(function)

    def serve(self) -> None:
        """In the others: call what the first one sends, until it is done."""
        while (work := self._sent(None)) is not None:
            function, precision = work
            self._fabric(precision).launch(function)

    def finish(self) -> None:
        """In the first process: let the others end."""
        self._sent(None)

    def _sent(self, work: Any) -> Any:
        values = [work]
        dist.broadcast_object_list(values, src=0, group=self._group)
        return values[0]


_ranks: Ranks | None = None


def joined() -> Ranks | None:
    """The processes of a command that runs on several, if this is the first of them, or None."""
    return _ranks


def run_joined(launcher: Launcher, accelerator: str, command: Callable[[], Any]) -> None:
    """Run a command in the processes of a launcher: whole in the first, what is shared in all."""
    global _ranks
    ranks = Ranks(launcher, accelerator)
    if launcher.rank:
        ranks.serve()
    else:
        _ranks = ranks
        try:
            command()
            ranks.finish()
        finally:
            _ranks = None
    dist.destroy_process_group()


def named(launcher: Launcher) -> str:
    """The name of a process in messages."""
    return f"rank {launcher.rank} on {platform.node()}"
