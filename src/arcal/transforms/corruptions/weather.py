"""The weather of CIFAR-10-C and ImageNet-C: snow, fog, brightness and spatter.

Each takes images `(B, C, H, W)` in [0, 1], the official constants of one intensity and the random
draws of the images, and returns images of the same shape, not yet clipped. A grey image gets the
luminance of a colour.
"""

from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from arcal.transforms.corruptions.blur import along, gaussian, magnify
from arcal.transforms.corruptions.draws import Draws

LUMINANCE = (0.299, 0.587, 0.114)
"""The weights of red, green and blue (ITU-R BT.601)."""

WATER = (175 / 255, 238 / 255, 238 / 255)  # pale turquoise
MUD = (63 / 255, 42 / 255, 20 / 255)  # brown


def snow(x: Tensor, c: tuple[Any, ...], draws: Draws) -> Tensor:
    """Whiten the image and add flakes, and the same flakes upside down.

    Flakes are normal noise (mean c[0], standard deviation c[1]) magnified by c[2], set to 0 below
    c[3], and blurred by motion with radius c[4] and sigma c[5] at 45 to 135 degrees anticlockwise
    from the right. The whitened image is the maximum of the image and 1.5 luminance + 0.5, and is
    mixed with the image, whose weight is c[6].
    """
    mean, deviation, factor, threshold, radius, sigma, weight = c
    flakes = magnify(mean + deviation * draws.normal(1, *x.shape[2:]), factor)
    flakes = flakes.masked_fill(flakes < threshold, 0).clamp(0, 1)
    flakes = (flakes * 255).floor() / 255
    flakes = along(flakes, radius, sigma, draws.uniform(-135, -45))
    white = torch.maximum(x, 1.5 * luminance(x) + 0.5)
    return weight * x + (1 - weight) * white + flakes + flakes.rot90(2, (2, 3))


def fog(x: Tensor, c: tuple[float, float], draws: Draws) -> Tensor:
    """Add c[0] times a plasma fractal with decay c[1], and scale to the old maximum."""
    strength, decay = c
    size = 1 << (max(x.shape[2:]) - 1).bit_length()
    clouds = _plasma(draws.uniform(-1, 1, size, size), decay)[:, None, : x.shape[2], : x.shape[3]]
    most = x.amax((1, 2, 3), keepdim=True)
    return (x + strength * clouds) * most / (most + strength)


def brightness(x: Tensor, c: float, draws: Draws) -> Tensor:
    """Raise the value V of HSV, the largest channel, by `c`, to at most 1; nothing is random.

    Hue and saturation stay, so all channels grow in proportion; black becomes grey.
    """
    value = x.amax(1, keepdim=True)
    raised = (value + c).clamp(max=1)
    return torch.where(value > 0, x / value.clamp(min=1e-12), 1) * raised


def spatter(x: Tensor, c: tuple[Any, ...], draws: Draws) -> Tensor:
    """Add drops of water (c[5] = 0) or mud.

    Drops are where normal noise (mean c[0], standard deviation c[1]), smoothed by c[2] pixels, is
    above c[3]. Water is added to the image with a weight of at most c[4]; mud replaces the image,
    and the edges of its drops are smoothed by c[4] pixels.
    """
    mean, deviation, sigma, threshold, strength, mud = c
    liquid = gaussian(mean + deviation * draws.normal(*x.shape[2:]), sigma)
    liquid = liquid.masked_fill(liquid < threshold, 0)
    if mud:
        amount = gaussian((liquid > threshold).to(x.dtype), strength)[:, None]
        amount = amount.masked_fill(amount < 0.8, 0)
        return x * (1 - amount) + amount * _colour(MUD, x)
    liquid = (liquid * 255).floor() % 256  # like uint8, values above 1 wrap around
    amount = (liquid * _relief(liquid))[:, None]
    amount = strength * amount / amount.amax((2, 3), keepdim=True).clamp(min=1)
    return x + amount * _colour(WATER, x)


def luminance(x: Tensor) -> Tensor:
    """The luminance of colour images `(B, 3, H, W)`, `(B, 1, H, W)`; grey images as they are."""
    if x.shape[1] == 1:
        return x
    return (x * x.new_tensor(LUMINANCE)[:, None, None]).sum(1, keepdim=True)


def _colour(colour: tuple[float, float, float], x: Tensor) -> Tensor:
    """A colour as `(1, C, 1, 1)`, with the channels of `x`."""
    as_image = x.new_tensor(colour)[None, :, None, None]
    return as_image if x.shape[1] == 3 else luminance(as_image)


def _plasma(noise: Tensor, decay: float) -> Tensor:
    """A fractal in [0, 1] by the diamond-square algorithm on a torus, from noise `(B, S, S)`.

    S is a power of two. Each point is the mean of its four neighbours at distance `step / 2`, first
    the diagonal, then the straight ones, plus its noise times the square of `wibble`, as in the
    official code; `wibble` is divided by `decay` whenever the step is halved.
    """
    plasma = noise.clone()
    plasma[:, 0, 0] = 0
    step, wibble = noise.shape[1], 100.0

    while step >= 2:
        half = step // 2
        corners = plasma[:, ::step, ::step]
        above = corners + corners.roll(-1, 1)
        middles = (above + above.roll(-1, 2)) / 4 + wibble**2 * noise[:, half::step, half::step]
        plasma[:, half::step, half::step] = middles
        across = corners + corners.roll(-1, 2) + middles + middles.roll(1, 1)
        down = corners + corners.roll(-1, 1) + middles + middles.roll(1, 2)
        plasma[:, ::step, half::step] = across / 4 + wibble**2 * noise[:, ::step, half::step]
        plasma[:, half::step, ::step] = down / 4 + wibble**2 * noise[:, half::step, ::step]
        step, wibble = half, wibble / decay

    plasma -= plasma.amin((1, 2), keepdim=True)
    return plasma / plasma.amax((1, 2), keepdim=True)


def _relief(liquid: Tensor) -> Tensor:
    """The reflections on a layer of drops `(B, H, W)` in 0 .. 255; the same shape and range.

    The distance to the nearest edge, with its histogram equalised, seen as a surface: it is bright
    where it rises to the lower right.
    """
    distance = _distance(_edges(liquid))
    lit = F.conv2d(_reflect(_equalised(_box(distance).floor())), _LIGHT.to(liquid.dtype))
    return _box(lit.squeeze(1).clamp(0, 255)).round()


_LIGHT = torch.tensor([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]], device="cpu")[None, None]


def _edges(image: Tensor) -> Tensor:
    """Canny edges, `(B, H, W)` bool, of 8-bit images: thresholds 50 and 150, Sobel's L1 norm."""
    padded = F.pad(image[:, None], (1, 1, 1, 1), mode="replicate").squeeze(1)
    smooth_rows = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    smooth_columns = padded[:, :, :-2] + 2 * padded[:, :, 1:-1] + padded[:, :, 2:]
    right = smooth_rows[:, :, 2:] - smooth_rows[:, :, :-2]
    down = smooth_columns[:, 2:] - smooth_columns[:, :-2]
    size = right.abs() + down.abs()

    # An edge is a maximum in the direction across it: horizontal, vertical or diagonal. If two
    # neighbours are equal, only the left or upper one counts.
    around = F.pad(size, (1, 1, 1, 1))
    height, width = image.shape[1:]

    def shifted(rows: int, columns: int) -> Tensor:
        return around[:, 1 + rows : 1 + rows + height, 1 + columns : 1 + columns + width]

    tangent = 13573 / 2**15  # of 22.5 degrees
    flat = down.abs() < right.abs() * tangent
    steep = down.abs() > right.abs() * (tangent + 2)
    falling = right * down >= 0
    peak = torch.where(
        flat,
        (size > shifted(0, -1)) & (size >= shifted(0, 1)),
        torch.where(
            steep,
            (size > shifted(-1, 0)) & (size >= shifted(1, 0)),
            torch.where(
                falling,
                (size > shifted(-1, -1)) & (size > shifted(1, 1)),
                (size > shifted(-1, 1)) & (size > shifted(1, -1)),
            ),
        ),
    )
    from scipy import ndimage  # takes a tenth of a second to import

    # A weak edge counts if it is connected to a strong one in the same image.
    touch = np.ones((1, 3, 3), bool)
    strong, weak = peak & (size > 150), peak & (size > 50)
    return torch.from_numpy(ndimage.binary_propagation(strong.numpy(), touch, weak.numpy()))


def _distance(edges: Tensor, most: int = 20) -> Tensor:
    """The distance of each pixel to the nearest edge of its image, at most `most`.

    float64 `(B, H, W)`. Distances are lengths of paths of king's and knight's moves, which are 1,
    1.4 and 2.1969 long: Borgefors' 5 x 5 approximation (1986), within 2 % of Euclidean distance.
    """
    height, width = edges.shape[1:]
    padded = torch.full(
        (len(edges), height + 4, width + 4), float(most), dtype=torch.float64, device="cpu"
    )
    distance = padded[:, 2:-2, 2:-2]
    distance[edges] = 0
    before = None
    while before is None or not torch.equal(distance, before):
        before = distance.clone()
        for down, right in product(range(-2, 3), repeat=2):
            length = _MOVES.get((abs(down), abs(right)))
            if length is not None:
                neighbour = padded[:, 2 + down :, 2 + right :][:, :height, :width] + length
                torch.minimum(distance, neighbour, out=distance)
    return distance


_MOVES = {(0, 1): 1, (1, 0): 1, (1, 1): 1.4, (1, 2): 2.1969, (2, 1): 2.1969}


def _equalised(image: Tensor) -> Tensor:
    """Histogram equalisation of 8-bit images `(B, H, W)`; a constant image stays as it is."""
    values = image.flatten(1).long()
    counts = torch.zeros(len(image), 256, dtype=torch.long, device="cpu")
    counts.scatter_add_(1, values, torch.ones_like(values))
    least = values.amin(1, keepdim=True)
    fewest, total = counts.gather(1, least), values.shape[1]
    ranks = (counts.cumsum(1) - fewest) * (255 / (total - fewest).clamp(min=1))
    equalised = torch.where(fewest == total, values, ranks.gather(1, values).round().long())
    return equalised.view_as(image).to(image.dtype)


def _box(image: Tensor) -> Tensor:
    """Images `(B, H, W)` averaged over 3 x 3 pixels."""
    return F.avg_pool2d(_reflect(image), 3, 1).squeeze(1)


def _reflect(image: Tensor) -> Tensor:
    """Images `(B, H, W)` padded by mirroring at the edge pixels, `(B, 1, H + 2, W + 2)`."""
    return F.pad(image[:, None], (1, 1, 1, 1), mode="reflect")
