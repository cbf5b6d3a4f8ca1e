"""The corruptions of CIFAR-10-C (Hendrycks and Dietterich, 2019), by image id.

The official archives hold one fixed corruption of each test image. Here any image can be corrupted,
and its noise depends on nothing but its id, the type, the intensity and a seed: not on the batch it
is in. The constants are those of the authors' `make_cifar_c.py`, made for images of 32 pixels and
far weaker than ImageNet-C's.

A new type is one function, `(image, constant, generator)` to image, and one row in `_TYPES`.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcal.errors import ArcalError

Array = np.ndarray
LARGEST = 64  # pixels: beyond it CIFAR-10-C's constants would hardly show


def gaussian_noise(image: Array, sigma: float, generator: np.random.Generator) -> Array:
    """Add normal noise of deviation `sigma` to every value."""
    return image + generator.normal(scale=sigma, size=image.shape)


# type: (function, its constant at intensity 1 .. 5)
_TYPES: dict[str, tuple[Callable[[Array, Any, np.random.Generator], Array], tuple]] = {
    "gaussian_noise": (gaussian_noise, (0.04, 0.06, 0.08, 0.09, 0.10)),
}

CORRUPTIONS: tuple[str, ...] = tuple(_TYPES)


def corrupt(images: Tensor, ids: Tensor, *, type: str, intensity: int, seed: int = 0) -> Tensor:
    """Corrupt uint8 images `(B, C, H, W)` with int64 ids `(B,)`; returns uint8 of the same shape.

    Each function sees one image as float64 `(H, W, C)` in [0,1]. What it returns is clipped to
    [0,1] and, as in the official archives, truncated to uint8 rather than rounded. The result is on
    the images' device. An unknown type, an intensity outside 1 .. 5, images that are not uint8 or
    are larger than 64 pixels, and ids that do not match the images raise `ArcalError`.
    """
    if type not in _TYPES:
        raise ArcalError(f"corruption {type!r} is unknown: choose one of {', '.join(CORRUPTIONS)}")
    function, constants = _TYPES[type]
    if intensity not in range(1, len(constants) + 1):
        raise ArcalError(f"intensity {intensity} of {type} is unknown: choose 1 to 5")
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise ArcalError(
            f"images are {images.dtype} of shape {tuple(images.shape)}: "
            "corrupt uint8 images (B, C, H, W)"
        )
    if max(images.shape[2:]) > LARGEST:
        raise ArcalError(
            f"images of {images.shape[2]} x {images.shape[3]} pixels are too large for "
            f"CIFAR-10-C's constants: corrupt images of at most {LARGEST} pixels"
        )
    if ids.shape != images.shape[:1]:
        raise ArcalError(
            f"{len(images)} images came with ids of shape {tuple(ids.shape)}: give one id an image"
        )
    key = _key(seed, type, intensity)
    clean = images.permute(0, 2, 3, 1).cpu().numpy() / 255.0
    corrupted = np.empty(clean.shape, np.uint8)
    for row, (image, id) in enumerate(zip(clean, ids.tolist(), strict=True)):
        generator = _generator(key, id)
        corrupted[row] = np.clip(function(image, constants[intensity - 1], generator), 0, 1) * 255
    return torch.from_numpy(corrupted).permute(0, 3, 1, 2).contiguous().to(images.device)


def _key(seed: int, type: str, intensity: int) -> int:
    """64 bits that name a set: the first of the SHA-256 of "seed/type/intensity"."""
    digest = hashlib.sha256(f"{seed}/{type}/{intensity}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def _generator(key: int, id: int) -> np.random.Generator:
    """An image's own generator: Philox is counter-based, so every key is an independent stream."""
    return np.random.Generator(np.random.Philox(key=np.array([key, id % 2**64], np.uint64)))
