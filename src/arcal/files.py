"""Files that are complete or absent: written under a temporary name, then renamed."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

try:
    import fcntl
except ImportError:  # Windows has no fcntl: there, only one process may train or score a run
    fcntl = None


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write` with the path of a temporary file, then rename that file to `path`.

    Missing folders are made. When `write` raises, the temporary file is removed and whatever `path`
    held before stays.

    >>> write_whole(Path("notes/hello.txt"), lambda path: path.write_text("hello"))
    >>> Path("notes/hello.txt").read_text()
    'hello'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{token_hex(4)}")
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        write(temporary)
        temporary.chmod(mode)  # some writers replace the file with one only its owner can read
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename is None and error.errno is not None:  # such as of a full disk
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock on the file `path` while the block runs; other processes wait for it.

    The lock is released when the process ends, however it ends. Windows has no such lock.

    >>> with locked(Path("notes/.lock")):
    ...     pass  # no other process is in such a block
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON.

    >>> write_json(Path("notes/seeds.json"), {"seeds": [0, 1]})
    >>> json.loads(Path("notes/seeds.json").read_text())
    {'seeds': [0, 1]}
    """
    write_whole(path, lambda temporary: temporary.write_text(json.dumps(value, indent=2) + "\n"))
