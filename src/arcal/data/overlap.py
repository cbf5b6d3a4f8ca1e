"""Counts the test images that are also training images, byte for byte."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import compress

import numpy as np

from arcal.data.contents import Files, files_of
from arcal.data.listings import Names, list_part
from arcal.data.on_demand import OnDemand
from arcal.data.part import InMemory, Part
from arcal.data.remote import is_remote
from arcal.data.sources import find_source
from arcal.errors import ArcalError

MOST_IMAGES, MOST_BYTES = 200_000, 2**30
"""The most images of a part, and bytes of files, that are compared; larger data are not."""


def shared_images(first: Part, second: Part) -> int | None:
    """How many images of the first part are in the second as well; None if it is not known.

    Images in memory are compared by their pixels, files by their contents.
    """
    if max(len(first), len(second)) > MOST_IMAGES:
        return None
    files, others = files_of(first), files_of(second)
    if files is None or others is None:
        one, other = digests_of(first), digests_of(second)
    else:
        one, other = _digests_of_files(files, others)
    if one is None or other is None:
        return None
    known = {*other}
    return sum(digest in known for digest in one)


def shared_with_training(source: str, part: str | None, names: Names) -> str | None:
    """A sentence if images of a part are also training images of the data set, byte for byte.

    None if there are none, if the part is the training part or there is no training part, if there
    are too many to compare, or if the data are behind a URL.
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
        return sentence_for(test, train)
    except ArcalError:  # the audited part was read: whatever is wrong is with the training images
        return None


def sentence_for(test: Part, train: Part, name: str = "test") -> str | None:
    """The same for two loaded parts; the sentence calls the first by `name`."""
    both = shared_images(test, train)
    if not both:
        return None
    are = "is" if both == 1 else "are"
    return (
        f"{both:,} of the {len(test):,} {name} images {are} among the training images, byte for "
        "byte: the model has seen them"
    )


def digests_of(part: Part) -> list[bytes] | None:
    """A digest of each image, of its pixels or bytes; None for files, or if that is costly."""
    if isinstance(part, InMemory):
        images = (np.ascontiguousarray(image).data for image in part.pixels.numpy())
    elif isinstance(part, OnDemand) and part.files() is None:
        images = part.encoded.content(part.rows.tolist())
    else:
        return None
    return [blake2b(image, digest_size=16).digest() for image in images]


def _digests_of_files(*both: Files) -> Sequence[list[bytes] | None]:
    """The digests of only those files that are as long as one of the other part."""
    sizes = [files.sizes() for files in both]
    same = [np.isin(one, other) for one, other in (sizes, sizes[::-1])]
    if sum(int(size[mask].sum()) for size, mask in zip(sizes, same, strict=True)) > MOST_BYTES:
        return None, None
    return [
        list(map(files.contents.digest, compress(files.positions, mask)))
        for files, mask in zip(both, same, strict=True)
    ]
