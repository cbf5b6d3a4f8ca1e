"""The pictures of confidence against accuracy: by bin (Figure 8) and as a whole (Figure 7)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from arcal.auditing import accuracy_interval
from arcal.calibration import Reliability
from arcal.errors import ArcalError
from arcal.printable import printable
from arcal.report.marks import FAINT, INK, OVER, UNDER
from arcal.report.names import Comparison, seed_title
from arcal.report.plots import WIDTH, pair, write_figure
from arcal.report.tables import Rows

FEW = 10
"""Bins of a reliability diagram with fewer images are drawn pale."""


@dataclass(frozen=True)
class Panel:
    """A reliability diagram; `others`, runs of the same method, are drawn as points only."""

    title: str
    bins: Reliability
    others: Sequence[Reliability] = ()


def write_reliability(
    path: Path | str, methods: Mapping[str, Reliability | Sequence[Reliability]]
) -> Path:
    """Draw reliability diagrams, by the names of the methods, to the file `path`.

    Each shows the accuracy by bin of confidence with its exact 95 % interval and the gap to the
    mean confidence, blue if under-confident and orange if over-confident; below is a histogram of
    the inputs per bin. For several runs of a method the first is drawn like this, and the others as
    points. The file ends in .svg, .pdf or .png. Another ending, no method, or a method without
    inputs raises `ArcalError`. The same figures give the same bytes.

    >>> bins = Reliability().update([0.875, 0.625], [True, False])
    >>> write_reliability("reliability.pdf", {"plain": [bins, bins], "mine": bins}).name
    'reliability.pdf'
    """
    panels: list[Panel | None] = []
    for name, given in methods.items():
        first, *others = [given] if isinstance(given, Reliability) else given or [Reliability()]
        if not all(int(one.count.sum()) for one in (first, *others)):
            raise ArcalError(f"{name} has a reliability diagram of no inputs: update it first")
        panels.append(Panel(printable(name), first, others))
    if not panels:
        raise ArcalError("there is no reliability diagram to draw: give one or more by name")
    write_figure(Path(path), "reliability", lambda: _diagrams(panels, "inputs"))
    return Path(path)


def reliability(comparison: Comparison) -> Figure:
    """Reliability diagrams and histograms of each method's first run.

    If a method has several runs, their average is drawn beside the first.
    """
    return _diagrams(_panels(comparison), "images")


def _diagrams(panels: Sequence[Panel | None], what: str) -> Figure:
    """A diagram above a histogram for each panel, in rows of up to four; None leaves a gap."""
    columns = min(4, max(2, len(panels)))
    blocks = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH, 4.2 * blocks), layout="constrained")
    grid = figure.subplots(2 * blocks, columns, squeeze=False, height_ratios=(3, 1) * blocks)
    for axes in grid.flat:
        axes.set_visible(False)
    share = max(float(_share(panel.bins).max()) for panel in panels if panel)
    for i, panel in enumerate(panels):
        if panel is None:
            continue
        block, column = divmod(i, columns)
        diagram, histogram = grid[2 * block, column], grid[2 * block + 1, column]
        draw_diagram(diagram, panel)
        draw_histogram(histogram, panel.bins, share, what)
        for axes in (diagram, histogram):
            axes.set_visible(True)
            axes.set_xlim(0, 1)
            if column:
                axes.set_ylabel("")
                axes.tick_params(labelleft=False)
    return figure


def _panels(comparison: Comparison) -> list[Panel | None]:
    """Two panels per method, or one if no method has two runs; None leaves a place empty."""
    panels: list[Panel | None] = []
    for one in comparison.subjects:
        first, *others = one.reliability
        title = f"{one.name.on_lines}\nseed {seed_title(one.seeds[0])}"
        panels.append(Panel(title, first, others))
        if one.ensemble_reliability is not None:
            title = f"{one.name.on_lines}\n{len(one.seeds)} runs averaged"
            panels.append(Panel(title, one.ensemble_reliability))
        elif comparison.several:
            panels.append(None)
    return panels


def draw_diagram(axes: Axes, panel: Panel) -> None:
    """Accuracy by bin of confidence, with its interval, and the gap to the confidence."""
    bins = panel.bins
    some = bins.count > 0
    accuracy, gap = bins.accuracy[some].numpy(), (bins.confidence - bins.accuracy)[some].numpy()
    x, width = _middles(bins.bins)[some.numpy()], 0.92 / bins.bins
    strength = np.where(bins.count[some].numpy() < FEW, 0.25, 1.0)
    tints = [to_rgba(OVER if g > 0 else UNDER, 0.5 * a) for g, a in zip(gap, strength, strict=True)]
    lines = [to_rgba(INK, a) for a in strength]
    axes.bar(x, accuracy + gap.clip(max=0), width, color=[to_rgba("#c6cbd2", a) for a in strength])
    axes.bar(x, gap, width, accuracy, color=tints)
    for other in panel.others:
        axes.plot(
            _middles(other.bins),
            other.accuracy.numpy(),
            "o",
            ms=3.2,
            mfc="white",
            mec=FAINT,
            mew=0.7,
        )
    axes.hlines(accuracy, x - width / 2, x + width / 2, colors=lines, lw=1.8)
    low, high = (end[some].numpy() for end in accuracy_interval(bins))
    axes.vlines(x, low, high, colors=lines, lw=0.9)
    axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=(0, (4, 3)))
    axes.set_ylim(0, 1)
    axes.set_ylabel("accuracy")
    axes.set_title(panel.title)
    axes.tick_params(labelbottom=False)


def draw_histogram(axes: Axes, bins: Reliability, share: float, what: str) -> None:
    """The share of all predictions, on `what`, per bin; the axis ends a little above `share`."""
    axes.bar(_middles(bins.bins), 100 * _share(bins), 0.92 / bins.bins, color=FAINT)
    axes.set_ylim(0, 105 * share)
    axes.set_ylabel(f"% of {what}")
    axes.set_xlabel("confidence")


def _share(bins: Reliability) -> np.ndarray:
    return (bins.count / bins.count.sum()).numpy()


def _middles(bins: int) -> np.ndarray:
    return (np.arange(bins) + 0.5) / bins


def alone_and_together(shown: Mapping[str, Sequence[tuple[str, Rows, Rows]]]) -> Figure:
    """Accuracy and confidence of single runs, above those of their ensemble; one panel per title.

    Each subject is its name, the measures of its single runs, and those of their ensemble.
    """
    most = max(map(len, shown.values()))
    size = WIDTH * 0.72, 0.85 + (0.72 * most + 0.1) * len(shown)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
    for axes, (title, subjects) in zip(panels, shown.items(), strict=True):
        ticks: dict[float, str] = {}
        for i, (name, single, together) in enumerate(subjects):
            ticks |= {i - 0.17: f"{name}: single", i + 0.17: "ensemble"}
            for y, row in ((i - 0.17, single), (i + 0.17, together)):
                pair(axes, y, row["accuracy"], row["confidence"], labelled=i == 0 and y < i)
        axes.set_title(title)
        axes.set_yticks(list(ticks), labels=list(ticks.values()))
        axes.set_ylim(len(subjects) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("accuracy, confidence")
        axes.margins(x=0.04)
    drawn = panels[0].get_legend_handles_labels()
    figure.legend(*drawn, loc="outside upper right", ncols=2)
    return figure
