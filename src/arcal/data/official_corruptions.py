"""The official corrupted test sets of Hendrycks and Dietterich (2019), from a folder on disk.

CIFAR-10-C and CIFAR-100-C are folders of arrays (`cifar_c`), ImageNet-C is a folder of images
(`imagenet_c`). Each corruption is read as a part with the ids of the clean test set.
"""

from pathlib import Path

from arcal.data.cifar_c import open_cifar_c
from arcal.data.imagenet_c import open_imagenet_c
from arcal.data.part import Part
from arcal.errors import ArcalError
from arcal.transforms.corruptions import CORRUPTIONS


def official_types(root: Path) -> tuple[str, ...]:
    """The corruptions in the folder, in the order of `CORRUPTIONS`; none raises `ArcalError`."""
    types = tuple(t for t in CORRUPTIONS if (root / f"{t}.npy").is_file() or (root / t).is_dir())
    if not types:
        raise ArcalError(
            f"{root} holds no corrupted set: give a folder with labels.npy and files such as "
            "fog.npy (CIFAR-10-C, CIFAR-100-C) or folders such as fog/1/CLASS/IMAGE (ImageNet-C)"
        )
    return types


def open_official(root: Path, type: str, intensity: int, clean: Part) -> Part:
    """Open one corruption of an official set as a part whose images are read on demand.

    `root` is the unpacked archive, and `clean` the clean test set or a subset of it; the result has
    its ids, labels, classes and shape, in its order. A type that the folder does not have, an
    intensity outside 1 .. 5, and a set that is incomplete or does not match the clean images raise
    `ArcalError`.

    >>> import numpy as np, torch
    >>> from arcal.data import InMemory
    >>> root = Path("CIFAR-C")  # a small one, of two images
    >>> root.mkdir(exist_ok=True)
    >>> np.save(root / "labels.npy", np.array(5 * [0, 1]))
    >>> np.save(root / "fog.npy", np.arange(10, dtype=np.uint8).repeat(12).reshape(10, 2, 2, 3))
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 3, 2, 2, dtype=torch.uint8)
    >>> clean = InMemory("toy/test", ids, ids, ("cat", "dog"), pixels)
    >>> foggy = open_official(root, "fog", 3, clean)
    >>> foggy.images(torch.tensor([0, 1]))[:, 0, 0, 0]  # rows 4 and 5
    tensor([4, 5], dtype=torch.uint8)
    """
    if type not in (types := official_types(root)):
        raise ArcalError(f"{root} has no corruption {type!r}: choose from {', '.join(types)}")
    if intensity not in range(1, 6):
        raise ArcalError(f"intensity {intensity} of {type} is unknown: choose 1 to 5")
    name = f"{clean.name} under official {type}, intensity {intensity}"
    if (root / f"{type}.npy").is_file():
        return open_cifar_c(root, type, intensity, clean, name)
    return open_imagenet_c(root / type / str(intensity), clean, name)
