"""The corrupted test sets of Hendrycks and Dietterich (2019), where a user has them.

CIFAR-10-C and CIFAR-100-C are folders of arrays (`cifar_c`), ImageNet-C is one of images
(`imagenet_c`). Either becomes a part with the ids of its clean test set.
"""

from pathlib import Path

from arcal.data.cifar_c import open_cifar_c
from arcal.data.imagenet_c import open_imagenet_c
from arcal.data.part import Part
from arcal.errors import ArcalError
from arcal.transforms.corruptions import CORRUPTIONS


def official_types(root: Path) -> tuple[str, ...]:
    """Those of the 19 `CORRUPTIONS` that the folder holds, in their order. None at all raises."""
    there = tuple(t for t in CORRUPTIONS if (root / f"{t}.npy").is_file() or (root / t).is_dir())
    if not there:
        raise ArcalError(
            f"{root} holds no corrupted set: expected labels.npy and files such as fog.npy "
            "(CIFAR-10-C, CIFAR-100-C) or folders such as fog/1/CLASS/IMAGE (ImageNet-C)"
        )
    return there


def open_official(root: Path, type: str, intensity: int, clean: Part) -> Part:
    """The images of the clean part as the official set corrupts them, read on demand.

    `clean` is the test set or a subset of it; the part has its ids, labels, classes and shape, in
    its order. A type or intensity (1 .. 5) that is not there, and a set that is incomplete or
    not that of the clean images, raise.
    """
    if type not in (there := official_types(root)):
        raise ArcalError(f"{root} has no corruption {type!r}: it has {', '.join(there)}")
    if intensity not in range(1, 6):
        raise ArcalError(f"intensity {intensity} of {type} is unknown: choose 1 to 5")
    name = f"{clean.name} under official {type}, intensity {intensity}"
    if (root / f"{type}.npy").is_file():
        return open_cifar_c(root, type, intensity, clean, name)
    return open_imagenet_c(root / type / str(intensity), clean, name)
