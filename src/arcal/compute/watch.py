"""Reporting on work that other processes do, from what they leave on disk."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watched(report: Callable[[], object]) -> Iterator[None]:
    """Call `report` every second while the block runs, and once after it."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            report()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        report()
