"""The line that is printed when a command fails, and where its traceback is."""

import errno
import os
import re
import tempfile
import traceback
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
