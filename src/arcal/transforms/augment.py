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


def random_boxes(sizes: Tensor, draws: Tensor) -> Tensor:
    """Boxes `(B, 4)` (top, left, height, width) in images of sizes `(B, 2)` (height, width).

    `draws` `(4, B)` are uniform in [0, 1). As TensorFlow's `sample_distorted_bounding_box` draws
    for ImageNet's script, but not rounded to whole pixels: the ratio of width to height is uniform
    in [3/4, 4/3], then the height between those of the smallest and the largest such box, then the
    place. The smallest has a tenth of the image's area: the script asks for 8 %, but also to see a
    tenth of an object that is the whole image.
    """
    H, W = sizes.to(draws.dtype).T
    ratio = 3 / 4 + (4 / 3 - 3 / 4) * draws[0]
    highest = torch.minimum((H * W / ratio).sqrt(), torch.minimum(H, W / ratio))
    lowest = torch.minimum((0.1 * H * W / ratio).sqrt(), highest)
    height = lowest + draws[1] * (highest - lowest)
    width = torch.minimum(height * ratio, W)  # a rounding error is too much for who reads files
    return torch.stack([draws[2] * (H - height), draws[3] * (W - width), height, width], dim=1)


def resized_crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random box of each image, enlarged to the image's size, mirrored half the time.

    The boxes are `random_boxes`; values between pixels are interpolated linearly. uint8 images are
    rounded back to integers. `Folder.at_random` does better where images are read from files: its
    boxes are of the whole image in its own resolution.
    """
    count, _, H, W = images.shape
    draws = _uniform((4, count), generator).to(images.device)
    boxes = random_boxes(torch.tensor([[H, W]], device=images.device).expand(count, 2), draws)
    mirrored = _uniform((count,), generator).to(images.device) < 0.5
    top, left, height, width = boxes.T
    grid = torch.zeros(count, 2, 3, device=images.device)  # from [-1, 1] to the box, (x, y)
    grid[:, 0, 0] = width / W * torch.where(mirrored, -1, 1)
    grid[:, 1, 1] = height / H
    grid[:, :, 2] = torch.stack([(2 * left + width) / W, (2 * top + height) / H], dim=1) - 1
    floats = images if images.is_floating_point() else images.float()
    places = F.affine_grid(grid.to(floats.dtype), list(images.shape), align_corners=False)
    cropped = F.grid_sample(floats, places, padding_mode="border", align_corners=False)
    return (cropped if images.is_floating_point() else cropped.round()).to(images.dtype)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": unchanged,
    "flip": partial(crop_flip, padding=0),
    "crop-flip": crop_flip,
    "crop-2-flip": partial(crop_flip, padding=2),
    "shift-flip": shift_flip,
    "resized-crop-flip": resized_crop_flip,
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
