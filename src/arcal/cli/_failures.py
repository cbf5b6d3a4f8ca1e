"""The line that is printed when a command fails, and where its traceback is.

Also the time limit, after which a command stops; it continues when it is run again.
"""

import errno
import os
import re
import signal
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arcal.errors import ArcalError
from arcal.printable import one_line

KEPT = "finished work is kept, and the same command continues"

NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can.t allocate|cannot allocate|unable to allocate|bad_alloc"
    r"|alloc failed",
    re.IGNORECASE,
)
"""Messages of libraries that run out of memory; some raise a plain RuntimeError."""

NOT_LOADED = re.compile(r"shared object|open files|DLL load failed|mmap", re.IGNORECASE)
"""Messages of the dynamic linker when it runs out of memory or of open files."""


def line_for(error: BaseException) -> str:
    """The line for an error; for an unforeseen one it names a file with the traceback."""
    if isinstance(error, ArcalError):
        return one_line(error)
    words = one_line(error)
    if isinstance(error, MemoryError) or NO_MEMORY.search(words):
        reason = f" ({words})" if words else ""
        return (
            f"memory ran out{reason}: run fewer inputs at a time (--batch), smaller images (--size)"
            f" or fewer processes (--workers); {KEPT}"
        )
    if isinstance(error, OSError):
        return _about_file(error)
    if isinstance(error, ImportError) and NOT_LOADED.search(words):
        return (
            f"a library cannot be loaded ({words}): raise the limits on memory and of open files "
            "(`ulimit -a` shows them)"
        )
    log = _log(error)
    where = f"the traceback is in {log}, and" if log else "the same command with"
    shows = "--debug prints it" if log else "--debug prints the traceback"
    return f"unforeseen {type(error).__name__}{f': {words}' if words else ''}; {where} {shows}"


def _about_file(error: OSError) -> str:
    """The line for an error with a file: which file, what is wrong, and what to do."""
    files = one_line(" and ".join(str(name) for name in (error.filename, error.filename2) if name))
    reason = one_line(error.strerror or error).lower()
    if error.errno is None:
        return f"{one_line(error)}; {KEPT}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"{files or 'a file'}: {reason}: free some space or repair the disk; {KEPT}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{files or 'a file'}: {reason}: raise the limit (`ulimit -n`); {KEPT}"
    return f"{files or 'a file'}: {reason}; put that right, or name another place"


def _log(error: BaseException) -> Path | None:
    """A new file with the traceback; None if none can be written."""
    text = "".join(traceback.format_exception(error))
    try:
        handle, name = tempfile.mkstemp(prefix="arcal-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return None
    return Path(name)


class TimeIsUp(KeyboardInterrupt):
    """Stops a command like Ctrl-C: processes end, and finished work is kept."""


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """Raise `TimeIsUp` in this block, in the main thread, once `minutes` have passed.

    Without `minutes` there is no limit. A number that is not above 0, or infinite, raises
    `ArcalError`; on Windows, any number does.
    """
    if minutes is None:
        yield
        return
    if not 0 < minutes < float("inf"):
        raise ArcalError(f"--minutes {minutes:g}: give more than 0")
    if not hasattr(signal, "setitimer"):
        raise ArcalError(
            "--minutes needs a timer that Windows does not have: leave it out and press Ctrl-C "
            f"when it is time; {KEPT}"
        )

    def stop(number: int, frame: object) -> None:
        raise TimeIsUp(f"{minutes:g} minutes are over")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
