"""Copies of files from elsewhere, in the user's cache: those used longest ago make room for others.

Readers open a file whenever they need some of it, so a process holds a shared lock on each folder
that it has copies in, until it ends. Nothing is deleted in a folder that is locked.
"""

import logging
import os
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from arcal.errors import ArcalError
from arcal.files import locked

log = logging.getLogger(__name__)

USUAL = 100.0
"""GiB that all copies have together, unless ARCAL_CACHE_LIMIT says otherwise."""
IN_USE = ".in-use"

_held = ExitStack()
_folders: set[Path] = set()


def cache_limit() -> float:
    """The bytes that all copies may have: `ARCAL_CACHE_LIMIT` in GiB, or `USUAL`."""
    given = os.environ.get("ARCAL_CACHE_LIMIT") or USUAL
    try:
        GiB = float(given)
    except ValueError:
        GiB = -1.0
    if not GiB > 0:
        raise ArcalError(f"ARCAL_CACHE_LIMIT={given}: give GiB above 0, or inf for no limit")
    return GiB * 2**30


def use(folder: Path) -> None:
    """Keep what is in a folder from being deleted until this process ends."""
    if folder not in _folders:
        _held.enter_context(locked(folder / IN_USE, shared=True))
        _folders.add(folder)


def facts_of(copy: Path) -> Path:
    """The file that says what a copy is of; its time is when the copy was last used."""
    return copy.with_name(f".{copy.name}.json")


def lock_of(copy: Path) -> Path:
    """The lock of who makes a copy."""
    return copy.with_name(f".{copy.name}.lock")


def delete_unused(root: Path, most: float) -> None:
    """Delete the copies in `root` that were used longest ago, until all have at most `most` bytes.

    Those in a folder that this or another process uses stay, and so may be more than that.
    """
    sizes: dict[Path, int] = {}
    for path in root.rglob("*"):
        with suppress(FileNotFoundError):  # another process may delete some meanwhile
            if path.name[:1] != "." and stat.S_ISREG((about := path.stat()).st_mode):
                sizes[path] = about.st_size
    left = sum(sizes.values())
    for copy in sorted(sizes, key=_last_used):
        if left <= most:
            return
        if copy.parent in _folders:
            continue
        with locked(copy.parent / IN_USE, wait=False) as alone:
            if alone:
                for path in (copy, facts_of(copy), lock_of(copy)):
                    path.unlink(missing_ok=True)
                left -= sizes[copy]
                log.info(f"deleted {copy}, which was used longest ago")
    if left > most:
        log.info(f"{root} has {left / 2**30:.3g} GiB, all of it in use: more than its limit")


def _last_used(copy: Path) -> int:
    for path in (facts_of(copy), copy):
        with suppress(OSError):
            return path.stat().st_mtime_ns
    return 0
