"""Random splits of a part, and smaller parts with fewer images or classes."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import torch

from arcal.data.folder import Folder
from arcal.data.part import InMemory, Part
from arcal.errors import ArcalError

P = TypeVar("P", bound=Part)


def split(
    part: InMemory | Folder, size: int, *, split_seed: int, names: tuple[str, str]
) -> tuple[Part, Part]:
    """Split a part at random into one of `size` images and the rest, each with ascending ids.

    The split depends only on the split seed, the number of images and `size`, not on the seed of a
    run, so that compared runs share it. A size that leaves one side empty raises `ArcalError`.
    """
    N = len(part)
    if not 1 <= size < N:
        sizes = f"choose a validation size (--validation) of 1 to {N - 1}"
        raise ArcalError(
            f"{part.name} has {N} images, so a split of {size} is impossible: "
            f"{sizes if N > 1 else 'give data with more'}"
        )
    drawn = torch.zeros(N, dtype=torch.bool, device="cpu")
    drawn[torch.randperm(N, generator=generator(f"split/{split_seed}"), device="cpu")[:size]] = True
    ids = part.ids.sort().values
    return part.subset(ids[drawn], names[0]), part.subset(ids[~drawn], names[1])


def generator(name: str) -> torch.Generator:
    """A generator seeded by the name of the draw."""
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))


def drawn(part: P, count: int | None, *, split_seed: int) -> P:
    """A random `count` images of the part, ascending by id; the part itself for None.

    The draw depends only on the split seed and the number of images, and a larger draw contains
    every smaller one. A count that the part does not have raises `ArcalError`.
    """
    if count is None:
        return part
    if not 1 <= count <= len(part):
        raise ArcalError(
            f"{part.name} has {len(part)} images, not {count}: choose from 1 to {len(part)}"
        )
    order = torch.randperm(len(part), generator=generator(f"fewer/{split_seed}"), device="cpu")
    return part.subset(part.ids.sort().values[order[:count]].sort().values)


def only_classes(part: Any, classes: Sequence[int] | None) -> Any:
    """The images of a part whose classes are given; their labels become 0, 1, ... in that order.

    Ids stay as they are; None returns the part itself. Fewer than two classes, an unknown or
    repeated class, or a part that is not in memory raises `ArcalError`.
    """
    if classes is None:
        return part
    Z = len(part.classes)
    if len(set(classes)) < max(2, len(classes)) or not all(0 <= z < Z for z in classes):
        raise ArcalError(
            f"classes are {list(classes)}: give two or more of 0 to {Z - 1}, each once"
        )
    if not isinstance(part, InMemory):
        raise ArcalError(
            f"{part.name} is read from image files, where classes cannot be selected: leave out "
            "classes"
        )
    label = torch.full((Z,), -1, device="cpu")
    label[list(classes)] = torch.arange(len(classes), device="cpu")
    chosen = part.subset(part.ids[label[part.labels] >= 0])
    names = tuple(part.classes[z] for z in classes)
    return dataclasses.replace(chosen, labels=label[chosen.labels], classes=names)
