"""Images of files that were decoded once: kept in the user's cache, and mapped into memory.

They are known by what the files hold, never by their names. A file that is damaged is made anew,
and one that cannot be written is done without.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path

import numpy as np
import PIL

from arcal.data.mapped import delete_oldest, read_mapped, write_mapped
from arcal.files import write_whole

FORMAT = 1
"""Increased when a change of the code changes what is decoded."""
WORTH = 8 * 2**20
"""Bytes of files from which on they are kept: fewer are decoded in less than half a second."""
MOST = 4 * 2**30
"""Bytes that all kept files have together; those used longest ago are deleted for new ones."""
MARK = "decoded-"


def cache_folder() -> Path | None:
    """`ARCAL_CACHE`, or arcal's folder in the user's cache; None where that variable is empty."""
    given = os.environ.get("ARCAL_CACHE")
    if given is not None:
        return Path(given).expanduser() if given else None
    usual = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(usual) if usual else Path.home() / ".cache") / "arcal"
    except RuntimeError:  # a user without a home
        return None


def decoded(files: Sequence[Path], decode: Callable[[], np.ndarray]) -> np.ndarray:
    """The images of these files, uint8 `(N, C, H, W)`: kept ones, or what `decode` makes of them.

    What `decode` raises is not caught, and nothing is kept then.
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
        with contextlib.suppress(OSError):  # such as of a full disk, or a folder that is not ours
            write_whole(path, lambda file: write_mapped(file, images.shape, [images]))
            delete_oldest(folder, f"{MARK}*.npy", MOST)
    return images


def _content(files: Sequence[Path]) -> str:
    """32 hexadecimal digits of the bytes of files, and of what decodes them."""
    every = blake2b(f"{FORMAT} Pillow {PIL.__version__}".encode(), digest_size=16)
    for name in files:
        with name.open("rb") as file:
            every.update(file_digest(file, "sha256").digest())
    return every.hexdigest()
