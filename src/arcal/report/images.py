"""Small pictures of inputs and of their perturbations, packed into sheets for the page."""

import base64
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageColor
from torch import Tensor

from arcal.errors import ArcalError
from arcal.report.marks import OVER, UNDER


def amplification(perturbations: Tensor) -> float:
    """A round factor that brings perturbations `(n, C, H, W)` to about half the range of a pixel.

    It is 1, 2 or 5 times a power of ten, and at least 1. The largest half per cent of the values
    may saturate, and NaN (a failed attack) does not count.
    """
    sizes = perturbations.abs()
    sizes = sizes[sizes > 0]
    if len(sizes) == 0:
        return 1.0
    large = float(sizes.kthvalue(math.ceil(0.995 * len(sizes))).values)
    wanted = 1.001 * max(1.0, 0.5 / large)
    power = 10.0 ** math.floor(math.log10(wanted))
    return power * max(step for step in (1, 2, 5) if step * power <= wanted)


SIDE = 64
"""The longest side of a thumbnail in pixels; smaller images stay as they are."""
PIXELS = 1_000_000
"""Pixels of one sheet, about: few enough to decode quickly, enough to need few sheets."""
BOX = Image.Resampling.BOX
QUALITIES = (90, 85, 80, 75, 70, 60, 50, 35, 20)
BUDGET = 8_000_000
"""The default for the bytes that the pictures of all inputs take in the page."""


def make_sheets(
    batches: Iterable[Tensor], N: int, *, side: int = SIDE, budget: int = BUDGET
) -> dict[str, Any]:
    """Sheets of thumbnails of N images, which come in batches of uint8 `(B, C, H, W)`.

    C is 1 or 3, or 4 with an alpha channel, which is dropped. Images are scaled down until no side
    is longer than `side`. The sheets are WebP of the best quality that keeps all of them within
    `budget` bytes of the page, judging by the first sheet. A number of images other than N raises
    `ArcalError`.
    """
    tiles = _tiles(batches, side)
    first = next(tiles, None)
    if first is None:
        raise ArcalError("there are no images to make thumbnails of")
    height, width = first.shape[:2]
    each = max(1, PIXELS // (width * height))
    per_row = min(N, each, max(1, round(each**0.5)))
    rows = min(-(-N // per_row), each // per_row)
    every, sheets, done, quality = chain([first], tiles), list[str](), 0, None
    while some := list(islice(every, per_row * rows)):
        sheet = _sheet(some, per_row)
        if quality is None:
            most = budget * len(some) / N
            fits = (one for one in QUALITIES if len(_webp(sheet, one)) <= most)
            quality = next(fits, QUALITIES[-1])
        sheets.append(_webp(sheet, quality))
        done += len(some)
    if done != N:
        raise ArcalError(f"{N} thumbnails were announced, and {done} images came")
    return {"width": width, "height": height, "per_row": per_row, "rows": rows, "sheets": sheets}


def _sheet(tiles: Sequence[np.ndarray], per_row: int) -> np.ndarray:
    """Tiles `(H, W, 3)` side by side, in as many rows as they need."""
    height, width = tiles[0].shape[:2]
    sheet = np.zeros((-(-len(tiles) // per_row) * height, per_row * width, 3), np.uint8)
    for i, tile in enumerate(tiles):
        top, left = (i // per_row) * height, (i % per_row) * width
        sheet[top : top + height, left : left + width] = tile
    return sheet


def perturbation_sheets(x: Tensor, adversarial: Tensor) -> dict[str, Any]:
    """Pictures of perturbations, of the perturbed images, and of the images if they are large.

    `x` and `adversarial` are float `(n, C, H, W)` in [0, 1] and finite. The perturbation of a grey
    image is orange where it brightens and blue where it darkens; that of a colour image is added to
    a middle grey. Images no larger than `SIDE` are not included, because their thumbnails are as
    good. The pictures take about a quarter of `BUDGET` bytes of the page.
    """
    if not adversarial.isfinite().all():
        raise ArcalError("a perturbed image is not finite: leave out what no attack has changed")
    delta = adversarial - x
    factor = amplification(delta)
    amplified = factor * delta
    large = max(x.shape[2:]) > SIDE
    each = BUDGET // 4 // (3 if large else 2)

    def sheets(images: Tensor) -> dict[str, Any]:
        stored = (255 * images.clamp(0, 1)).round().to(torch.uint8)
        return make_sheets([stored], len(x), side=2 * SIDE, budget=each)

    return {
        "amplification": factor,
        "original": sheets(x) if large else None,
        "perturbation": sheets(_orange_and_blue(amplified) if x.shape[1] == 1 else 0.5 + amplified),
        "perturbed": sheets(adversarial),
    }


def _orange_and_blue(amplified: Tensor) -> Tensor:
    """A grey perturbation `(n, 1, H, W)` in colour: 0 is nearly white, +-0.5 fully coloured."""
    paper = torch.tensor([0.96, 0.96, 0.95], device="cpu")[:, None, None]
    orange, blue = (
        torch.tensor(ImageColor.getrgb(tint), device="cpu")[:, None, None] / 255
        for tint in (OVER, UNDER)
    )
    share = (2 * amplified.abs()).clamp(max=1)
    return paper + share * (torch.where(amplified > 0, orange, blue) - paper)


def _tiles(batches: Iterable[Tensor], side: int) -> Iterator[np.ndarray]:
    """Each image as uint8 `(H, W, 3)`, with no side longer than `side`."""
    for batch in batches:
        if batch.dtype != torch.uint8 or batch.dim() != 4 or batch.shape[1] not in (1, 3, 4):
            raise ArcalError(
                f"images are uint8 (B, C, H, W) with 1, 3 or 4 channels, not {batch.dtype} "
                f"{tuple(batch.shape)}"
            )
        colours = batch.expand(-1, 3, -1, -1) if batch.shape[1] == 1 else batch[:, :3]
        pixels = colours.permute(0, 2, 3, 1).contiguous().numpy()
        scale = side / max(pixels.shape[1:3])
        height, width = (max(1, round(scale * length)) for length in pixels.shape[1:3])
        for image in pixels:
            small = Image.fromarray(image).resize((width, height), BOX) if scale < 1 else None
            yield image if small is None else np.asarray(small)


def _webp(sheet: np.ndarray, quality: int) -> str:
    stream = io.BytesIO()
    Image.fromarray(sheet).save(stream, "WEBP", quality=quality, method=4)
    return f"data:image/webp;base64,{base64.b64encode(stream.getvalue()).decode()}"
