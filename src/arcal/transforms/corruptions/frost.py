"""Frost: the image blended with a piece of one of five photographs of frosted glass.

The photographs are those of the official sets. They are part of the package `imagecorruptions` (the
extra `corruptions`), whose folder is read without importing it. Without the package, a random
texture of similar colour and contrast is used instead; `frost_source` tells which.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from arcal.transforms.corruptions.draws import Draws
from arcal.transforms.corruptions.weather import luminance

FILES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")
"""The official code lists a sixth, frost6.jpg, but never draws it; 2 and 3 are identical."""

# The mean red, green and blue of pieces of the five photographs, and the standard deviation within
# a piece, in 0 .. 255.
_COLOURS = ((78, 149, 165), (198, 203, 212), (198, 203, 212), (143, 158, 171), (103, 114, 126))
_CONTRASTS = (14, 18, 18, 26, 35)


def frost_source() -> str:
    """The texture that `frost` uses: "photographs of imagecorruptions" or "procedural".

    Photographs are used if the package `imagecorruptions` is installed.

    >>> frost_source() in ("photographs of imagecorruptions", "procedural")
    True
    """
    return "photographs of imagecorruptions" if _folder() else "procedural"


def frost(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """c[0] times the image plus c[1] times frost.

    Images are `(B, C, H, W)` in [0, 1]; the result is not clipped. A grey image gets the luminance
    of the frost.
    """
    number = draws.integers(0, len(FILES))
    folder = _folder()
    ice = _pieces(folder, number, x, draws) if folder else _ice(number, x, draws)
    return (c[0] * (x * 255) + c[1] * (ice if x.shape[1] == 3 else luminance(ice))) / 255


def _folder() -> Path | None:
    """The folder of the photographs, or None where they are not installed."""
    package = find_spec("imagecorruptions")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "frost"
    return folder if all((folder / file).is_file() for file in FILES) else None


def _pieces(folder: Path, number: Tensor, x: Tensor, draws: Draws) -> Tensor:
    """A random piece of the photograph for each image: `(B, 3, H, W)` in 0 .. 255."""
    height, width = x.shape[2:]
    pieces = x.new_empty(len(x), 3, height, width)
    photographs = _photographs(folder, height, width)
    for piece, chosen, (down, right) in zip(pieces, number, draws.uniform(0, 1, 2), strict=True):
        photograph = photographs[int(chosen)]
        top = int(down * (photograph.shape[1] - height))
        left = int(right * (photograph.shape[2] - width))
        piece.copy_(photograph[:, top : top + height, left : left + width])
    return pieces


@lru_cache(maxsize=4)
def _photographs(folder: Path, height: int, width: int) -> list[Tensor]:
    """The five photographs, uint8 `(3, h, w)`, at a scale for images of this size.

    For images up to 48 pixels that is every fifth pixel, as in CIFAR-10-C; up to 96, every third;
    beyond, every pixel, as in ImageNet-C. A photograph smaller than the image is enlarged to it.
    """
    step = 5 if max(height, width) <= 48 else 3 if max(height, width) <= 96 else 1
    photographs = []
    for file in FILES:
        with Image.open(folder / file) as opened:
            pixels = np.asarray(opened.convert("RGB"))[step // 2 :: step, step // 2 :: step]
        photograph = torch.from_numpy(pixels.transpose(2, 0, 1).copy())
        factor = max(height / photograph.shape[1], width / photograph.shape[2])
        if factor > 1:
            size = [int(np.ceil(side * factor)) for side in photograph.shape[1:]]
            photograph = F.interpolate(photograph[None].float(), size, mode="bilinear")[0].byte()
        photographs.append(photograph)
    return photographs


def _ice(number: Tensor, x: Tensor, draws: Draws) -> Tensor:
    """Ridged fractal noise with the colour and contrast of a photograph, in 0 .. 255.

    It is the sum of ridges on grids of 4, 8, 16 ... cells per side, all with the same amplitude,
    because the photographs vary nearly as much between neighbouring pixels as across the picture.
    """
    ice = x.new_zeros(len(x), 1, *x.shape[2:])
    cells = 4
    while cells <= max(x.shape[2:]):
        grid = draws.normal(1, cells, cells).to(x.dtype)
        ice -= F.interpolate(grid, x.shape[2:], mode="bicubic", align_corners=True).abs()
        cells *= 2
    ice = (ice - ice.mean((2, 3), keepdim=True)) / ice.std((2, 3), keepdim=True)
    colour, contrast = x.new_tensor(_COLOURS)[number], x.new_tensor(_CONTRASTS)[number]
    return (colour[:, :, None, None] + contrast[:, None, None, None] * ice).clamp(0, 255)
