"""The pictures of attacked images: what it takes to change a prediction, and who is right."""

import math

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats
from torch import Tensor

from arcal.auditing import Showcase
from arcal.report.drawing import FAINT, INK, OVER, WIDTH
from arcal.report.names import shortened

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
