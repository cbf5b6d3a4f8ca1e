"""The blurs of CIFAR-10-C and ImageNet-C: defocus, glass, motion, zoom and Gaussian.

Each takes images `(B, C, H, W)` in [0, 1], the official constants of one intensity and the random
draws of the images, and returns images of the same shape. None mixes channels, so a grey image is
blurred like each channel of a colour image. Where the official code rounds intermediate values to 8
bits, so does this.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from arcal.transforms.corruptions.draws import Draws


def gaussian_blur(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Convolve with a Gaussian with a standard deviation of `c` pixels; nothing is random."""
    return gaussian(x, c)


def defocus_blur(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """Convolve with a disk of radius c[0] with a rim softened by c[1]; nothing is random."""
    from scipy.signal import fftconvolve  # takes a third of a second to import

    kernel = _disk(*c)
    half = len(kernel) // 2
    padded = F.pad(x, (half, half, half, half), mode="reflect")
    blurred = fftconvolve(padded.numpy(), kernel[None, None], mode="valid", axes=(2, 3))
    return torch.from_numpy(blurred)


def glass_blur(x: Tensor, c: tuple[float, int, int], draws: Draws) -> Tensor:
    """Shuffle pixels between two Gaussian blurs with a standard deviation of c[0] pixels.

    The intention is that in each of c[2] rounds every pixel, except at the rim, swaps places with a
    random one at most c[1] away. But the official code assigns numpy views to each other, which
    copies instead: from the last pixel to the first, each takes the value that the other one has at
    that moment.
    """
    sigma, reach, rounds = c
    x = (gaussian(x, sigma) * 255).floor_() / 255  # the precision of uint8, truncated
    _, _, height, width = x.shape
    steps = draws.integers(-reach, reach, rounds, height - 2 * reach, width - 2 * reach, 2)
    # As in the official loops, only rows and columns reach + 1 .. size - reach move.
    steps = F.pad(steps, (0, 0, reach + 1, reach - 1, reach + 1, reach - 1))
    steps = (steps[..., 1] * width + steps[..., 0]).flatten(2)
    positions = torch.arange(height * width, device="cpu")
    flat = x.flatten(2)
    for step in steps.unbind(1):
        sources = positions + step
        # A source further on was replaced earlier, so follow the chain of sources to its end,
        # with strides that double.
        ahead = torch.where(sources > positions, sources, positions)
        while not torch.equal(further := ahead.gather(1, ahead), ahead):
            ahead = further
        sources = sources.gather(1, ahead)
        flat = flat.gather(2, sources[:, None].expand_as(flat))
    return gaussian(flat.view_as(x), sigma)


def motion_blur(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """Blur along a line in a random direction, -45 to 45 degrees, with `c` = (radius, sigma)."""
    return along(x, c[0], c[1], draws.uniform(-45, 45))


def zoom_blur(x: Tensor, c: Sequence[float], draws: Draws) -> Tensor:
    """The mean of the image and its magnifications by the factors `c`; nothing is random."""
    single = x.float()  # as the official code has it
    return ((single + sum(magnify(single, factor) for factor in c)) / (len(c) + 1)).to(x.dtype)


def gaussian(x: Tensor, sigma: float) -> Tensor:
    """Images `(..., H, W)` blurred by a Gaussian cut at 4 sigma; the edge is repeated outside."""
    from scipy import ndimage  # takes a tenth of a second to import

    return torch.from_numpy(
        ndimage.gaussian_filter(x.numpy(), sigma, mode="nearest", axes=(-2, -1))
    )


def along(x: Tensor, radius: float, sigma: float, angles: Tensor) -> Tensor:
    """ImageMagick's motion blur as in the official sets: rounded to 16 bits, truncated to 8.

    Each image has its own angle `(B,)`, in degrees, clockwise from the right: along it, the pixel i
    steps away has the weight of a Gaussian at i, for i = 0 .. 2 radius. The edge is repeated
    outside the image.
    """
    taps = torch.arange(2 * math.ceil(radius) + 1, dtype=x.dtype, device="cpu")
    weights = torch.exp(-(taps**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    taps, weights = taps[weights > 1e-7], weights[weights > 1e-7]
    angles = torch.deg2rad(angles.to(x.dtype))[:, None]
    across = torch.ceil(taps * torch.cos(angles) - 0.5).long()
    down = torch.ceil(taps * torch.sin(angles) - 0.5).long()
    reach = len(taps) - 1
    windows = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    windows = windows.unfold(2, x.shape[2], 1).unfold(3, x.shape[3], 1)  # a view of all shifts
    batch = torch.arange(len(x), device="cpu")
    blurred = torch.zeros_like(x)
    for tap, weight in enumerate(weights.tolist()):
        blurred += weight * windows[batch, :, reach + down[:, tap], reach + across[:, tap]]
    return (blurred * 65535).round().div(257, rounding_mode="floor") / 255


def magnify(x: Tensor, factor: float) -> Tensor:
    """Images `(B, C, H, W)` magnified about the centre, linearly interpolated, cut to size."""
    height, width = x.shape[2:]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    size = (round(rows * factor), round(columns * factor))
    x = x[:, :, top : top + rows, left : left + columns]
    x = F.interpolate(x, size, mode="bilinear", align_corners=True)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _disk(radius: float, softness: float) -> np.ndarray:
    """A disk with sum 1 on a square grid, blurred by a Gaussian of 3 x 3 or 5 x 5 pixels.

    The larger one is for radii above 8. From radius 8 on, the disk fills the official grid, and the
    blur mirrors it at the edges, so that the sum becomes 1.01.
    """
    from scipy import ndimage

    half, taps = (8, 1) if radius <= 8 else (radius, 2)
    line = np.arange(-half, half + 1)
    disk = (line**2 + line[:, None] ** 2 <= radius**2).astype(np.float32)
    disk /= disk.sum()
    soft = np.exp(-(np.arange(-taps, taps + 1) ** 2) / (2 * softness**2))
    soft = (soft / soft.sum()).astype(np.float32)
    for axis in (0, 1):
        disk = ndimage.correlate1d(disk, soft, axis, mode="mirror")
    rim = half - min(half, math.ceil(radius) + taps)  # holds only zeros
    inside = slice(rim, len(disk) - rim)
    return disk[inside, inside].astype(np.float64)
