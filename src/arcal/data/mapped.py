"""Images in one file with their digest after them, read through a map of it into memory."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.lib.format import write_array_header_1_0

from arcal.files import NO_ARRAY

ROWS = 500
"""Images that are digested at a time."""
DIGEST = 16
"""Bytes after an array that are the digest of its shape and its content."""


def write_mapped(path: Path, shape: tuple[int, ...], parts: Iterable[np.ndarray]) -> None:
    """Write uint8 images of this whole shape (N, C, H, W), which come part by part, as `.npy`.

    Not through a map: writing to a mapped file on a full disk kills the process.
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
    """The images of such a file, which nobody else sees changed; None of a damaged one.

    Every byte is read once, to be held against the digest; files of earlier versions have none.

    >>> write_mapped(Path("two.npy"), (2, 1, 1, 1), [np.array([[[[7]]], [[[8]]]], np.uint8)])
    >>> read_mapped(Path("two.npy")).ravel()
    memmap([7, 8], dtype=uint8)
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
    except FileNotFoundError:  # deleted since, as one of too many
        return None
    if not written:
        return mapped
    digest = _digest_of(mapped.shape)
    for rows in range(0, len(mapped), ROWS):
        digest.update(np.ascontiguousarray(mapped[rows : rows + ROWS]).data)
    return mapped if digest.digest() == written else None


def delete_oldest(folder: Path, pattern: str, most: int) -> None:
    """Delete what was used longest ago until the rest has no more than `most` bytes.

    The file used last is kept, whatever its size. One that is mapped stays readable where it is.
    """
    by_age = sorted((p.stat().st_mtime_ns, p) for p in folder.glob(pattern))
    left = sum(path.stat().st_size for _, path in by_age)
    for _, path in by_age[:-1]:
        if left <= most:
            return
        left -= path.stat().st_size
        path.unlink(missing_ok=True)


def _digest_of(shape: tuple[int, ...]) -> blake2b:
    return blake2b(repr(tuple(shape)).encode(), digest_size=DIGEST)
