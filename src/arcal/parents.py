"""Processes that end when their parent process ends."""

import os
import time
from multiprocessing import parent_process
from threading import Thread
from typing import Any


def end_with_parent() -> None:
    """End this process, which multiprocessing started, as soon as its parent process ends.

    A killed process cannot end its children, and a child that computes or waits for another process
    would not notice. Does nothing in a process that multiprocessing did not start.

    >>> end_with_parent()
    """
    if (parent := parent_process()) is not None:
        Thread(target=_exit_with, args=(parent,), daemon=True).start()


def end_with_launcher() -> None:
    """End this process as soon as its parent process ends, whichever program that is.

    Not for a process that may outlive its parent, such as one that a shell starts with `nohup`.
    """
    Thread(target=_exit_without, args=(os.getppid(),), daemon=True).start()


def _exit_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _exit_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
