"""Files that are complete or absent: written under a temporary name, then renamed."""

import errno
import json
import os
import platform
import stat
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from glob import escape
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from secrets import token_hex
from tokenize import TokenError
from typing import Any
from zipfile import BadZipFile

from arcal.errors import ArcalError

try:
    import fcntl
except ImportError:  # Windows has no fcntl: there, only one process may train or score a run
    fcntl = None


def meant(path: Path) -> str | None:
    """The end of an error on a path that is not there: what is like it beside it, if anything is.

    >>> Path("predictions.csv").touch()
    >>> meant(Path("prediction.csv")), meant(Path("nowhere"))
    ('did you mean predictions.csv?', None)
    """
    try:
        beside = [one.name for one in islice(path.parent.iterdir(), 10_000)]
    except OSError:  # there is no such folder, or it may not be listed
        return None
    close = [
        str(path.parent / one) for one in get_close_matches(path.name, beside, n=2, cutoff=0.75)
    ]
    return f"did you mean {' or '.join(close)}?" if close else None


def expanded(path: Path | str) -> Path:
    """The path with `~` expanded; an unknown user, or a loop of links, raises `ArcalError`.

    >>> expanded("~/nets") == Path.home() / "nets"
    True
    """
    try:
        whole = Path(path).expanduser()
        whole.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error).rstrip(".").lower()
        raise ArcalError(
            f"{path} is not a path ({reason}): write it out, or name another"
        ) from None
    return whole


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with the path of a temporary file, then rename that file to `path`.

    Missing folders are created. When `write` raises, the temporary file is removed and `path` keeps
    what it held before. Temporary files for the same path that killed processes left on this
    machine are removed.

    >>> write_whole(Path("notes/hello.txt"), lambda path: path.write_text("hello"))
    >>> Path("notes/hello.txt").read_text()
    'hello'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mark = f".{path.name}.{HOST}."
    temporary = path.with_name(f"{mark}{os.getpid()}.{token_hex(4)}")
    for left in path.parent.glob(f"{escape(mark)}*"):
        if not _runs(left.name.removeprefix(mark).partition(".")[0]):
            left.unlink(missing_ok=True)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)  # some writers replace the file with one only its owner can read
        with temporary.open("r+b") as file:  # Windows flushes only what is open for writing
            os.fsync(file.fileno())
        _replace(temporary, path)
    except OSError as error:
        if error.filename is None and error.errno is not None:  # such as for a full disk
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


WAITS = (0.01, 0.1, 1.0) if os.name == "nt" else ()
"""Seconds between attempts to replace a file: Windows refuses while another process reads it."""


def _replace(temporary: Path, path: Path) -> None:
    for seconds in WAITS:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            time.sleep(seconds)
    temporary.replace(path)


HOST = blake2b(platform.node().encode(), digest_size=3).hexdigest()
"""Part of a temporary file's name: only its own machine knows whether a process still runs."""


def _runs(process: str) -> bool:
    """Whether a process with this id runs, or may run, on this machine."""
    if os.name != "posix" or not process.isdecimal():
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass
    return True


NO_ARRAY = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    SyntaxError,
    TokenError,
    AttributeError,
    KeyError,
    RuntimeError,  # NotImplementedError included: an archive's unsupported compression method
    BadZipFile,
    struct.error,
    zlib.error,
)
"""What NumPy raises for a file that is not `.npy` or `.npz`: it evaluates the header."""

MARKS = {
    ".html": b'<meta name="generator" content="arcal">',
    ".json": b'"arcal": "',
    ".md": b"Audited with arcal ",
    ".safetensors": b"arcal ",  # in the header's metadata, which comes first
    ".parquet": b"arcal",  # a key of the schema's metadata
}
"""By file extension, the bytes that show that arcal wrote a file."""


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON text; invalid JSON, or JSON nested too deeply, raises `ValueError`.

    >>> parse_json("[1, 2]")
    [1, 2]
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_replaceable(path: Path) -> None:
    """Raise `ArcalError` if there is a file at `path` that arcal did not write.

    A path that users name may be a file of their own, which must not be replaced.

    >>> _ = Path("mine.json").write_text('{"seeds": [0, 1]}')
    >>> check_replaceable(Path("mine.json"))
    Traceback (most recent call last):
    arcal.errors.ArcalError: mine.json exists, and arcal did not write it: ...
    """
    if path.is_symlink() and not path.exists():
        raise ArcalError(f"{path} is a broken symbolic link: delete it, or name another place")
    if path.exists() and not _is_marked(path):
        raise ArcalError(
            f"{path} exists, and arcal did not write it: name another place, or move it"
        )


def _is_marked(path: Path) -> bool:
    mark = MARKS.get(path.suffix)
    if mark is None or not path.is_file() or not (size := path.stat().st_size):
        return False
    if path.suffix != ".parquet":
        with path.open("rb") as file:
            return mark in file.read(size if path.suffix == ".md" else 2000)
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return mark in (pq.read_schema(path).metadata or {})
    except (ArrowException, OSError, ValueError):  # ValueError: names that are not UTF-8
        return False


NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""Errors from file systems without locks, such as some network file systems."""


@contextmanager
def locked(
    path: Path, *, shared: bool = False, wait: bool = True, needed: bool = True
) -> Iterator[bool]:
    """Hold a lock on the file `path` while the block runs; other processes wait for it.

    Several processes can hold a `shared` lock. The block gets whether the lock is held: without
    `wait`, False if others hold it. The lock is released when the process ends, however it ends. On
    Windows, which has no such lock, it is never held; a file system without locks raises
    `ArcalError`. In both cases a lock that is not `needed` counts as held. A symbolic link at
    `path` raises `ArcalError`: nothing is opened through it.

    >>> with locked(Path("notes/.lock")):
    ...     pass  # no other process is in such a block
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        file = os.open(path, flags, 0o666)
    except OSError:
        if path.is_symlink():
            raise ArcalError(
                f"{path} is a symbolic link, but a lock is needed: delete it"
            ) from None
        raise
    held = fcntl is None and not needed
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ArcalError(f"{path} is not a file, so it cannot be a lock: delete it")
        if fcntl is not None:
            try:
                kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
                fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)
                held = True
            except BlockingIOError:
                pass
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                if needed:
                    raise ArcalError(
                        f"{path}: its file system has no locks ({error.strerror}), without which "
                        "two processes would write the same files: name a folder on another one"
                    ) from None
                held = True
        yield held
    finally:
        os.close(file)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON.

    >>> write_json(Path("notes/seeds.json"), {"seeds": [0, 1]})
    >>> json.loads(Path("notes/seeds.json").read_text())
    {'seeds': [0, 1]}
    """
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_text(path: Path, text: str) -> None:
    r"""Write a text as UTF-8, with the same line endings on every system.

    >>> write_text(Path("notes/mean.txt"), "0.5 ± 0.1")
    >>> Path("notes/mean.txt").read_bytes()
    b'0.5 \xc2\xb1 0.1'
    """
    write_whole(path, lambda temporary: temporary.write_bytes(text.encode()))
