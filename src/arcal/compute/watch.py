"""Progress of work in other processes, which report it through files."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watched(report: Callable[[], object]) -> Iterator[None]:
    """Call `report` every second while the block runs, and once after it.

    >>> with watched(lambda: print("nothing left to do")):
    ...     pass
    nothing left to do
    """
    finished = threading.Event()

    def watch() -> None:
        while not finished.wait(1.0):
            report()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()
        report()
