"""The devices, processes and precision that a command runs on, through Lightning Fabric."""

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from inspect import signature
from multiprocessing import active_children
from typing import Any

import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from arcal.compute.fabric import DDPStrategy, Fabric, Precision, SingleDeviceStrategy
from arcal.compute.launcher import Launcher, joined
from arcal.compute.processes import begin_worker, start_method, why_ended
from arcal.errors import ArcalError

# Errors become one line of our own, and the rest of what these print is not needed.
logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)

PATIENCE = timedelta(days=1)
"""How long a process waits for another that is alive; one that has died is noticed at once."""


_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


class Bf16Convolutions(TorchFunctionMode):
    """A context in which convolutions round their inputs to bf16 and return float32.

    All other operations do not change: batch norm, the sums of residual blocks, pooling, dense
    layers and the loss stay in float32, whereas autocast leaves them in bf16 after a convolution.
    Weights and their gradients stay in float32. A processor without AVX-512 convolves the rounded
    numbers in float32 and rounds the result: its own bf16 is ten times slower or more, and sums
    the gradients of weights in bf16.

    >>> convolution = torch.nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = torch.nn.init.constant_(convolution.weight, 1 + 2**-10)
    >>> with Bf16Convolutions():
    ...     convolution(torch.ones(1, 1, 1, 1)).dtype, convolution(torch.ones(1, 1, 1, 1)).item()
    (torch.float32, 1.0)
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _CONVOLUTIONS:
            return func(*args, **kwargs)
        on_cpu = (args[0] if args else kwargs["input"]).device.type == "cpu"
        wide = on_cpu and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
        args = tuple(_rounded(value, wide) for value in args)
        kwargs = {name: _rounded(value, wide) for name, value in kwargs.items()}
        return _rounded(func(*args, **kwargs)).float()


class Bf16Precision(Precision):
    """Fabric's precision that trains a model with `Bf16Convolutions`."""

    precision: Any = "bf16-mixed"

    def forward_context(self) -> Bf16Convolutions:
        return Bf16Convolutions()


def _rounded(value: Any, wide: bool = False) -> Any:
    """Floats in bf16 or, if `wide`, rounded to bf16 but in float32; all else as it is."""
    if not (isinstance(value, torch.Tensor) and value.is_floating_point()):
        return value
    half = value.to(torch.bfloat16)
    return half.float() if wide else half


def fabric_on(
    accelerator: str,
    precision: str = "32-true",
    processes: int = 1,
) -> Fabric:
    """A Fabric with `processes` devices of an accelerator, one process each.

    `accelerator` is "cpu", "gpu", "auto" or another name that Fabric knows, and `precision` a
    recipe's: in "bf16-mixed" convolutions alone are in bf16. More
    than one process is started by `run_on`. An accelerator that this machine does not have, or
    fewer than one process, raises `ArcalError`.
    """
    if processes < 1:
        raise ArcalError(f"{processes} processes: at least 1 is needed")
    if processes > 1 and (ranks := joined()) is not None:
        return fabric_of(ranks.launcher, accelerator, precision)
    modules = {"arcal.training", "arcal.compute.device"}
    options = {"strategy": _ddp(start_method(modules))} if processes > 1 else {}
    return _fabric(accelerator, precision, devices=processes, **options)


def fabric_of(launcher: Launcher, accelerator: str, precision: str = "32-true") -> Fabric:
    """A Fabric of the processes that a launcher started; otherwise like `fabric_on`."""
    options = {"strategy": _ddp("popen"), "environment": launcher.environment}
    options |= {"devices": launcher.devices, "num_nodes": launcher.nodes}
    return _fabric(accelerator, precision, **options)


def fabric_of_one(fabric: Fabric) -> Fabric:
    """A Fabric of this process alone, on its device and in the precision of `fabric`."""
    alone, precision = SingleDeviceStrategy(fabric.device), fabric.strategy.precision
    return Fabric(accelerator=fabric.accelerator, strategy=alone, plugins=[precision])


def _ddp(start_method: str) -> DDPStrategy:
    # Batch norm's statistics are each process's own until they are averaged for validation.
    known = signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"
    own: dict[str, Any] = {"start_method": start_method, name: False}
    return DDPStrategy(timeout=PATIENCE, **own)


def _fabric(
    accelerator: str,
    precision: str,
    environment: Any = None,
    **options: Any,
) -> Fabric:
    plugins: Any = [Bf16Precision()] if precision == "bf16-mixed" else []
    plugins += [] if environment is None else [environment]
    try:
        return Fabric(accelerator=accelerator, plugins=plugins, **options)
    except (ImportError, RuntimeError, ValueError) as error:
        lines = str(error).splitlines()
        if "on the MPS accelerator" in lines[0]:
            raise ArcalError(
                "several processes cannot share Apple's GPU: ask for one, or for accelerator 'cpu'"
            ) from None
        reason = " ".join(map(str.strip, lines[: 2 if "requested" in lines[0] else 1])).rstrip(".")
        raise ArcalError(
            f"accelerator {accelerator!r} cannot be used here ({reason}): choose cpu, gpu or auto"
        ) from None


def all_call(fabric: Fabric) -> bool:
    """Whether the processes of `fabric` run already and all make the calls that this one makes."""
    return fabric.world_size > 1 and dist.is_initialized() and joined() is None


def run_on(
    fabric: Fabric,
    function: Callable[[Fabric], Any],
    elsewhere: Callable[[Fabric], Any] | None = None,
) -> Any:
    """Call `function(fabric)` in every process of `fabric`, and return the first one's result.

    In a program that `torchrun` started, all processes call `run_on`, and each gets its own result.
    In an arcal command that it started (`arcal.compute.launcher`), only the first process does, and
    the others call `elsewhere`, or the same function. Otherwise the processes are started here, and
    when one of them or this process stops, all stop; a killed process raises `ArcalError`.
    """
    if fabric.world_size == 1 or all_call(fabric):
        return function(fabric)
    if (ranks := joined()) is not None:
        precision: Any = fabric.strategy.precision
        return ranks.call(fabric, function, elsewhere, precision.precision)
    earlier = active_children()
    try:
        return fabric.launch(partial(_call_and_disconnect, function))
    except ProcessException as error:
        if isinstance(error, ProcessExitedException) or "by peer" in error.msg:
            raise ArcalError(why_ended([getattr(error, "exit_code", None)])) from None
        raise
    finally:
        for child in active_children():
            if child not in earlier:
                child.terminate()


def _call_and_disconnect(function: Callable[[Fabric], Any], fabric: Fabric) -> Any:
    """Call the function in a process started for it, then disconnect it from the others.

    The process ends if its parent is killed: otherwise it would go on when a second command begins.
    If gloo's threads still run when the interpreter exits, they sometimes abort the process.
    """
    begin_worker()
    result = function(fabric)
    dist.destroy_process_group()
    return result
