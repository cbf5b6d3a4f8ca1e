"""Digital corruptions: contrast, elastic, pixelate, JPEG and saturate.

`x` is float64 `(B, C, H, W)` in [0,1], grey (C = 1) or RGB (C = 3).
"""

from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import grid_sample
from torchvision.io import decode_jpeg, encode_jpeg

from arcal.transforms.corruptions.draws import Draws


def contrast(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Bring the values of each channel closer to their mean, to the share `c` of the distance."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * c + mean


def saturate(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """Change the saturation S of HSV to `S * c[0] + c[1]`, within [0,1].

    With hue and value V fixed, what a channel lacks to V is proportional to S. A grey pixel has S =
    0 and, as usual, the hue of red. An image of one channel has no colours and stays as it is.
    """
    if x.shape[1] == 1:
        return x
    value, least = x.amax(1, keepdim=True), x.amin(1, keepdim=True)
    spread = value - least
    grey = spread == 0
    saturation = spread / value.masked_fill(grey, 1)
    red = x.new_tensor([0.0, 1.0, 1.0]).reshape(1, 3, 1, 1)
    lacking = torch.where(grey, red, (value - x) / spread.masked_fill(grey, 1))
    return value * (1 - (saturation * c[0] + c[1]).clamp(0, 1) * lacking)


def pixelate(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Shrink to the share `c` of either side and enlarge again, both times averaging over boxes.

    By Pillow, on images rounded to 8 bits.
    """
    H, W = x.shape[2:]
    small = int(W * c), int(H * c)
    box = Image.Resampling.BOX
    grey = x.shape[1] == 1
    out = np.empty((len(x), H, W, x.shape[1]), np.uint8)
    for row, pixels in enumerate(_eight_bits(x).permute(0, 2, 3, 1).contiguous().numpy()):
        image = Image.fromarray(pixels[..., 0] if grey else pixels)
        out[row].reshape(-1)[:] = np.asarray(image.resize(small, box).resize((W, H), box)).ravel()
    return torch.from_numpy(out).permute(0, 3, 1, 2).double() / 255


def jpeg_compression(x: Tensor, c: int, draws: Draws) -> Tensor:
    """Compress as JPEG of quality `c`, and decode; on images rounded to 8 bits."""
    decoded: list[Any] = [decode_jpeg(encode_jpeg(image, c)) for image in _eight_bits(x)]
    return torch.stack(decoded).double() / 255


def _eight_bits(x: Tensor) -> Tensor:
    return (x * 255).round().byte()


def elastic_transform(x: Tensor, c: tuple[float, float, float], draws: Draws) -> Tensor:
    """A random affine map, then a random smooth displacement, with bilinear interpolation.

    Three corners are moved by up to `c[2]` pixels each way. The displacement of a pixel, either
    way, is uniform noise smoothed by a Gaussian of `c[1]` pixels (cut at 3 deviations), times
    `c[0]`.
    """
    _, _, H, W = x.shape
    amount, sigma, jitter = c
    pixel_x, pixel_y = torch.meshgrid(
        torch.arange(W, dtype=x.dtype), torch.arange(H, dtype=x.dtype), indexing="xy"
    )
    a, b, offset = _affine(H, W, jitter, draws).unbind(1)
    source = (
        a[:, None, None] * pixel_x[..., None]
        + b[:, None, None] * pixel_y[..., None]
        + offset[:, None, None]
    )
    x = _sample(x, source, edge_repeated=False)
    noise = draws.uniform(-1, 1, 2, H, W)
    if amount:
        smooth = gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=3)
        moved = torch.stack([pixel_x, pixel_y]) + amount * torch.from_numpy(smooth)
        x = _sample(x, moved.movedim(1, -1), edge_repeated=True)
    return x


def _affine(H: int, W: int, jitter: float, draws: Draws) -> Tensor:
    """`(B, 3, 2)`: where each pixel (x, y, 1) of the result comes from, as a point (x, y).

    The three corners lie a third of the shorter side from the centre.
    """
    centre = torch.tensor([W // 2, H // 2], dtype=torch.float64)
    third = min(H, W) // 3
    corners = centre + third * torch.tensor([[1, 1], [1, -1], [-1, -1]], dtype=torch.float64)
    moved = corners + draws.uniform(-jitter, jitter, 3, 2)
    return torch.linalg.solve(torch.cat([moved, torch.ones_like(moved[..., :1])], -1), corners)


def _sample(x: Tensor, at: Tensor, *, edge_repeated: bool) -> Tensor:
    """The values at points (x, y), `(B, H, W, 2)` in pixels; beyond its edges `x` is mirrored.

    The mirror stands at the outer side of the edge pixels, which are then repeated, or at their
    centres.
    """
    H, W = x.shape[2:]
    size = torch.tensor([W, H], dtype=x.dtype)
    grid = (2 * at + 1) / size - 1 if edge_repeated else 2 * at / (size - 1) - 1
    return grid_sample(x, grid, padding_mode="reflection", align_corners=not edge_repeated)
