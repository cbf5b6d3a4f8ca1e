"""The pictures of inputs: of attacked ones, and small ones of many.

Of attacked ones, what it takes to change a prediction, and who is right; small ones are packed into
sheets for the page that people work with.
"""

import base64
import io
import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from scipy import stats
from torch import Tensor

from arcal.auditing import Showcase
from arcal.errors import ArcalError
from arcal.report.names import shortened
from arcal.report.plots import FAINT, INK, OVER, WIDTH

SHOWN = 8
"""Images shown from either end of the ranking."""


def least_robust(showcase: Showcase, classes: tuple[str, ...]) -> Figure:
    """The first images of the ranking with their perturbations."""
    return _gallery(showcase, range(min(SHOWN, len(showcase.ids))), classes)


def most_robust(showcase: Showcase, classes: tuple[str, ...]) -> Figure:
    """The last images of the ranking with their perturbations."""
    N = len(showcase.ids)
    return _gallery(showcase, range(max(0, N - SHOWN), N), classes)


def amplification(perturbations: Tensor) -> float:
    """A round factor that brings perturbations `(n, C, H, W)` to about half the range of a pixel.

    1, 2 or 5 times a power of ten, at least 1; of the largest values half a percent may saturate,
    and NaN (a failed attack) does not count.
    """
    sizes = perturbations.abs()
    sizes = sizes[sizes > 0]
    if len(sizes) == 0:
        return 1.0
    large = float(sizes.kthvalue(math.ceil(0.995 * len(sizes))).values)
    wanted = 1.001 * max(1.0, 0.5 / large)
    power = 10.0 ** math.floor(math.log10(wanted))
    return power * max(step for step in (1, 2, 5) if step * power <= wanted)


def _gallery(showcase: Showcase, shown: range, classes: tuple[str, ...]) -> Figure:
    figure = Figure(figsize=(WIDTH, 4.25))
    panels = figure.subplots(3, SHOWN, squeeze=False)
    figure.subplots_adjust(left=0.085, right=1, top=0.905, bottom=0.095, wspace=0.06, hspace=0.06)
    delta = showcase.adversarial - showcase.x
    factor = amplification(delta[shown.start : shown.stop])
    for axes in panels.flat:
        axes.set_axis_off()
    for column, i in enumerate(shown):
        image, perturbation, perturbed = panels[:, column]
        label, predicted, becomes = (
            shortened(classes[int(numbers[i])], 13)
            for numbers in (showcase.labels, showcase.predicted, showcase.becomes)
        )
        _show(image, showcase.x[i])
        wrong = bool(showcase.labels[i] != showcase.predicted[i])
        _write(
            image, 0.5, 1.06, f"is {label}\nsaid {predicted}", OVER if wrong else INK, va="baseline"
        )
        if math.isfinite(float(showcase.distance[i])):
            _show_perturbation(perturbation, factor * delta[i])
            _show(perturbed, showcase.adversarial[i])
            below = f"now {becomes}\ndistance {float(showcase.distance[i]):.3g}"
        else:
            for axes in (perturbation, perturbed):
                _show(axes, torch.full_like(showcase.x[i], 0.94))
                _write(axes, 0.5, 0.5, "attack\nfailed", FAINT)
            below = "no other class\nfound"
        _write(perturbed, 0.5, -0.27, below, va="baseline")
    words = ("image", f"perturbation\n× {factor:g}", "image +\nperturbation")
    for axes, word in zip(panels[:, 0], words, strict=True):
        _write(axes, -0.1, 0.5, word, ha="right")
    return figure


def _write(axes: Axes, x: float, y: float, text: str, colour=INK, ha="center", va="center") -> None:
    place = axes.transAxes
    axes.text(x, y, text, color=colour, ha=ha, va=va, size=8, linespacing=1.3, transform=place)


def _show(axes: Axes, image: Tensor) -> None:
    """One image `(C, H, W)` in [0, 1], its pixels kept as squares however it is scaled."""
    pixels = image.movedim(0, -1).clamp(0, 1)
    pixels = pixels.expand(*pixels.shape[:2], 3) if pixels.shape[2] == 1 else pixels[..., :3]
    axes.imshow(pixels.numpy(), interpolation="none")


def _show_perturbation(axes: Axes, amplified: Tensor) -> None:
    """Grey: orange where it brightens and blue where it darkens. Colour: added to a middle grey."""
    if amplified.shape[0] == 1:
        axes.imshow(amplified[0].numpy(), cmap="PuOr_r", vmin=-0.5, vmax=0.5, interpolation="none")
    else:
        _show(axes, 0.5 + amplified)


def scatter(showcase: Showcase, order: str) -> Figure:
    """The order's estimate against the attack's distance; failed attacks above the others."""
    figure = Figure(figsize=(WIDTH * 0.5, 4.3), layout="constrained")
    axes = figure.subplots()
    estimate, distance = showcase.estimate.double(), showcase.distance.double()
    top = _beyond(distance)
    right = _beyond(estimate)
    x, y = estimate.clamp(max=right), distance.clamp(max=top)
    failed = distance.isinf()
    axes.scatter(x[~failed].numpy(), y[~failed].numpy(), s=26, color="#0072B2", alpha=0.75, lw=0)
    if failed.any():
        axes.scatter(x[failed].numpy(), y[failed].numpy(), s=34, color=OVER, marker="x")
        axes.axhline(top, color=OVER, lw=0.8, ls=(0, (1, 3)))
        _write(axes, 1, 1, "attack failed", OVER, ha="right", va="bottom")
    if order in ("gradient", "attack"):  # estimates that are distances, to first order
        end = min(top, right)
        axes.plot([0, end], [0, end], color=FAINT, lw=1, ls=(0, (4, 3)), zorder=0)
        axes.text(0.8 * end, 0.8 * end, "  equal", color=FAINT, size=8, ha="left", va="top")
    ranks = order == "attack"
    axes.set_xlabel("distance that ranks" if ranks else f"estimate by the {order} order")
    axes.set_ylabel("distance of the perturbations shown" if ranks else "distance by the attack")
    axes.set_xlim(left=min(0.0, float(x.min())))
    axes.set_ylim(bottom=0)
    rho = spearman(estimate, distance)
    axes.set_title(f"Spearman's ρ = {rho:.2f}" if math.isfinite(rho) else "One value only: no ρ")
    return figure


def _beyond(values: Tensor) -> float:
    """A little above the largest finite value."""
    finite = values[values.isfinite()]
    return 1.08 * float(finite.max()) if len(finite) and float(finite.max()) > 0 else 1.0


def spearman(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of two `(N,)`; ties share their mean rank, +inf ranks highest.

    nan if one of them is constant.
    """
    ranks = np.stack([stats.rankdata(a.numpy()), stats.rankdata(b.numpy())])
    return torch.corrcoef(torch.from_numpy(ranks))[0, 1].item()


SIDE = 64
"""The longest side of a thumbnail in pixels; smaller images stay as they are."""
PIXELS = 1_000_000
"""Of one sheet, about: few enough to be decoded at once, many enough for few sheets."""
BOX = Image.Resampling.BOX
QUALITIES = (90, 85, 80, 75, 70, 60, 50, 35, 20)
BUDGET = 8_000_000
"""Bytes of the page for the pictures of all inputs, unless told otherwise."""


def make_sheets(
    batches: Iterable[Tensor], N: int, *, side: int = SIDE, budget: int = BUDGET
) -> dict[str, Any]:
    """Sheets of thumbnails of N images, which come in batches of uint8 `(B, C, H, W)`.

    C is 1 or 3, or 4 with an alpha channel, which is left out. Images are scaled down until no side
    is longer than `side`. They are WebP of the best quality with which all sheets stay within
    `budget` bytes of the page, as far as the first sheet tells. Another number of images than N
    raises `ArcalError`.

    >>> sheets = make_sheets([torch.zeros(3, 1, 28, 28, dtype=torch.uint8)], 3)
    >>> sheets["width"], sheets["height"], sheets["per_row"], len(sheets["sheets"])
    (28, 28, 3, 1)
    """
    tiles = _tiles(batches, side)
    first = next(tiles, None)
    if first is None:
        raise ArcalError("there are no images to make thumbnails of")
    height, width = first.shape[:2]
    each = max(1, PIXELS // (width * height))
    per_row = min(N, each, max(1, round(each**0.5)))
    rows = min(-(-N // per_row), each // per_row)
    sheets: list[str] = []
    quality, sheet, done = None, np.zeros((rows * height, per_row * width, 3), np.uint8), 0

    def finished(tiles_on_it: int) -> None:
        nonlocal quality
        used = sheet[: -(-tiles_on_it // per_row) * height]
        if quality is None:
            most = budget * tiles_on_it / max(N, 1)
            fits = (one for one in QUALITIES if len(_webp(used, one)) <= most)
            quality = next(fits, QUALITIES[-1])
        sheets.append(_webp(used, quality))
        sheet.fill(0)

    for tile in chain([first], tiles):
        row, column = divmod(done % (per_row * rows), per_row)
        sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        done += 1
        if done % (per_row * rows) == 0:
            finished(per_row * rows)
    if done % (per_row * rows):
        finished(done % (per_row * rows))
    if done != N:
        raise ArcalError(f"{N} thumbnails were announced, and {done} images came")
    return {"width": width, "height": height, "per_row": per_row, "rows": rows, "sheets": sheets}


def perturbation_sheets(x: Tensor, adversarial: Tensor) -> dict[str, Any]:
    """Pictures of perturbations, of the perturbed images, and of the images if they are large.

    `x` and `adversarial` are float `(n, C, H, W)` in [0, 1], all of them finite. A perturbation of
    a grey image is orange where it brightens and blue where it darkens; of a colour image it is
    added to a middle grey. Images no larger than `SIDE` are not shown again: their thumbnails are
    as good. The pictures take about a quarter of `BUDGET` bytes of the page.

    >>> x = torch.full((2, 3, 8, 8), 0.5)
    >>> pictures = perturbation_sheets(x, x + 0.01)
    >>> pictures["perturbed"]["width"], pictures["amplification"], pictures["original"]
    (8, 50.0, None)
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
    """A grey perturbation `(n, 1, H, W)`, 0 as nearly white, +-0.5 as full colour."""
    paper = torch.tensor([0.96, 0.96, 0.95])[:, None, None]
    orange = torch.tensor([0xD5, 0x5E, 0x00])[:, None, None] / 255
    blue = torch.tensor([0x00, 0x72, 0xB2])[:, None, None] / 255
    share = (2 * amplified.abs()).clamp(max=1)
    return paper + share * (torch.where(amplified > 0, orange, blue) - paper)


def _tiles(batches: Iterable[Tensor], side: int) -> Iterator[np.ndarray]:
    """Each image as uint8 `(H, W, 3)`, no side longer than `side`."""
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
