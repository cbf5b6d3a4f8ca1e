"""AugMix's images (Hendrycks et al., ICLR 2020): mixtures of an image and chains of operations.

The paper leaves out the operations of AutoAugment that overlap with the corruptions that it
evaluates on, and so does this file: color (the corruption saturate), contrast, brightness,
sharpness (below 1 it blurs), and Cutout. `LEFT_OUT` names them. None of the others is among the 19
types of `arcal.transforms.corruptions`, with one exception that the paper does not mention.
elastic_transform begins with a random affine map of a few pixels, which in CIFAR-10-C is all of it
at intensity 1 and nearly all at 2, and a chain of rotations, shears and translations is such a map.
So read AugMix's figures under elastic_transform with that in mind.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from arcal.errors import ArcalError

WIDTH = 3
"""Chains per mixture, the paper's k."""

DEPTH = 3
"""The longest chain; lengths are drawn from 1 to 3."""

SEVERITY = 3
"""The strongest operation, out of 10; the authors' code has 3 for CIFAR and 1 for ImageNet."""

LEFT_OUT = ("color", "contrast", "brightness", "sharpness", "cutout")
"""Operations of AutoAugment that AugMix leaves out, because corruptions do similar things."""


def augmix(images: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """AugMix's `x_augmix` of float images `(B, C, H, W)` in [0, 1], of the same shape and device.

        x_augmix = (1 - m) x + m sum_i w_i chain_i(x),   m ~ Beta(1, 1),   w ~ Dirichlet(1, 1, 1)

    with k = 3 chains, each of 1 to 3 of `OPERATIONS`, and of a strength drawn from U(0.1, 3) tenths
    of the strongest (Algorithm 1 with alpha = 1, and the severity of the authors' code for CIFAR).
    Everything is drawn for each image separately, from `generator` on the CPU, or from torch's own,
    and computed in float32 or better. Images that are not floats raise `ArcalError`.

    >>> images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> mixed = augmix(images, torch.Generator().manual_seed(1))
    >>> mixed.shape, bool(((mixed >= 0) & (mixed <= 1)).all())
    (torch.Size([2, 3, 8, 8]), True)
    """
    if not images.is_floating_point():
        raise ArcalError(f"images are {images.dtype}: give floats in [0, 1]")
    B, x = len(images), images.to(torch.promote_types(images.dtype, torch.float32))
    drawn: dict[str, Any] = {"generator": generator, "device": "cpu"}
    length = torch.randint(1, DEPTH + 1, (B * WIDTH,), **drawn)
    which = torch.randint(len(OPERATIONS), (DEPTH, B * WIDTH), **drawn)
    floats: dict[str, Any] = drawn | {"dtype": torch.float32}
    level = (0.1 + (SEVERITY - 0.1) * torch.rand(DEPTH, B * WIDTH, **floats)) / 10
    sign = 2 * torch.randint(2, (DEPTH, B * WIDTH), **floats) - 1
    weights = torch.empty(B, WIDTH, device="cpu", dtype=torch.float32)
    weights.exponential_(generator=generator)
    weights = (weights / weights.sum(dim=1, keepdim=True)).to(x)  # Dirichlet(1, 1, 1)
    m = torch.rand(B, 1, 1, 1, **floats).to(x)  # Beta(1, 1)

    chains = x.repeat_interleave(WIDTH, dim=0)
    for step in range(DEPTH):
        for number, operation in enumerate(OPERATIONS.values()):
            rows = ((which[step] == number) & (length > step)).nonzero().squeeze(1)
            if len(rows):
                strength = level[step, rows].to(x), sign[step, rows].to(x)
                rows = rows.to(x.device)
                chains[rows] = operation(chains[rows], *strength)
    chains = chains.unflatten(0, (B, WIDTH))
    mixture = (weights[:, :, None, None, None] * chains).sum(dim=1)
    return ((1 - m) * x + m * mixture).to(images.dtype)


def autocontrast(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Stretch each channel to the whole of [0, 1]; a channel of a single value stays."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    spread = high - low
    stretched = (images - low) / spread.masked_fill(spread == 0, 1)
    return torch.where(spread == 0, images, stretched)


def equalize(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Equalize each channel's histogram of 256 values, as Pillow does."""
    value = _bytes(images).flatten(2)
    count = torch.zeros(*value.shape[:2], 256, dtype=torch.int64, device=value.device)
    count.scatter_add_(2, value, torch.ones_like(value))
    brightest = count.gather(2, value.amax(dim=2, keepdim=True))
    step = (value.shape[2] - brightest) // 255
    darker = count.cumsum(dim=2) - count
    table = ((step // 2 + darker) // step.clamp(min=1)).clamp(max=255)
    same = torch.arange(256, device=value.device).expand_as(table)
    equalized = torch.where(step == 0, same, table).gather(2, value)
    return equalized.view(images.shape).to(images.dtype) / 255


def posterize(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Keep the first `4 - int(4 level)` bits of each value."""
    size = 2 ** _per_image(4 + (4 * level).floor())
    return (_bytes(images) / size).floor() * size / 255


def solarize(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Invert the values from `256 - int(256 level)` upward, on a scale of 0 to 255."""
    threshold = 256 - _per_image((256 * level).floor())
    return torch.where(_bytes(images) < threshold, images, 1 - images)


def rotate(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Turn by `int(30 level)` degrees about the centre, either way."""
    _, _, H, W = images.shape
    angle = -(30 * level).floor() * sign * math.pi / 180
    cos, sin = angle.cos(), angle.sin()
    return _affine(
        images,
        (cos, sin, W / 2 - cos * W / 2 - sin * H / 2),
        (-sin, cos, H / 2 + sin * W / 2 - cos * H / 2),
    )


def shear_x(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Move each row by `0.3 level` of its distance to the top, either way."""
    return _affine(images, (1, 0.3 * level * sign, 0), (0, 1, 0))


def shear_y(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Move each column by `0.3 level` of its distance to the left, either way."""
    return _affine(images, (1, 0, 0), (0.3 * level * sign, 1, 0))


def translate_x(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Move by `int(level W / 3)` pixels, left or right."""
    pixels = (level * images.shape[3] / 3).floor() * sign
    return _affine(images, (1, 0, pixels), (0, 1, 0))


def translate_y(images: Tensor, level: Tensor, sign: Tensor) -> Tensor:
    """Move by `int(level H / 3)` pixels, up or down."""
    pixels = (level * images.shape[2] / 3).floor() * sign
    return _affine(images, (1, 0, 0), (0, 1, pixels))


Operation = Callable[[Tensor, Tensor, Tensor], Tensor]

OPERATIONS: dict[str, Operation] = {
    operation.__name__: operation
    for operation in (
        autocontrast,
        equalize,
        posterize,
        rotate,
        solarize,
        shear_x,
        shear_y,
        translate_x,
        translate_y,
    )
}
"""Each gets images `(N, C, H, W)` in [0, 1], and a level in (0, 1] and a sign -1 or 1, `(N,)`."""


def _per_image(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _bytes(images: Tensor) -> Tensor:
    """The values from 0 to 255, int64."""
    return (255 * images).round().long()


def _affine(images: Tensor, x: tuple[Tensor | int, ...], y: tuple[Tensor | int, ...]) -> Tensor:
    """The images read where the rows of an affine map point to, in pixels; black outside.

    Each of a row's three numbers is `(N,)`, or the same for all images.

    Interpolation is linear, and the edge's pixels reach to the edge, as in Pillow.
    """
    _, _, H, W = images.shape
    rows = torch.arange(H, device=images.device, dtype=images.dtype)[:, None] + 0.5
    columns = torch.arange(W, device=images.device, dtype=images.dtype) + 0.5

    def source(row: tuple[Tensor | int, ...]) -> Tensor:
        a, b, c = (one[:, None, None] if isinstance(one, Tensor) else one for one in row)
        return a * columns + b * rows + c

    source_x, source_y = torch.broadcast_tensors(source(x), source(y))
    grid = torch.stack([2 * source_x / W - 1, 2 * source_y / H - 1], dim=-1)
    read = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    inside = (source_x >= 0) & (source_x < W) & (source_y >= 0) & (source_y < H)
    return read * inside[:, None]
