"""Pictures by level, under shift and on other data: each function draws one and returns a `Figure`.

Levels count from 0, the least robust. Error bars are one standard deviation over the seeds; a
single run has none.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import count, product
from string import ascii_lowercase
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from arcal.auditing import INTENSITIES, LevelFigures, OutOfDistribution
from arcal.printable import printable
from arcal.report.marks import FAINT, INK, SPARE_MARKS, Mark
from arcal.report.names import Comparison
from arcal.report.plots import (
    WIDTH,
    Boxes,
    accuracy_and_confidence,
    box_plots,
    entropies,
    level_axis,
    line_by_level,
)
from arcal.report.tables import ACCURACY, ECE

NARROW = 34
"""The characters of a title that fit above one of several panels in a row."""


def figure_1(comparison: Comparison) -> Figure:
    """`by_level` for the reference."""
    return by_level({comparison.reference.name.title: comparison.reference.levels})


def by_level(shown: Mapping[str, LevelFigures]) -> Figure:
    """One column per title: accuracy and confidence by level, above ECE and variance by level."""
    width = WIDTH * min(1.0, max(0.72, 0.36 * len(shown)))
    figure = Figure(figsize=(width, 6.0), layout="constrained")
    how: dict[str, Any] = {"sharex": True, "sharey": "row", "height_ratios": (3, 2)}
    panels = figure.subplots(2, len(shown), squeeze=False, **how)
    for (top, bottom), (title, levels) in zip(panels.T, shown.items(), strict=True):
        accuracy_and_confidence(top, levels)
        top.set_title(title if len(shown) == 1 else fill(title, NARROW))
        line_by_level(bottom, levels.ece, Mark("ECE", INK, "o"))
        if levels.variance is not None:
            variance = Mark("variance over the runs", SPARE_MARKS[0][0], "s")
            line_by_level(bottom, levels.variance[None], variance, "--")
        level_axis(bottom, levels.R, narrow=len(shown) > 1)
    varies = any(levels.variance is not None for levels in shown.values())
    labels = "accuracy, confidence", "ECE, variance" if varies else "ECE"
    for row, label in zip(panels, labels, strict=True):
        row[0].set_ylabel(label)
        row[0].legend()
    return figure


def figure_2(comparison: Comparison) -> Figure:
    """`each_by_level` for every subject but the reference, above all subjects."""
    shown = comparison.others or comparison.subjects
    return each_by_level(
        [(one.name.on_lines, one.levels) for one in shown],
        [(one.name.mark, one.levels) for one in comparison.subjects],
    )


def each_by_level(
    shown: Sequence[tuple[str, LevelFigures]], every: Sequence[tuple[Mark, LevelFigures]]
) -> Figure:
    """One panel per title with accuracy and confidence, above ECE and variance of `every` mark."""
    columns = 4 if len(shown) > 6 else min(3, max(2, len(shown)))
    above = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(WIDTH, 3.2 * above + 3.4), layout="constrained")
    grid = figure.add_gridspec(above + 1, 2 * columns, hspace=0.06)
    letters = ("".join(some) for n in count(1) for some in product(ascii_lowercase, repeat=n))
    for i, (title, levels) in enumerate(shown):
        row, column = divmod(i, columns)
        axes = figure.add_subplot(grid[row, 2 * column : 2 * column + 2])
        accuracy_and_confidence(axes, levels)
        if i == 0:
            axes.set_ylabel("accuracy, confidence")
            axes.legend()
        axes.set_title(f"({next(letters)}) {title}")
        level_axis(axes, levels.R, narrow=columns > 2)
    ece = figure.add_subplot(grid[above, :columns])
    variance = figure.add_subplot(grid[above, columns:])
    for mark, levels in every:
        line_by_level(ece, levels.ece, mark)
        if levels.variance is not None:
            line_by_level(variance, levels.variance[None], mark)
    ece.set_title(f"({next(letters)}) ECE")
    variance.set_title(f"({next(letters)}) Variance over the runs")
    for axes in (ece, variance):
        level_axis(axes, every[0][1].R)
        axes.set_ylim(bottom=0)
    figure.legend(*ece.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    if not variance.lines:
        variance.set_yticks([])
        why = "needs two runs of a method, there is one"
        middle = {"transform": variance.transAxes, "ha": "center", "va": "center"}
        variance.text(0.5, 0.5, why, color=FAINT, **middle)
    return figure


def soft_labels(comparison: Comparison) -> Figure:
    """The correct class's soft label by level over the epochs, one panel per subject."""
    shown = [one for one in comparison.subjects if one.soft_labels is not None]
    columns = min(3, max(1, len(shown)))
    rows = max(1, math.ceil(len(shown) / columns))
    width = WIDTH * (0.72 if columns == 1 else 1.0)
    figure = Figure(figsize=(width, 3.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    colours = ListedColormap(colormaps["plasma"](np.linspace(0.78, 0.0, 256)))
    for axes, one in zip(panels.flat, shown, strict=False):
        assert one.soft_labels is not None
        R = one.soft_labels.shape[1]
        for r in range(R):
            colour = colours(r / (R - 1)) if R > 1 else INK
            axes.plot(one.soft_labels[:, r].numpy(), color=colour)
        axes.set_title(one.name.on_lines)
        axes.set_xlabel("epoch")
        axes.set_xlim(0, len(one.soft_labels) - 1)
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


def shift(comparison: Comparison) -> Figure:
    """Box plots of accuracy, above ECE; single runs on the left, ensembles, if any, on the right.

    A value is the mean over runs for one type at one intensity.
    """
    rows = []
    for column in (ACCURACY, ECE):
        measure, title = column.measure, column.title
        single = [Boxes(one.name.mark, one.means[measure]) for one in comparison.subjects]
        together = [Boxes(one.name.mark, one.ensemble_means[measure]) for one in comparison.several]
        several = (
            (f"{title}, single runs", single),
            (f"{title}, ensembles of a method's runs", together),
        )
        rows.append((measure, several if together else [(title, single)]))
    return boxes_by_intensity(rows, (WIDTH, 6.4), comparison.boxed)


def boxes_by_intensity(
    rows: Sequence[tuple[str, Sequence[tuple[str, Sequence[Boxes]]]]],
    size: tuple[float, float],
    intensities: Sequence[int] = INTENSITIES,
    columns: int = 4,
) -> Figure:
    """One row per measure of panels by title, each with the boxes of subjects.

    The legend below is for the first panel, in `columns`. Axes start at 0, except for accuracy.
    """
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.09))
    alike = "row" if len(rows) > 1 else "none"
    panels = figure.subplots(len(rows), len(rows[0][1]), sharex=True, sharey=alike, squeeze=False)
    for row, (measure, shown) in zip(panels, rows, strict=True):
        for axes, (title, boxes) in zip(row, shown, strict=True):
            box_plots(axes, boxes, intensities)
            axes.set_title(title)
            if measure != "accuracy":
                axes.set_ylim(bottom=0)
    for axes in panels[-1]:
        axes.set_xlabel("intensity of the shift")
    handles = [
        panels[0, 0].plot([], [], ls="", **one.marker(size=7), label=one.mark.name)[0]
        for one in rows[0][1][0][1]
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
    return figure


def variance(comparison: Comparison) -> Figure:
    """The variance over each subject's runs, for all classes, by intensity as in `shift`."""
    boxes = [
        Boxes(one.name.mark, one.stability["variance_all_classes"]) for one in comparison.several
    ]
    return variances({"": boxes}, comparison.boxed)


def variances(
    shown: Mapping[str, Sequence[Boxes]], intensities: Sequence[int] = INTENSITIES
) -> Figure:
    """One panel per title: the variance over the runs of each subject."""
    size = WIDTH * (0.72 if len(shown) == 1 else 1.2), 3.7
    figure = boxes_by_intensity([("variance", list(shown.items()))], size, intensities)
    figure.axes[0].set_ylabel("variance over the runs")
    return figure


def entropy(comparison: Comparison, i: int, Z: int) -> Figure:
    """`entropies_on` for all subjects on the i-th other data set."""
    shown = [(one.name.on_lines, one.name.mark.colour, one.ood[i]) for one in comparison.subjects]
    return entropies_on(shown, Z, printable(shown[0][2].name))


def entropies_on(shown: Sequence[tuple[str, str, OutOfDistribution]], Z: int, words: str) -> Figure:
    """Predictive entropy on the test set and on other data: one panel per title, in its colour.

    The share of images in each bin is the mean over a subject's runs. `words` name the other data.
    """
    columns = min(4, max(2, len(shown)))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(WIDTH, 2.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    end = math.log(Z)
    drawn: list[Artist] = []
    for n, (axes, (title, colour, other)) in enumerate(zip(panels.flat, shown, strict=False)):
        artists = entropies(axes, other.inside, other.outside, end, colour)
        drawn = drawn or artists
        axes.set_title(title)
        axes.set_ylabel("" if n % columns else "% of images")
        if n + columns >= len(shown):
            axes.set_xlabel("entropy, nats")
            axes.tick_params(labelbottom=True)
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    every = (shares for *_, other in shown for shares in (other.inside, other.outside))
    highest = max(float(shares.mean(dim=0).max()) for shares in every)
    panels[0, 0].set_xlim(-0.02 * end, 1.02 * end)
    panels[0, 0].set_ylim(0, 105 * highest)
    names = ["the models' own test set", words]
    figure.legend(drawn, names, loc="outside lower center", ncols=2)
    return figure
