"""Commands that `torchrun` or `srun` starts in several processes: run together, printing once."""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from arcal.cli.audit import Audit
from arcal.cli.calibrate import Calibrate
from arcal.cli.evaluate import Evaluate
from arcal.cli.score import Score
from arcal.cli.train import Train
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.compute.launcher import Launcher

PATIENCE = 1.0
"""Seconds that other processes wait for rank 0 to print the line that all of them would print."""


def launcher() -> "Launcher | None":
    """The launcher that started this process as one of several, or None."""
    if not {"LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"} & os.environ.keys():
        return None
    from arcal.compute.launcher import Launcher  # imports torch

    return Launcher.from_environment()


def run(command: Any) -> None:
    """Run a command, in all processes of a launcher if there is one.

    A launcher that does not match the numbers of devices and nodes of a training, which are part of
    its configuration, raises `ArcalError`. So do several processes for a command that cannot share
    its work.
    """
    by = launcher()
    if by is None:
        return command()
    if isinstance(command, Train):
        by.check(command.devices, command.nodes)
    elif by.size > 1 and not isinstance(command, Audit | Calibrate | Evaluate | Score):
        raise ArcalError(
            f"{by.name} started {by.size} processes, which only train, score, evaluate, report, "
            "audit and calibrate can join: start this command once, without it"
        )
    if by.size == 1:
        return command()
    from arcal.compute.launcher import run_joined
    from arcal.parents import end_with_launcher

    end_with_launcher()
    signal.signal(signal.SIGTERM, _stop)
    machine: Any = getattr(command, "machine", command)
    return run_joined(by, machine.accelerator, command)


def _stop(number: int, frame: Any) -> None:
    raise ArcalError("stopped from outside; finished work is saved, and the same command continues")


def line_of(error: BaseException, line_for: Callable[[BaseException], str]) -> str | None:
    """The line for an error; None if another process prints it."""
    by = launcher()
    if by is None or by.size == 1:
        return line_for(error)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends anyway, after saying why
    from arcal.compute.launcher import is_lost, named
    from arcal.compute.processes import KILLED

    if by.rank:
        time.sleep(PATIENCE)
    if not by.claims():
        return None
    line = KILLED if is_lost(error) else line_for(error)
    return f"{named(by)}: {line}" if by.rank else line


def leave(code: int) -> NoReturn:
    """End this process; one of several ends at once, as its threads may wait for the others."""
    sys.stdout.flush()
    sys.stderr.flush()
    if (by := launcher()) is not None and by.size > 1:
        os._exit(code)
    sys.exit(code)
