"""The device, and the processes, that a command runs on, through Lightning Fabric."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from multiprocessing import active_children
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException

from arcal.compute.precision import Bf16Precision
from arcal.errors import ArcalError

# What goes wrong is told in one line, and what goes right needs none.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)

PATIENCE = timedelta(days=1)
"""How long a process waits for one that is alive; one that dies is noticed at once."""

KILLED = (
    "a process was killed, perhaps for want of memory; what was finished is kept, the same command "
    "continues"
)


def fabric_on(accelerator: str, precision: str = "32-true", processes: int = 1) -> Fabric:
    """`processes` devices of this accelerator (`cpu`, `gpu`, `auto`, ...), each with a process.

    `precision` is a recipe's: in "bf16-mixed" convolutions alone are in bf16. An accelerator that
    is not here raises. More than one process start when `run_on` is called.
    """
    if processes < 1:
        raise ArcalError(f"{processes} processes: at least 1 is needed")
    several = DDPStrategy(start_method="spawn", timeout=PATIENCE)
    strategy = several if processes > 1 else "auto"
    plugins: Any = [Bf16Precision()] if precision == "bf16-mixed" else []
    try:
        return Fabric(
            accelerator=accelerator, devices=processes, strategy=strategy, plugins=plugins
        )
    except (ImportError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ArcalError(
            f"accelerator {accelerator!r} cannot be used here ({reason}): choose cpu, gpu or auto"
        ) from None


def run_on(fabric: Fabric, function: Callable[[Fabric], Any]) -> Any:
    """Call `function(fabric)` on every process of `fabric`; the first's result returns.

    Processes that run already, as `torchrun` starts them, all call this, and each gets its own
    result; otherwise they are started here, and whatever stops one, or this process, stops all.
    """
    if fabric.world_size == 1 or torch.distributed.is_initialized():
        return function(fabric)
    others = active_children()
    try:
        return fabric.launch(partial(_and_leave, function))
    except ProcessException as error:
        if isinstance(error, ProcessExitedException) or "by peer" in error.msg:
            raise ArcalError(KILLED) from None
        raise
    finally:
        for child in active_children():
            if child not in others:
                child.terminate()


def _and_leave(function: Callable[[Fabric], Any], fabric: Fabric) -> Any:
    """Call the function, then end the threads that connect the processes.

    Left to the interpreter's exit, gloo's would now and then abort the process.
    """
    result = function(fabric)
    torch.distributed.destroy_process_group()
    return result
