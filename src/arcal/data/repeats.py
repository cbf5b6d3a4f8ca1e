"""Inputs that are in a data set more than once, and perhaps under several labels."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from arcal.data.contents import Files, files_of
from arcal.data.overlap import MOST_BYTES, MOST_IMAGES, digests_of
from arcal.data.part import Part
from arcal.errors import ArcalError


class Repeats(NamedTuple):
    """How many inputs occur more than once, and how many of these under several labels.

    `pair` has the positions of two that are the same, with two labels if there are such. Made by
    `repeats`.
    """

    n: int
    contradicted: int
    pair: tuple[int, int]

    def sentence(self, of: str, name: Callable[[int], str]) -> str:
        """A line about these inputs `of` a data set; `name` gives the name at a position.

        >>> Repeats(4, 2, (0, 3)).sentence("the 60 images", lambda i: f"{i}.png")
        '4 of the 60 images occur more than once, and 2 of these have several labels, which \
cannot all be right: 0.png is 3.png'
        """
        said = f"{self.n:,} of {of} occur more than once"
        if self.contradicted:
            some = "they" if self.contradicted == self.n else f"{self.contradicted:,} of these"
            said += f", and {some} have several labels, which cannot all be right"
        one, other = map(name, self.pair)
        return f"{said}: {one} is {other}"


def repeats(keys: Sequence[Hashable], labels: Tensor) -> Repeats | None:
    """The repeats among inputs with labels `(N,)`; inputs that are the same have equal `keys`.

    The key None means that an input is like no other.

    >>> import torch
    >>> repeats(["a", "b", "a", "c", "b", "b"], torch.tensor([0, 1, 0, 1, 1, 0]))
    Repeats(n=5, contradicted=3, pair=(1, 5))
    """
    counts = Counter(key for key in keys if key is not None)
    several = {key for key, count in counts.items() if count > 1}
    if not several:
        return None
    first, contradicted = dict[Hashable, int](), dict[Hashable, tuple[int, int]]()
    alike: tuple[int, int] | None = None
    for i, (key, label) in enumerate(zip(keys, labels.tolist(), strict=True)):
        if key not in several or (j := first.setdefault(key, i)) == i:
            continue
        alike = alike or (j, i)
        if label != int(labels[j]):
            contradicted.setdefault(key, (j, i))
    assert alike is not None
    n, doubted = (sum(counts[key] for key in some) for some in (several, contradicted))
    return Repeats(n, doubted, next(iter(contradicted.values()), alike))


def contradicted(train: Part) -> str | None:
    """A sentence if training images occur under several labels, or None."""
    same = repeated_images(train)
    if same is None or not same.contradicted:
        return None
    key: Callable[[int], str] = getattr(train, "path", lambda i: f"image {train.ids[i]}")
    return same.sentence(f"the {len(train):,} training images", lambda i: str(key(i)))


def repeated_images(part: Part) -> Repeats | None:
    """The images of a part with equal pixels or files; None if there are none, or it is unknown.

    A file is read only if another is as long.
    """
    if len(part) > MOST_IMAGES:
        return None
    files = files_of(part)
    if files is not None:
        keys = _keys_of_files(files)
    else:
        while (inner := getattr(part, "part", None)) is not None:
            part = inner
        keys = digests_of(part)
    return None if keys is None else repeats(keys, part.labels)


def _keys_of_files(files: Files) -> list[Hashable] | None:
    try:
        sizes = files.sizes()
    except ArcalError:  # reported when they are read
        return None
    _, place, counts = np.unique(sizes, return_inverse=True, return_counts=True)
    alike = counts[place] > 1
    if int(sizes[alike].sum()) > MOST_BYTES:
        return None
    keys: list[Hashable] = [None] * len(sizes)
    for i in np.flatnonzero(alike):
        keys[i] = files.contents.digest(files.positions[i])
    return keys
