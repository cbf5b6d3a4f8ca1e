"""Data behind a URL: files are listed, and those that are read are copied once, through fsspec.

The names, as empty files in a temporary folder, are first read by the rules of local names. The
files of the part that is read are then copied to the user's cache under their own names, and copied
again once the store says that they have changed. The copies used least recently make room for
others. Readers open a file whenever they need some of it, so a process holds a shared lock on each
folder with copies that it uses, until it ends, and nothing is deleted in a locked folder.
"""

import contextlib
import errno
import logging
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from arcal.data.decoded import cache_folder
from arcal.errors import ArcalError
from arcal.files import expanded, locked, parse_json, write_json, write_whole

log: logging.Logger = logging.getLogger(__name__)

READABLE = (".parquet", ".tar", ".csv", ".tsv", ".jsonl", ".ndjson")
"""Endings of files that are read from a URL: each file holds its own images or rows."""
DEPTH = 2
"""How deep a listing goes: 2 includes folders such as test/ in the named one."""
CHANGES = re.compile("size|e-?tag|mtime|modified|md5|crc32c|generation|created|updated", re.I)
"""Facts that a store gives about a file and that change with it."""


def is_remote(source: str | Path) -> bool:
    """Whether a source is a URL, such as s3://bucket/prefix, rather than a path.

    >>> is_remote("s3://bucket/pets"), is_remote("data/pets"), is_remote("C://pets")
    (True, False, False)
    """
    return isinstance(source, str) and bool(re.match(r"[a-z][a-z0-9+.-]+://", source, re.I))


def absolute(source: str) -> str:
    """A source that does not depend on the working folder: a URL as it is, a path in full."""
    return source if is_remote(source) else str(expanded(source).absolute())


@dataclass(frozen=True)
class Listed:
    """The files behind a URL: `path` stands for it, and `fetch` makes its files local."""

    path: Path
    fetch: Callable[[Sequence[Path]], tuple[Path, ...]]
    naming_errors: Callable[[], contextlib.AbstractContextManager[None]]
    """A context in which errors name the URL."""


@contextlib.contextmanager
def listed(url: str) -> Iterator[Listed]:
    """List the files behind the URL of a file, a folder, or a prefix such as s3://bucket/cifar10.

    A missing package, a store that refuses access, and a URL with nothing behind it raise
    `ArcalError`.

    >>> import fsspec
    >>> fsspec.filesystem("memory").pipe("/example/test.tar", b"")
    >>> with listed("memory://example") as there:
    ...     print([path.name for path in there.path.iterdir()])
    ['test.tar']
    """
    from fsspec.implementations.local import LocalFileSystem

    store, root = _opened(url)
    if isinstance(store, LocalFileSystem):
        yield Listed(Path(root), tuple, contextlib.nullcontext)
        return
    base, names = _names(url, store, root)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / (PurePosixPath(_bare(base)).name or "data")
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
        above = url.rstrip("/")[: len(url.rstrip("/")) - len(root) + len(base)]

        @contextlib.contextmanager
        def naming_errors() -> Iterator[None]:
            try:
                yield
            except ArcalError as error:
                raise ArcalError(str(error).replace(str(folder), above)) from None

        def fetch(paths: Sequence[Path]) -> tuple[Path, ...]:
            relative = [path.relative_to(folder).as_posix() for path in paths]
            return _copies(store, base, {name: names[name] for name in relative})

        rest = _bare(root)[len(_bare(base)) :].strip("/")
        with naming_errors():
            yield Listed(folder / rest, fetch, naming_errors)


def _opened(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    with _refusals(url):
        store, root = url_to_fs(url)
    return store, str(root).rstrip("/")


def _bare(path: str) -> str:
    """A path without what may follow a `?` in a URL, such as a signature."""
    return path.partition("?")[0]


def _names(url: str, store: Any, root: str) -> tuple[str, dict[str, str]]:
    """The folder that a URL means, and its files: the store's path of each, by its name there.

    No name leads out of the folder, whatever the store says.
    """
    parent = _bare(root).rpartition("/")[0]
    with _refusals(url):
        store.invalidate_cache()
        if _bare(root).lower().endswith(READABLE):
            store.info(root)
            return parent, {PurePosixPath(_bare(root)).name: root}
        paths, base = _listing(store, root), root
        if not paths:
            rest = re.compile(rf"{re.escape(root)}[-_.]")
            paths, base = [path for path in _listing(store, parent) if rest.match(path)], parent
        if not paths:
            raise FileNotFoundError(url)
    names = {path[len(base) :].lstrip("/"): path for path in paths if path.startswith(base)}
    names = {name: path for name, path in names.items() if _is_inside(name)}
    if not names:
        raise ArcalError(
            f"{url} holds nothing that can be read from a URL: give Parquet, .tar, CSV or JSON "
            "lines, by their folder or their name; folders of images have to be copied first"
        )
    return base, names


def _listing(store: Any, root: str) -> list[str]:
    try:
        return sorted(map(str, store.find(root, maxdepth=DEPTH)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _is_inside(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name.lower().endswith(READABLE) and ".." not in parts and "\\" not in name


def _copies(store: Any, base: str, names: Mapping[str, str]) -> tuple[Path, ...]:
    """Copy files to the user's cache, for use until this process ends; other copies make room."""
    cache, most = cache_folder(), cache_limit()
    if cache is None:
        first = next(iter(names.values()))
        raise ArcalError(f"{first} has to be copied, but ARCAL_CACHE is empty: name a folder by it")
    root = cache / "remote"
    scheme = store.protocol if isinstance(store.protocol, str) else store.protocol[0]
    place = re.sub(r"^[a-z]+://|[:?*<>|\"\\]", "", _bare(base)).strip("/").split("/")
    folder = root.joinpath(scheme, *(part for part in place if part != ".."))
    copies = {folder / name: path for name, path in names.items()}
    for copy in copies:
        use(copy.parent)
    if any([_is_new(store, path, copy) for copy, path in copies.items()]):
        delete_unused(root, most)
    return tuple(copies)


def _is_new(store: Any, path: str, copy: Path) -> bool:
    """Make a copy unless it has the size and facts of the file; returns whether it was made."""
    facts = facts_of(copy)
    with locked(lock_of(copy)):
        with _refusals(path):
            about = store.info(path)
        known = {key: str(value) for key, value in about.items() if CHANGES.search(key)}
        if copy.exists() and _read(facts) == known and about.get("size") in (None, _size(copy)):
            os.utime(facts)
            return False
        started = monotonic()
        facts.unlink(missing_ok=True)
        with _refusals(path):
            write_whole(copy, lambda temporary: store.get_file(path, str(temporary)))
        if about.get("size") not in (None, _size(copy)):
            raise ArcalError(f"{path} was cut off on the way: run the command again")
        write_json(facts, known)
        log.info(f"copied {path} to {copy} in {monotonic() - started:.1f} s")
    return True


def _size(path: Path) -> int:
    return path.stat().st_size


def _read(facts: Path) -> Any:
    try:
        return parse_json(facts.read_bytes())
    except (OSError, ValueError):
        return None


@contextlib.contextmanager
def _refusals(url: str) -> Iterator[None]:
    """Turn whatever a store raises into one line, unless this machine's disk is full."""
    try:
        yield
    except ArcalError:
        raise
    except Exception as error:  # each store has its own errors
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
            error = error.__cause__  # any failed request to a web server
        reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
        kind, status = type(error).__name__, getattr(error, "status", 0)
        if isinstance(error, ImportError):
            advice = f'cannot be read ({reason}): pip install "arcal[remote]", or that package'
        elif isinstance(error, FileNotFoundError) or status == 404:
            advice = "is not there: give the URL of a file, a folder or the beginning of a name"
        elif (
            isinstance(error, PermissionError)
            or status in (401, 403)
            or re.search("Credential|Auth|Forbidden", kind)
        ):
            advice = (
                f"refuses access without credentials ({reason}): give those that its package "
                "looks for, such as AWS_PROFILE or GOOGLE_APPLICATION_CREDENTIALS"
            )
        else:
            advice = f"cannot be read ({kind}: {reason}): try again, or copy it first"
        raise ArcalError(f"{_bare(url)} {advice}") from None


USUAL = 100.0
"""The most GiB of all copies together, unless ARCAL_CACHE_LIMIT says otherwise."""
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
    """The file with the store's facts about a copy; its time is when the copy was last used."""
    return copy.with_name(f".{copy.name}.json")


def lock_of(copy: Path) -> Path:
    """The lock that is held while a copy is made."""
    return copy.with_name(f".{copy.name}.lock")


def delete_unused(root: Path, most: float) -> None:
    """Delete the least recently used copies in `root`, until all have at most `most` bytes.

    Copies in a folder that this or another process uses stay, so there may be more than that.
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
