"""The corruptions of CIFAR-10-C and ImageNet-C (Hendrycks and Dietterich, 2019), by image id.

The official archives contain one fixed corruption of each test image. Here any image can be
corrupted, and the random numbers depend only on its id, the type, the intensity and a seed, not on
the rest of the batch. Each type is one function `(x, c, draws)` that returns images: `x` is float64
`(B, C, H, W)` in [0, 1], `c` the constant of the intensity.

    constants   the types, lists of them, and the constants of the intensities
    noise, blur, weather, frost, digital   the functions
    draws       random numbers by image id
    _corrupt    `corrupt`, which calls them: checks, chunks, clipping
"""

from arcal.transforms.corruptions._corrupt import SMALLEST, check_shape, corrupt
from arcal.transforms.corruptions.constants import (
    CIFAR100_C_PAPER,
    CORRUPTIONS,
    EXTRA,
    IMAGENET_C,
)
from arcal.transforms.corruptions.frost import frost_source

__all__ = [
    "CIFAR100_C_PAPER",
    "CORRUPTIONS",
    "EXTRA",
    "IMAGENET_C",
    "SMALLEST",
    "check_shape",
    "corrupt",
    "frost_source",
]
