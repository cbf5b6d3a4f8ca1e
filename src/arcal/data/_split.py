"""Random splits of one part of a data set."""

import hashlib

import torch

from arcal.data.folder import Folder
from arcal.data.part import InMemory, Part
from arcal.errors import ArcalError


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
    drawn = torch.zeros(N, dtype=torch.bool)
    drawn[torch.randperm(N, generator=generator(f"split/{split_seed}"))[:size]] = True
    ids = part.ids.sort().values
    return part.subset(ids[drawn], names[0]), part.subset(ids[~drawn], names[1])


def generator(name: str) -> torch.Generator:
    """A generator seeded by the name of the draw."""
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big"))
