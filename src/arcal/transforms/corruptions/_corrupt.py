"""Corrupt images by their ids: any of 19 types at any of 5 intensities."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.transforms.corruptions import blur, digital, frost, noise, weather
from arcal.transforms.corruptions.constants import CORRUPTIONS, TABLES
from arcal.transforms.corruptions.draws import Draws

SMALLEST = 28
"""Pixels: the least height and width; of a smaller image the filters would leave little."""

LARGEST_CIFAR = 64
"""Pixels: beyond it CIFAR-10-C's constants would hardly show, and ImageNet-C's are the default."""

CHUNK = 100 * 3 * 32 * 32
"""Values corrupted at once: bounds the memory, and what fits the processor's cache is faster."""

_FUNCTIONS: dict[str, Callable[[Tensor, Any, Draws], Tensor]] = {
    function.__name__: function
    for function in (
        noise.gaussian_noise,
        noise.shot_noise,
        noise.impulse_noise,
        noise.speckle_noise,
        blur.defocus_blur,
        blur.glass_blur,
        blur.motion_blur,
        blur.zoom_blur,
        blur.gaussian_blur,
        weather.snow,
        frost.frost,
        weather.fog,
        weather.brightness,
        weather.spatter,
        digital.contrast,
        digital.elastic_transform,
        digital.pixelate,
        digital.jpeg_compression,
        digital.saturate,
    )
}


def corrupt(
    images: Tensor,
    ids: Tensor,
    *,
    type: str,
    intensity: int,
    seed: int = 0,
    constants: Literal["cifar", "imagenet"] | None = None,
) -> Tensor:
    """Corrupt images `(B, C, H, W)` with int64 ids `(B,)`; returns the same shape, dtype, device.

    Images are grey or RGB, of at least 28 x 28 pixels, uint8 or float in [0,1]. uint8 results are
    truncated rather than rounded, as in the official archives. Float results are clipped to [0,1]
    but not quantised to 256 levels, as the official ones are; types that work on 8 bits by nature,
    such as JPEG, do so nevertheless. A result depends on nothing but the image, its id, the type,
    the intensity, the seed and the `constants`: "cifar", made for 32 pixels and the default up to
    64, or "imagenet", made for 224 pixels. An unknown type, intensity or name of constants, other
    images, and ids that do not match them raise `ArcalError`.
    """
    function = _FUNCTIONS.get(type)
    if function is None:
        raise ArcalError(f"corruption {type!r} is unknown: choose one of {', '.join(CORRUPTIONS)}")
    if intensity not in range(1, 6):
        raise ArcalError(f"intensity {intensity} of {type} is unknown: choose 1 to 5")
    _check(images, ids)
    if constants is None:
        constants = "cifar" if max(images.shape[2:]) <= LARGEST_CIFAR else "imagenet"
    elif constants not in TABLES:
        raise ArcalError(f"constants {constants!r} are unknown: choose cifar or imagenet")
    c = TABLES[constants][type][intensity - 1]
    chunk = max(1, CHUNK // images.shape[1:].numel())
    corrupted = torch.empty_like(images, memory_format=torch.contiguous_format)
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        clean = images[rows].double().cpu().contiguous()
        draws = Draws(ids[rows], type=type, intensity=intensity, seed=seed)
        if images.dtype == torch.uint8:
            corrupted[rows] = function(clean / 255, c, draws).clamp(0, 1) * 255
        else:
            corrupted[rows] = function(clean, c, draws).clamp(0, 1)
    return corrupted


def _check(images: Tensor, ids: Tensor) -> None:
    """Refuse what is not a batch of images in [0,1] with an id each."""
    shape = tuple(images.shape)
    if images.ndim != 4 or shape[1] not in (1, 3):
        raise ArcalError(f"images have shape {shape}: corrupt grey or RGB images (B, C, H, W)")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ArcalError(f"images are {images.dtype}: corrupt uint8 or float images")
    if min(shape[2:]) < SMALLEST:
        raise ArcalError(
            f"images of {shape[2]} x {shape[3]} pixels are too small: "
            f"corrupt images of at least {SMALLEST} pixels"
        )
    if images.is_floating_point() and not ((images >= 0) & (images <= 1)).all():
        raise ArcalError("float images go beyond [0,1] or are not numbers: scale them to [0,1]")
    if ids.shape != images.shape[:1]:
        raise ArcalError(
            f"{len(images)} images came with ids of shape {tuple(ids.shape)}: give one id an image"
        )
