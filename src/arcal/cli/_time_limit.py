"""A command that stops by itself after some minutes, and goes on when it is called again."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from arcal.errors import ArcalError


class TimeIsUp(KeyboardInterrupt):
    """Stops a command as Ctrl-C does: processes end, and what was computed is kept."""


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """Raise `TimeIsUp` in this block, in the main thread, once `minutes` have passed.

    Without `minutes` there is no limit. What is not above 0, or is infinite, raises `ArcalError`.

    >>> with time_limit(60):
    ...     print("done in time")
    done in time
    """
    if minutes is None:
        yield
        return
    if not 0 < minutes < float("inf"):
        raise ArcalError(f"--minutes {minutes:g}: give more than 0")

    def stop(number: int, frame: object) -> None:
        raise TimeIsUp(f"{minutes:g} minutes are over")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
