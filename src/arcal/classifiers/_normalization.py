"""The normalisation of images in [0, 1] before a network: minus a mean, over a deviation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from arcal.errors import ArcalError
from arcal.networks import Normalize


@dataclass(frozen=True)
class Normalization:
    """`(x - mean) / std` of each channel of images `(N, C, H, W)` in [0, 1].

    Each is one number for all channels, or one per channel. `source` says where they are from.

    >>> Normalization((0.5,), (0.25,)).words
    'mean 0.5, deviation 0.25, as given'
    >>> Normalization(*IMAGENET, source="as its processor says").words
    'mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225, as its processor says (those of imagenet)'
    >>> Normalization((0.5,), (0.25,)).layer()(torch.zeros(1, 1, 1, 1)).item()
    -2.0
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str = "as given"

    @property
    def words(self) -> str:
        """The normalisation in one line, such as `mean 0.5, deviation 0.25, as given`."""
        mean, std = (" ".join(f"{one:.6g}" for one in each) for each in (self.mean, self.std))
        words = f"mean {mean}, deviation {std}, {self.source}"
        for name, known in NORMALIZATIONS.items():
            if known is None or known.source == self.source:
                continue
            if (known.mean, known.std) == (self.mean, self.std):
                return f"{words} (those of {name})"
        return words

    def layer(self) -> Normalize:
        """The normalisation as a layer, whose buffers are float32 `(C, 1, 1)`."""
        numbers = (torch.tensor(values, device="cpu") for values in (self.mean, self.std))
        mean, std = (one.view(-1, 1, 1) for one in numbers)
        return Normalize(mean, std)


CIFAR10 = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
CIFAR100 = (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

NORMALIZATIONS: dict[str, Normalization | None] = {
    "imagenet": Normalization(*IMAGENET, "as imagenet"),
    "cifar": Normalization(*CIFAR10, "as cifar10"),
    "cifar10": Normalization(*CIFAR10, "as cifar10"),
    "cifar100": Normalization(*CIFAR100, "as cifar100"),
    "none": None,
}
"""The normalisations that have a name.

imagenet  torchvision's and timm's constants for ImageNet, red, green and blue
cifar     the same as cifar10
cifar10   mean and deviation of all pixels of CIFAR-10's 50,000 training images, by channel
cifar100  the same of CIFAR-100's
none      the network takes inputs in [0, 1], or normalises them itself

The CIFAR constants are measured on the training images, to four digits. Scripts that divide
CIFAR-10 by (0.2023, 0.1994, 0.2010) use another quantity, about the mean deviation *within* an
image (0.2022, 0.1993, 0.2009): a network that was trained so needs these numbers.
"""


def as_normalization(value: str | Sequence[Any]) -> Normalization | None:
    """The normalisation of a name in `NORMALIZATIONS`, or of MEAN and STD; None for "none".

    MEAN and STD are each a number, numbers separated by commas, or a sequence with one for each
    channel; both in one string are separated by a space. Numbers that belong to inputs in [0, 255],
    a deviation that is not positive, and anything else raise `ArcalError`.

    >>> as_normalization("cifar").std
    (0.247, 0.2435, 0.2616)
    >>> as_normalization("0.5,0.4,0.3 0.25").mean == as_normalization(([0.5, 0.4, 0.3], 0.25)).mean
    True
    """
    if isinstance(value, str) and value.lower() in NORMALIZATIONS:
        return NORMALIZATIONS[value.lower()]
    parts = value.split() if isinstance(value, str) else value
    try:
        mean, std = (_numbers(part) for part in parts)
    except (TypeError, ValueError):
        raise ArcalError(
            f"normalization {value!r} is not known: give {', '.join(NORMALIZATIONS)}, or MEAN STD "
            "of inputs in [0, 1], such as 0.5 0.25 or 0.485,0.456,0.406 0.229,0.224,0.225"
        ) from None
    if len(mean) != len(std) and 1 not in (len(mean), len(std)):
        raise ArcalError(
            f"the mean has {len(mean)} channels and the deviation {len(std)}: give one number "
            "each, or one for every channel"
        )
    if min(std) <= 0 or not all(map(math.isfinite, mean + std)):
        raise ArcalError(f"mean {mean} or deviation {std} is out of range: deviations are positive")
    if max(map(abs, mean)) > 1 or max(std) > 2:
        raise ArcalError(
            f"mean {mean} and deviation {std} are not of inputs in [0, 1]: divide those of images "
            "in [0, 255] by 255, and normalise the columns of a table in the model itself"
        )
    return Normalization(mean, std)


def _numbers(part: Any) -> tuple[float, ...]:
    if isinstance(part, str):
        part = part.split(",")
    numbers = tuple(map(float, part)) if isinstance(part, Sequence) else (float(part),)
    if not numbers:
        raise ValueError("no number")
    return numbers
