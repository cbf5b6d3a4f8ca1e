"""The pictures of calibration by level: one function a picture, each returns a matplotlib `Figure`.

Levels are shown as 1 (least robust) .. R. Bars of error are one standard deviation over the seeds;
a single run has none.
"""

import math
from itertools import count, product
from string import ascii_lowercase

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from arcal.report.drawing import FAINT, INK, OVER, UNDER, WIDTH, level_axis
from arcal.report.names import Name
from arcal.report.study import Method, Study


def figure_1(study: Study) -> Figure:
    """Accuracy and confidence by level, above ECE and variance by level, of the reference."""
    figure = Figure(figsize=(WIDTH * 0.72, 6.0), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    levels = study.reference.levels
    _accuracy_and_confidence(top, study.reference)
    top.set_title(study.reference.name.title)
    _line(bottom, levels.ece, INK, "o", "ECE")
    if levels.variance is not None:
        _line(bottom, levels.variance[None], "#009E73", "s", "variance over the runs", "--")
    bottom.set_ylim(bottom=0)
    bottom.legend(loc="upper right")
    bottom.set_ylabel("ECE" if levels.variance is None else "ECE, variance")
    level_axis(bottom, study.R)
    return figure


def figure_2(study: Study) -> Figure:
    """Accuracy and confidence of each other method, above ECE and variance of all methods."""
    shown = study.others or study.methods
    columns = 4 if len(shown) > 6 else min(3, max(2, len(shown)))
    above = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(WIDTH, 3.2 * above + 3.4), layout="constrained")
    grid = figure.add_gridspec(above + 1, 2 * columns, hspace=0.06)
    letters = ("".join(of) for n in count(1) for of in product(ascii_lowercase, repeat=n))
    for i, method in enumerate(shown):
        row, column = divmod(i, columns)
        axes = figure.add_subplot(grid[row, 2 * column : 2 * column + 2])
        _accuracy_and_confidence(axes, method, first=i == 0)
        axes.set_title(f"({next(letters)}) {method.name.on_lines}")
        level_axis(axes, study.R, narrow=columns > 2)
    of_ece = figure.add_subplot(grid[above, :columns])
    of_variance = figure.add_subplot(grid[above, columns:])
    for method in study.methods:
        look = method.name.colour, method.name.marker, method.name.short
        _line(of_ece, method.levels.ece, *look)
        if method.levels.variance is not None:
            _line(of_variance, method.levels.variance[None], *look)
    of_ece.set_title(f"({next(letters)}) ECE")
    of_variance.set_title(f"({next(letters)}) Variance over the runs")
    for axes in (of_ece, of_variance):
        level_axis(axes, study.R)
        axes.set_ylim(bottom=0)
    figure.legend(*of_ece.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    if not of_variance.lines:
        _say(of_variance, "needs two runs of a method, there is one")
    return figure


def _accuracy_and_confidence(axes: Axes, method: Method, first: bool = True) -> None:
    levels = method.levels
    at = range(1, levels.R + 1)
    accuracy = levels.accuracy.mean(dim=0).numpy()
    confidence = levels.confidence.mean(dim=0).numpy()
    for tint, where in ((OVER, confidence >= accuracy), (UNDER, confidence <= accuracy)):
        axes.fill_between(
            at, accuracy, confidence, where=where, interpolate=True, color=tint, alpha=0.14
        )
    _line(axes, levels.confidence, OVER, "s", "confidence", "--")
    _line(axes, levels.accuracy, INK, "o", "accuracy")
    axes.set_ylabel("accuracy, confidence" if first else "")
    axes.set_ylim(0, 1.02)
    axes.grid(visible=False, axis="x")
    if first:
        axes.legend(loc="lower right")


def _line(axes: Axes, values: Tensor, colour: str, marker: str, label: str, style="-") -> None:
    """Mean of `(n, R)` over the runs, with a bar of one deviation on either side."""
    at = range(1, values.shape[1] + 1)
    mean = values.mean(dim=0).numpy()
    deviation = values.std(dim=0).numpy() if len(values) > 1 else None
    look = {"color": colour, "marker": marker, "mec": "white", "mew": 0.6, "elinewidth": 1.1}
    axes.errorbar(at, mean, deviation, ls=style, label=label, capsize=2.5, capthick=1.1, **look)


def soft_labels(study: Study) -> Figure:
    """The correct class's soft label of each level over the epochs, a panel a method."""
    shown = [method for method in study.methods if method.soft_labels is not None]
    columns = min(3, max(1, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    width = WIDTH * (0.72 if columns == 1 else 1.0)
    figure = Figure(figsize=(width, 3.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    colours = ListedColormap(colormaps["plasma"](np.linspace(0.78, 0.0, 256)))
    for axes, method in zip(panels.flat, shown, strict=False):
        assert method.soft_labels is not None
        R = method.soft_labels.shape[1]
        for r in range(R):
            colour = colours(r / (R - 1)) if R > 1 else INK
            axes.plot(method.soft_labels[:, r].numpy(), color=colour)
        axes.set_title(method.name.on_lines)
        axes.set_xlabel("epoch")
        axes.set_xlim(0, len(method.soft_labels) - 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    panels[0, 0].set_ylabel("soft label of the correct class")
    scale = ScalarMappable(Normalize(0, 1), colours)
    bar = figure.colorbar(scale, ax=panels, aspect=30, pad=0.02)
    bar.set_ticks([0.03, 0.97], labels=["least robust\nlevel", "most robust\nlevel"])
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)  # pyright: ignore[reportCallIssue]
    return figure


def make_up(study: Study, classes: tuple[str, ...]) -> Figure:
    """Which classes a level is made of, beside each level's share of the misclassified images."""
    Z, R = len(classes), study.R
    named = Z <= 30
    figure = Figure(figsize=(WIDTH, min(6.0, max(3.6, 0.3 * Z + 1.1))), layout="constrained")
    heat, shares = figure.subplots(1, 2, width_ratios=(5, 4))
    share = (100 * study.reference.levels.class_share.T).numpy()  # (Z, R)
    image = heat.imshow(
        share, aspect="auto", cmap="Blues", vmin=0, extent=(0.5, R + 0.5, Z - 0.5, -0.5)
    )
    level_axis(heat, R)
    heat.set_xlim(0.5, R + 0.5)
    heat.grid(visible=False)
    heat.tick_params(length=0)
    heat.spines[:].set_visible(False)
    heat.set_title(f"(a) Classes of a level, % ({study.reference.name.short})")
    heat.set_yticks(range(Z) if named else [], labels=classes if named else [])
    heat.set_ylabel("" if named else f"{Z} classes")
    if Z <= 12 and R <= 12:
        dark = float(share.max()) * 0.6
        for z in range(Z):
            for r in range(R):
                value = float(share[z, r])
                colour = "white" if value > dark else INK
                heat.text(r + 1, z, f"{value:.0f}", ha="center", va="center", c=colour, size=7.5)
    else:
        figure.colorbar(image, ax=heat, pad=0.02, aspect=30).outline.set_visible(False)  # pyright: ignore
    for method in study.methods:
        _share_of_errors(shares, method.levels.misclassified, method.name)
    shares.axhline(100 / R, color=INK, lw=1, ls=(0, (4, 3)))
    shares.text(R + 0.4, 100 / R, "if errors were spread evenly ", ha="right", va="bottom", size=8)
    level_axis(shares, R)
    shares.set_ylim(bottom=0)
    shares.set_title("(b) Share of all misclassified images, %")
    drawn = shares.get_legend_handles_labels()
    figure.legend(*drawn, loc="outside lower right", ncols=min(4, len(study.methods)))
    return figure


def _share_of_errors(axes: Axes, misclassified: Tensor, name: Name) -> None:
    with_errors = misclassified[~misclassified.isnan().any(dim=1)]
    if len(with_errors):
        _line(axes, 100 * with_errors, name.colour, name.marker, name.short)


def _say(axes: Axes, text: str) -> None:
    axes.set_yticks([])
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)
