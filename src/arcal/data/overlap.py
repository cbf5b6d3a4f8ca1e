"""Test images that are training images: how many have equal bytes."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import compress
from typing import Any

import numpy as np

from arcal.data.contents import Files, files_of
from arcal.data.encoded import Encoded
from arcal.data.encoded import Files as ImageFiles
from arcal.data.listings import Names, list_part
from arcal.data.part import InMemory, Part
from arcal.data.remote import is_remote
from arcal.data.sources import find_source
from arcal.errors import ArcalError

MOST_IMAGES, MOST_BYTES = 200_000, 2**30
"""Images of a part, and bytes of files, that are read to compare them; of more nothing is said."""


def shared_images(first: Part, second: Part) -> int | None:
    """How many images of the first part are in the second as well; None where it is not known.

    Images in memory are compared by their pixels, files by what they hold.

    >>> from arcal.data import load
    >>> data = load("fashion")
    >>> shared_images(data.test, data.train)
    0
    """
    return _shared(_images(first), _images(second))


def shared_with_training(source: str, part: str | None, names: Names) -> str | None:
    """A sentence if images of a part of a data set are among its training images, bytes by bytes.

    None if there are none, if the part is the training part or there is no other, or if so many
    would have to be read, or copied from elsewhere, that nothing is said.
    """
    if is_remote(source):
        return None
    there = find_source(source)
    try:
        key, title, paths = there.choose(part)
        if key == "train" or "train" not in there.parts:
            return None
        test = list_part(there.format, key, title, paths, names)
        train = list_part(there.format, *there.choose("train"), names)
        both = _shared(test.images, train.images)
    except ArcalError:  # the audited part was read: whatever is wrong is with the training images
        return None
    return _sentence(both, len(test.images))


def sentence_for(test: Part, train: Part) -> str | None:
    """The same of two parts that are loaded."""
    return _sentence(shared_images(test, train), len(test))


def _sentence(both: int | None, whole: int) -> str | None:
    if not both:
        return None
    are = "is" if both == 1 else "are"
    return (
        f"{both:,} of the {whole:,} test images {are} among the training images, byte by byte: "
        "what is said of them was learnt by heart"
    )


def _images(part: Part) -> np.ndarray | Files | None:
    return part.pixels.numpy() if isinstance(part, InMemory) else files_of(part)


def _shared(first: Any, second: Any) -> int | None:
    first, second = map(_as_files, (first, second))
    if first is None or second is None or max(_length(first), _length(second)) > MOST_IMAGES:
        return None
    if isinstance(first, Files) != isinstance(second, Files):
        return None
    if isinstance(first, Files):
        return _shared_files(first, second)
    known = set(_digests(second))
    return sum(digest in known for digest in _digests(first))


def _as_files(images: Any) -> Any:
    if not isinstance(images, ImageFiles):
        return images
    return Files(images.contents, list(range(len(images))))


def _length(images: Any) -> int:
    return len(images.positions) if isinstance(images, Files) else len(images)


def _digests(images: np.ndarray | Encoded) -> Sequence[bytes]:
    if isinstance(images, np.ndarray):
        rows = (np.ascontiguousarray(image).data for image in images)
    else:
        rows = (data for data in images.read(range(len(images))) if isinstance(data, bytes))
    return [blake2b(row, digest_size=16).digest() for row in rows]


def _shared_files(first: Files, second: Files) -> int | None:
    """Files are read only if one of the other part is as long."""
    sizes = [
        np.array([files.contents.path(i).stat().st_size for i in files.positions])
        for files in (first, second)
    ]
    same = [np.isin(one, other) for one, other in (sizes, sizes[::-1])]
    if sum(int(size[mask].sum()) for size, mask in zip(sizes, same, strict=True)) > MOST_BYTES:
        return None
    digests = [
        list(map(files.contents.digest, compress(files.positions, mask)))
        for files, mask in zip((first, second), same, strict=True)
    ]
    known = set(digests[1])
    return sum(digest in known for digest in digests[0])
