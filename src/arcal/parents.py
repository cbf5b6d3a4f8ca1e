"""Processes that end with the one that started them."""

import os
import time
from multiprocessing import parent_process
from threading import Thread
from typing import Any


def end_with_parent() -> None:
    """End this process, which multiprocessing started, as soon as the one that started it ends.

    A killed process cannot end those it started, and one that waits for another, or computes, would
    not notice. In a process that multiprocessing did not start nothing happens.

    >>> end_with_parent()
    """
    if (parent := parent_process()) is not None:
        Thread(target=_exit_with, args=(parent,), daemon=True).start()


def end_with_launcher() -> None:
    """End this process as soon as the one that started it ends, whichever program that is.

    To be called where it must not outlive that: a shell with `nohup` is to be outlived.
    """
    Thread(target=_exit_without, args=(os.getppid(),), daemon=True).start()


def _exit_without(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _exit_with(parent: Any) -> None:
    parent.join()
    os._exit(1)
