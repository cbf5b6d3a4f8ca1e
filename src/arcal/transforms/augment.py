"""Training augmentation: every image of a batch moved and mirrored on its own.

Each function takes images `(B, C, H, W)`, uint8 or float, on any device, and one generator, and
returns new images of the same shape, dtype and device.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def unchanged(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images as they are; draws nothing."""
    return images


def crop_flip(images: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Pad with zeros (black), crop back at a random place, mirror left to right half the time.

    The place is uniform over the `(2 padding + 1)**2` there are.
    """
    count, _, height, width = images.shape
    top, left = torch.randint(
        2 * padding + 1, (2, count), generator=generator, device=generator.device
    ).to(images.device)
    windows = F.pad(images, (padding, padding, padding, padding))
    windows = windows.unfold(2, height, 1).unfold(3, width, 1)  # a view: every crop there is
    batch = torch.arange(count, device=images.device)
    return _mirror(windows[batch, :, top, left], generator)


def shift_flip(images: Tensor, generator: torch.Generator, fraction: float = 0.1) -> Tensor:
    """Shift by up to `fraction` of height and width, mirror left to right half the time.

    Keras' `ImageDataGenerator` as ResNet-29's script calls it: the two shifts are uniform and
    continuous in `(-fraction, fraction)` times the size, values between pixels are interpolated
    linearly, and what comes in from outside repeats the nearest edge. The script shifts images
    that the mean is already subtracted from; here it is subtracted afterwards, in the network.
    uint8 images are rounded back to integers.
    """
    count, _, height, width = images.shape
    down, right = fraction * (2 * _uniform((2, count), generator) - 1)
    rows = _interpolation(down * height, height).to(images.device)[:, None]
    columns = _interpolation(right * width, width).to(images.device)[:, None]
    shifted = rows @ images.to(rows.dtype) @ _mirror(columns.mT, generator)
    return (shifted if images.is_floating_point() else shifted.round()).to(images.dtype)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": unchanged,
    "crop-flip": crop_flip,
    "crop-2-flip": partial(crop_flip, padding=2),
    "shift-flip": shift_flip,
}


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), on the generator's device."""
    return torch.rand(shape, generator=generator, device=generator.device)


def _mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored left to right with probability one half."""
    mirrored = (_uniform((len(images),), generator) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def _interpolation(shifts: Tensor, n: int) -> Tensor:
    """Shifts `(B,)` in pixels to the matrices `(B, n, n)` that shift a line of n pixels so."""
    pixels = torch.arange(n, device=shifts.device)
    places = (shifts[:, None] + pixels).clamp(0, n - 1)
    return (1 - (places[:, :, None] - pixels).abs()).clamp(min=0)
