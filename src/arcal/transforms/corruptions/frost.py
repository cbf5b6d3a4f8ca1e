"""Frost: a piece of one of five photographs of frosted glass, laid over the image.

The photographs are those that the official sets were made with. They come with the package
`imagecorruptions` (the extra `corruptions`), which is searched for them and not imported. Where it
is absent a texture of similar colour and contrast is drawn instead; `frost_source` says which.
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
"""The official code names a sixth, frost6.jpg, and never draws it; 2 and 3 are the same picture."""

# The mean red, green and blue of pieces of the five, and the deviation within a piece; 0 .. 255.
_COLOURS = ((78, 149, 165), (198, 203, 212), (198, 203, 212), (143, 158, 171), (103, 114, 126))
_CONTRASTS = (14, 18, 18, 26, 35)


def frost_source() -> str:
    """What `frost` lays over images here: "photographs of imagecorruptions" or "procedural"."""
    return "photographs of imagecorruptions" if _folder() else "procedural"


def frost(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """c[0] times the image plus c[1] times frost; images `(B, C, H, W)` in [0,1], not yet clipped.

    On a grey image the frost is grey: its luminance.
    """
    number = draws.integers(0, len(FILES))
    folder = _folder()
    ice = _pieces(folder, number, x, draws) if folder else _ice(number, x, draws)
    return (c[0] * (x * 255) + c[1] * (ice if x.shape[1] == 3 else luminance(ice))) / 255


def _folder() -> Path | None:
    """Where the photographs are, if they are."""
    package = find_spec("imagecorruptions")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "frost"
    return folder if all((folder / file).is_file() for file in FILES) else None


def _pieces(folder: Path, number: Tensor, x: Tensor, draws: Draws) -> Tensor:
    """A random piece of each image's photograph: `(B, 3, H, W)`, 0 .. 255."""
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
    """The five, uint8 `(3, h, w)`, at the scale that suits an image of that size.

    That is every fifth pixel up to 48 pixels, as CIFAR-10-C resizes them, every third up to 96 and
    all beyond, as ImageNet-C has it. A photograph smaller than the image is enlarged to it.
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
    """Ridged fractal noise with the colour and contrast of each image's photograph: 0 .. 255.

    Ridges of 4, 8, 16 ... cells a side are added up, as bright as each other: the photographs are
    nearly as rough from pixel to pixel as from one end to the other.
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
