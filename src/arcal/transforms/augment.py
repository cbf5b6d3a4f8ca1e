"""Data augmentation for training: random crops, shifts and flips, drawn for each image.

Each function takes images `(B, C, H, W)`, uint8 or float in [0, 1], on any device, and a generator,
and returns new images of the same shape, dtype and device.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def unchanged(images: Tensor, generator: torch.Generator) -> Tensor:
    """The images as they are; draws no random numbers.

    >>> unchanged(torch.eye(2).view(1, 1, 2, 2), torch.Generator())
    tensor([[[[1., 0.],
              [0., 1.]]]])
    """
    return images


def crop_flip(images: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Pad with zeros (black), crop to the old size at random, and flip horizontally half the time.

    `padding` is in pixels; the position of the crop is uniform over all `(2 padding + 1)**2`.

    >>> images = torch.ones(3, 1, 4, 4, dtype=torch.uint8)
    >>> cropped = crop_flip(images, torch.Generator().manual_seed(0), padding=1)
    >>> cropped.shape, cropped.dtype
    (torch.Size([3, 1, 4, 4]), torch.uint8)
    >>> bool((cropped.sum((1, 2, 3)) >= 9).all())  # at most one row and one column are black
    True
    """
    count, _, height, width = images.shape
    top, left = torch.randint(
        2 * padding + 1, (2, count), generator=generator, device=generator.device
    ).to(images.device)
    windows = F.pad(images, (padding, padding, padding, padding))
    windows = windows.unfold(2, height, 1).unfold(3, width, 1)  # a view of all possible crops
    batch = torch.arange(count, device=images.device)
    return _mirror(windows[batch, :, top, left], generator)


def shift_flip(images: Tensor, generator: torch.Generator, fraction: float = 0.1) -> Tensor:
    """Shift by up to `fraction` of height and width, and flip horizontally half the time.

    Like Keras' `ImageDataGenerator` as ResNet-29's script calls it: both shifts are uniform in
    `(-fraction, fraction)` times the size and not whole numbers of pixels, values between pixels
    are interpolated linearly, and the nearest edge is repeated outside the image. The script
    subtracts the mean image first and then shifts; here the network subtracts it afterwards. uint8
    images are rounded.

    >>> images = torch.full((2, 3, 32, 32), 7, dtype=torch.uint8)
    >>> torch.equal(shift_flip(images, torch.Generator().manual_seed(0)), images)
    True
    """
    count, _, height, width = images.shape
    down, right = fraction * (2 * _uniform((2, count), generator) - 1)
    rows = _interpolation(down * height, height).to(images.device)[:, None]
    columns = _interpolation(right * width, width).to(images.device)[:, None]
    shifted = rows @ images.to(rows.dtype) @ _mirror(columns.mT, generator)
    return (shifted if images.is_floating_point() else shifted.round()).to(images.dtype)


def random_boxes(sizes: Tensor, draws: Tensor) -> Tensor:
    """Random boxes `(B, 4)` (top, left, height, width) in images of `sizes` `(B, 2)`, in pixels.

    A size is (height, width), and `draws` `(4, B)` are uniform in [0, 1). The boxes are distributed
    like those of TensorFlow's `sample_distorted_bounding_box` in ImageNet's script, but not rounded
    to whole pixels. First the ratio of width to height is drawn uniformly from [3/4, 4/3], then the
    height between those of the smallest and the largest possible box, then the position. The
    smallest box has a tenth of the image's area: the script sets 8 %, but also demands that a tenth
    of the object is visible, which for ImageNet is the whole image.

    >>> random_boxes(torch.tensor([[30, 40]]), torch.tensor([[0.0], [1.0], [0.5], [0.5]]))
    tensor([[ 0.0000,  8.7500, 30.0000, 22.5000]])
    """
    H, W = sizes.to(draws.dtype).T
    ratio = 3 / 4 + (4 / 3 - 3 / 4) * draws[0]
    highest = torch.minimum((H * W / ratio).sqrt(), torch.minimum(H, W / ratio))
    lowest = torch.minimum((0.1 * H * W / ratio).sqrt(), highest)
    height = lowest + draws[1] * (highest - lowest)
    width = torch.minimum(height * ratio, W)  # rounding must not take the box out of the image
    return torch.stack([draws[2] * (H - height), draws[3] * (W - width), height, width], dim=1)


def resized_crop_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Enlarge a random box of each image to the size of the image, and flip it half the time.

    The boxes are those of `random_boxes`; values between pixels are interpolated linearly, and
    uint8 images are rounded. For images read from files, `arcal.data.Folder.at_random` is better:
    it takes the box from the original image at its full resolution.

    >>> images = torch.full((2, 3, 32, 32), 7, dtype=torch.uint8)
    >>> torch.equal(resized_crop_flip(images, torch.Generator().manual_seed(0)), images)
    True
    """
    count, _, H, W = images.shape
    if not count:  # which torch's grids refuse
        return images
    draws = _uniform((4, count), generator).to(images.device)
    boxes = random_boxes(torch.tensor([[H, W]], device=images.device).expand(count, 2), draws)
    mirrored = _uniform((count,), generator).to(images.device) < 0.5
    top, left, height, width = boxes.T
    # The affine map from (x, y) in [-1, 1] to the box.
    grid = torch.zeros(count, 2, 3, device=images.device)
    grid[:, 0, 0] = width / W * torch.where(mirrored, -1, 1)
    grid[:, 1, 1] = height / H
    grid[:, :, 2] = torch.stack([(2 * left + width) / W, (2 * top + height) / H], dim=1) - 1
    # In half precision the places of pixels would be rounded.
    floats = images.to(torch.promote_types(images.dtype, torch.float32))
    points = F.affine_grid(grid.to(floats.dtype), list(images.shape), align_corners=False)
    cropped = F.grid_sample(floats, points, padding_mode="border", align_corners=False)
    return (cropped if images.is_floating_point() else cropped.round()).to(images.dtype)


AUGMENTATIONS: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    "none": unchanged,
    "flip": partial(crop_flip, padding=0),
    "crop-flip": crop_flip,
    "crop-2-flip": partial(crop_flip, padding=2),
    "shift-flip": shift_flip,
    "resized-crop-flip": resized_crop_flip,
}
"""The augmentations by name, each called as `augment(images, generator)`."""


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random numbers in [0, 1), on the generator's device, the same whatever the default dtype."""
    return torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float32)


def _mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image flipped horizontally with probability 1/2."""
    mirrored = (_uniform((len(images),), generator) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def _interpolation(shifts: Tensor, n: int) -> Tensor:
    """Matrices `(B, n, n)` that shift a row of n pixels by `shifts` `(B,)` pixels."""
    pixels = torch.arange(n, device=shifts.device)
    sources = (shifts[:, None] + pixels).clamp(0, n - 1)
    return (1 - (sources[:, :, None] - pixels).abs()).clamp(min=0)
