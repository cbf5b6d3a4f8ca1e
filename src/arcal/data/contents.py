"""The contents of image files, checked without reading files twice.

The fingerprint of a part of files covers their names and sizes, which a replaced file may share. So
results are kept with two more facts: the *stamp* of the files, which shows quickly that none was
touched, and the *digest* of their contents, which decides if the stamp has changed. Files are
hashed when they are decoded; only files that were not are read for the digest.
"""

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from torch import Tensor

from arcal.errors import ArcalError


class Contents:
    """The stamps and digests of N files, by position; `path` gives the path of each."""

    def __init__(self, path: Callable[[int], Path], N: int) -> None:
        self.path = path
        # A stamp and a digest of each file; zeros mean unknown.
        self.known: npt.NDArray[np.uint8] = np.zeros((N, 32), np.uint8)

    def read(self, position: int) -> bytes:
        """The bytes of a file, whose stamp and digest are remembered."""
        try:
            with self.path(position).open("rb") as file:
                stamp = _stamp(os.fstat(file.fileno()))
                data = file.read()
        except OSError as error:
            raise ArcalError(
                f"{self.path(position)}: the image cannot be read ({error.strerror})"
            ) from error
        digest = blake2b(data, digest_size=16).digest()
        self.known[position] = np.frombuffer(stamp + digest, np.uint8)
        return data

    def digest(self, position: int) -> bytes:
        """The digest of a file's content, 16 bytes; it is read only if touched since."""
        if self.known[position, :16].tobytes() != self.stamp(position):
            self.read(position)
        return self.known[position, 16:].tobytes()

    def stamp(self, position: int) -> bytes:
        """16 bytes for a file's size, its inode, and its times of modification and change."""
        return _stamp(self.stat(position))

    def stat(self, position: int) -> os.stat_result:
        """What the file system says about a file; a missing one raises `ArcalError`."""
        try:
            return self.path(position).stat()
        except OSError as error:
            raise ArcalError(f"{self.path(position)} cannot be read ({error.strerror})") from error


def _stamp(about: os.stat_result) -> bytes:
    facts = about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns
    return blake2b(repr(facts).encode(), digest_size=16).digest()


class Files(NamedTuple):
    """The files of some inputs: the contents of all files, and the positions of these.

    >>> for name in "ab":
    ...     _ = Path(f"{name}.png").write_text(name)
    >>> files = Files(Contents(lambda i: Path("ab"[i] + ".png"), 2), [0, 1])
    >>> before = files.digest()
    >>> _ = Path("b.png").write_text("c")  # as long as it was
    >>> files.digest() == before
    False
    """

    contents: Contents
    positions: list[int]

    def sizes(self) -> npt.NDArray[np.int64]:
        """How many bytes each file has, `(n,)`; a missing file raises `ArcalError`."""
        return np.array([self.contents.stat(one).st_size for one in self.positions], np.int64)

    def known(self) -> np.ndarray:
        """What this process knows about them, uint8 `(n, 32)`, for `learn` in another one."""
        return self.contents.known[self.positions]

    def learn(self, known: np.ndarray) -> None:
        """Take over what another process knows about them."""
        rows = known.any(axis=1)
        self.contents.known[np.array(self.positions, np.int64)[rows]] = known[rows]

    def stamp(self) -> str:
        """32 hexadecimal digits of their stamps."""
        return self._joined(self.contents.stamp)

    def digest(self) -> str:
        """32 hexadecimal digits of their contents."""
        return self._joined(self.contents.digest)

    def _joined(self, fact: Callable[[int], bytes]) -> str:
        return blake2b(b"".join(map(fact, self.positions)), digest_size=16).hexdigest()


def files_of(part: Any, positions: Tensor | None = None) -> Files | None:
    """The files of a part, or of some positions; None if its fingerprint covers every byte."""
    files = getattr(part, "files", None)
    if files is not None:
        return files(positions)
    inner = getattr(part, "part", None)
    return None if inner is None else files_of(inner, positions)


def evidence_of(part: Any, positions: Tensor | None = None) -> dict[str, str]:
    """The facts to keep with whatever is computed from a part; {} if its fingerprint is enough."""
    files = files_of(part, positions)
    return {} if files is None else {"stamp": files.stamp(), "digest": files.digest()}


def is_evidence_of(part: Any, evidence: Any, positions: Tensor | None = None) -> bool:
    """Whether the files of a part hold what they held when this evidence was kept.

    True if there is no evidence, as in results of earlier versions.
    """
    files = files_of(part, positions)
    if files is None or not isinstance(evidence, dict) or not evidence:
        return True
    return evidence.get("stamp") == files.stamp() or evidence.get("digest") == files.digest()


def check_evidence(
    path: Path, part: Any, evidence: Any, remedy: str, positions: Tensor | None = None
) -> None:
    """Raise `ArcalError` if files of a part were replaced since `path` was computed from them."""
    if not is_evidence_of(part, evidence, positions):
        raise ArcalError(
            f"{path} is of different images from {part.name} now: a file was replaced; {remedy}"
        )
