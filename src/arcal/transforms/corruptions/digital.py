"""Digital corruptions: contrast, elastic, pixelate, JPEG and saturate.

`x` is float64 `(B, C, H, W)` in [0, 1], grey (C = 1) or RGB (C = 3).
"""

import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample

from arcal.transforms.corruptions.draws import Draws


def contrast(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Shrink the distance of each value to the mean of its channel by the factor `c`."""
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) * c + mean


def saturate(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """Change the saturation S of HSV to `S * c[0] + c[1]`, clipped to [0, 1].

    At a fixed hue and value V, the difference of V and a channel is proportional to S. A grey pixel
    has S = 0 and, by convention, the hue of red. An image with one channel stays as it is.
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
    """Shrink both sides by the factor `c` and enlarge again, both times by averaging over boxes.

    This is done by Pillow, on images rounded to 8 bits.
    """
    H, W = x.shape[2:]
    small = int(W * c), int(H * c)
    box = Image.Resampling.BOX
    out = np.empty((len(x), H, W, x.shape[1]), np.uint8)
    for row, image in enumerate(_images(x)):
        out[row].reshape(-1)[:] = np.asarray(image.resize(small, box).resize((W, H), box)).ravel()
    return torch.from_numpy(out).permute(0, 3, 1, 2).double() / 255


def jpeg_compression(x: Tensor, c: int, draws: Draws) -> Tensor:
    """Compress images, rounded to 8 bits, as JPEG with quality `c`, and decode them, by Pillow."""
    out = np.empty((len(x), *x.shape[2:], x.shape[1]), np.uint8)
    for row, image in enumerate(_images(x)):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=c)
        out[row].reshape(-1)[:] = np.asarray(Image.open(file, formats=("JPEG",))).ravel()
    return torch.from_numpy(out).permute(0, 3, 1, 2).double() / 255


def _images(x: Tensor) -> Iterator[Image.Image]:
    """Pillow's images of these, rounded to 8 bits."""
    grey = x.shape[1] == 1
    for pixels in (x * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy():
        yield Image.fromarray(pixels[..., 0] if grey else pixels)


def elastic_transform(x: Tensor, c: tuple[float, float, float], draws: Draws) -> Tensor:
    """A random affine map, then a smooth random displacement, with bilinear interpolation.

    The affine map moves three corners by up to c[2] pixels in each direction. The displacement is,
    in each direction, c[0] times uniform noise smoothed by a Gaussian with a standard deviation of
    c[1] pixels (cut at 3 standard deviations).
    """
    _, _, H, W = x.shape
    amount, sigma, jitter = c
    pixel_x, pixel_y = torch.meshgrid(
        torch.arange(W, dtype=x.dtype, device="cpu"),
        torch.arange(H, dtype=x.dtype, device="cpu"),
        indexing="xy",
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
        from scipy.ndimage import gaussian_filter  # takes a tenth of a second to import

        smooth = gaussian_filter(noise.numpy(), (0, 0, sigma, sigma), mode="reflect", truncate=3)
        moved = torch.stack([pixel_x, pixel_y]) + amount * torch.from_numpy(smooth)
        x = _sample(x, moved.movedim(1, -1), edge_repeated=True)
    return x


def _affine(H: int, W: int, jitter: float, draws: Draws) -> Tensor:
    """Matrices `(B, 3, 2)` from a pixel (x, y, 1) of the result to its source point (x, y).

    The three corners are a third of the shorter side away from the centre.
    """
    centre = torch.tensor([W // 2, H // 2], dtype=torch.float64, device="cpu")
    third = min(H, W) // 3
    corners = centre + third * torch.tensor(
        [[1, 1], [1, -1], [-1, -1]], dtype=torch.float64, device="cpu"
    )
    moved = corners + draws.uniform(-jitter, jitter, 3, 2)
    return torch.linalg.solve(torch.cat([moved, torch.ones_like(moved[..., :1])], -1), corners)


def _sample(x: Tensor, points: Tensor, *, edge_repeated: bool) -> Tensor:
    """The values at `points` (x, y), `(B, H, W, 2)` in pixels; outside, the image is mirrored.

    With `edge_repeated` it is mirrored at the outer side of the edge pixels, so that they occur
    twice; otherwise at their centres.
    """
    H, W = x.shape[2:]
    size = torch.tensor([W, H], dtype=x.dtype, device="cpu")
    grid = (2 * points + 1) / size - 1 if edge_repeated else 2 * points / (size - 1) - 1
    return grid_sample(x, grid, padding_mode="reflection", align_corners=not edge_repeated)
