"""Corrupt images by their ids, with any of 19 types at any of 5 intensities."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.transforms.corruptions import blur, digital, frost, noise, weather
from arcal.transforms.corruptions.constants import CORRUPTIONS, TABLES
from arcal.transforms.corruptions.draws import Draws

SMALLEST = 28
"""The smallest height and width in pixels; the filters would leave little of smaller images."""

LARGEST_CIFAR = 64
"""The largest size in pixels for which CIFAR-10-C's constants are the default.

On larger images they hardly show, and ImageNet-C's are the default."""

CHUNK = 100 * 3 * 32 * 32
"""How many values are corrupted together: it limits memory, and fits into a processor's cache."""

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
    """Corrupt images `(B, C, H, W)` with int64 ids `(B,)`.

    Images are grey or RGB, at least 28 x 28 pixels, and uint8 or float in [0, 1]; the result has
    their shape, dtype and device. `type` is one of `CORRUPTIONS`, `intensity` 1 to 5. `constants`
    are "cifar", made for 32 pixels and the default up to 64, or "imagenet", made for 224 pixels.
    The result depends only on the image, its id and these arguments.

    uint8 results are truncated, not rounded, as in the official archives. Float results are clipped
    to [0, 1] but, unlike the official ones, not quantised to 256 values, except where a type works
    on 8 bits by nature, as JPEG does. Unknown types, intensities or constants, other images, and
    ids that do not match the images raise `ArcalError`.

    >>> images = torch.full((2, 3, 32, 32), 100, dtype=torch.uint8)
    >>> foggy = corrupt(images, torch.tensor([7, 8]), type="fog", intensity=3)
    >>> foggy.shape, foggy.dtype
    (torch.Size([2, 3, 32, 32]), torch.uint8)
    >>> torch.equal(foggy[1:], corrupt(images[1:], torch.tensor([8]), type="fog", intensity=3))
    True
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
    intensity = int(intensity)  # the draws depend on its text
    c = TABLES[constants][type][intensity - 1]
    chunk = max(1, CHUNK // images.shape[1:].numel())
    corrupted = torch.empty_like(images, memory_format=torch.contiguous_format)
    for start in range(0, len(images), chunk):
        rows = slice(start, start + chunk)
        clean = images[rows].cpu().double().contiguous()
        draws = Draws(ids[rows], type=type, intensity=intensity, seed=seed)
        if images.dtype == torch.uint8:
            corrupted[rows] = function(clean / 255, c, draws).clamp(0, 1) * 255
        else:
            corrupted[rows] = function(clean, c, draws).clamp(0, 1)
    return corrupted


def check_shape(C: int, H: int, W: int) -> None:
    """Refuse images that cannot be corrupted, by their shape.

    >>> check_shape(3, 28, 28)
    """
    if C not in (1, 3):
        raise ArcalError(f"images have {C} channels: give grey or RGB images to corrupt")
    if min(H, W) < SMALLEST:
        raise ArcalError(
            f"images of {H} x {W} pixels are too small: give images of at least {SMALLEST} x "
            f"{SMALLEST} pixels to corrupt"
        )


def _check(images: Tensor, ids: Tensor) -> None:
    """Raise unless this is a batch of images in [0, 1] with one id each."""
    shape = tuple(images.shape)
    if images.ndim != 4:
        raise ArcalError(f"images have shape {shape}: give grey or RGB images (B, C, H, W)")
    if images.dtype != torch.uint8 and not images.is_floating_point():
        raise ArcalError(f"images are {images.dtype}: give uint8 or float images")
    check_shape(*shape[1:])
    if images.is_floating_point() and not ((images >= 0) & (images <= 1)).all():
        raise ArcalError("float images have values outside [0, 1] or nan: scale them to [0, 1]")
    if ids.shape != images.shape[:1] or ids.is_floating_point() or ids.dtype == torch.bool:
        raise ArcalError(
            f"{len(images)} images have ids {ids.dtype} of shape {tuple(ids.shape)}: give one id "
            "per image, a whole number"
        )
