"""Images decoded from files once, kept in the user's cache, and mapped into memory.

They are known by the contents of the files, never by their names. A damaged file in the cache is
written again; if it cannot be written, the images are used without it.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np
import PIL
from numpy.lib.format import write_array_header_1_0

from arcal.files import NO_ARRAY, write_whole

FORMAT = 3
"""Increased when a change of the code changes what is decoded."""
WORTH = 2**20
"""From this many bytes of files on, images are kept: fewer are decoded in a fraction of a
second."""
MOST = 4 * 2**30
"""The most bytes of all kept files together; those used least recently make room for new ones."""
MARK = "decoded-"


def cache_folder() -> Path | None:
    """`ARCAL_CACHE`, or arcal's folder in the user's cache; None if that variable is empty."""
    given = os.environ.get("ARCAL_CACHE")
    if given is not None:
        return Path(given).expanduser() if given else None
    usual = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(usual) if usual else Path.home() / ".cache") / "arcal"
    except RuntimeError:  # a user without a home
        return None


def decoded(files: Sequence[Path], decode: Callable[[], np.ndarray]) -> np.ndarray:
    """The images of these files, uint8 `(N, C, H, W)`: from the cache, or else from `decode`.

    Errors of `decode` are not caught, and nothing is kept then.
    """
    folder = cache_folder()
    if folder is None or sum(file.stat().st_size for file in files) < WORTH:
        return decode()
    path = folder / f"{MARK}{_content(files)}.npy"
    with contextlib.suppress(OSError):
        if path.exists() and (mapped := read_mapped(path)) is not None:
            os.utime(path)
            return mapped
    images = decode()
    if images.nbytes <= MOST // 2:
        with contextlib.suppress(OSError):  # such as a full disk, or a folder that is not ours
            write_whole(path, lambda file: write_mapped(file, images.shape, [images]))
            delete_oldest(folder, f"{MARK}*.npy", MOST)
    return images


def _content(files: Sequence[Path]) -> str:
    """32 hexadecimal digits of the files' bytes and the version of the code that decodes them."""
    every = blake2b(f"{FORMAT} Pillow {PIL.__version__}".encode(), digest_size=16)
    for name in files:
        with name.open("rb") as file:
            every.update(file_digest(file, "sha256").digest())
    return every.hexdigest()


ROWS = 500
"""Images that are digested at a time."""
DIGEST = 16
"""Bytes after an array that hold the digest of its shape and content."""


def write_mapped(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Write uint8 images as `.npy`: of `shape` (N, C, H, W) in all, given in `parts`.

    Not through a memory map: writing to a mapped file on a full disk kills the process.
    """
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        write_array_header_1_0(file, about)
        digest = _digest_of(shape)
        for part in parts:
            images = np.ascontiguousarray(part)
            digest.update(images.data)
            file.write(images.data)
        file.write(digest.digest())


def read_mapped(path: Path) -> np.ndarray | None:
    """The images of such a file, whose changes stay private; None if the file is damaged.

    Every byte is read once to check the digest.
    """
    try:
        mapped = np.load(path, mmap_mode="c")
    except NO_ARRAY:
        return None
    if not isinstance(mapped, np.memmap) or mapped.dtype != np.uint8 or mapped.ndim != 4:
        return None
    try:
        with path.open("rb") as file:
            file.seek(mapped.offset + mapped.nbytes)
            written = file.read()
    except FileNotFoundError:  # deleted meanwhile, to make room
        return None
    digest = _digest_of(mapped.shape)
    for rows in range(0, len(mapped), ROWS):
        digest.update(np.ascontiguousarray(mapped[rows : rows + ROWS]).data)
    return mapped if digest.digest() == written else None


def delete_oldest(folder: Path, pattern: str, most: int) -> None:
    """Delete the files used least recently until the rest has no more than `most` bytes.

    The file used last is kept, whatever its size. A mapped file stays readable for those who have
    mapped it; Windows does not delete it.
    """
    files: list[tuple[int, Path, int]] = []
    for path in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # another process makes room as well
            about = path.stat()
            files.append((about.st_mtime_ns, path, about.st_size))
    left = sum(size for *_, size in files)
    for _, path, size in sorted(files)[:-1]:
        if left <= most:
            return
        with contextlib.suppress(PermissionError):
            path.unlink(missing_ok=True)
            left -= size


def _digest_of(shape: tuple[int, ...]) -> blake2b:
    return blake2b(repr(tuple(shape)).encode(), digest_size=DIGEST)
