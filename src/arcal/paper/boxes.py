"""Figures 3 and 6: box plots over types of corruption, by intensity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from arcal.evaluation import MethodRuns
from arcal.evaluation.sets import INTENSITIES
from arcal.paper.looks import Look
from arcal.paper.result import Cell, Table
from arcal.report.drawing import INK
from arcal.report.means import Means, means_of
from arcal.report.tables import Spread

FEW = 5
"""Types of fewer than these are drawn as points as well: their quartiles say little."""
READ = (
    "A box spans the quartiles over types of corruption, its line is the median, its whiskers end "
    "at the least and the greatest; the clean test set is one value, a marker. The tables have the "
    "mean ± standard deviation over types; the JSON file has every type's value."
)


@dataclass(frozen=True)
class Boxed:
    """One measure of a method; `strong` is the look of an ensemble beside that of single runs."""

    look: Look
    means: Means
    strong: bool = False

    def at(self, intensity: int) -> Spread | None:
        """The value of each type at an intensity; None if none was evaluated."""
        values = [float(of_type[intensity - 1]) for of_type in self.means.by_type.values()]
        found = tuple(value for value in values if not np.isnan(value))
        return Spread(found) if found else None


def boxed(runs: MethodRuns, measure: str, look: Look, *, ensemble: bool = False) -> Boxed:
    """Means over the runs, or the runs' averaged predictions: of a lockstep run its own."""
    several = ensemble and len(runs.seeds) > 1
    return Boxed(look, means_of(runs, (measure,), ensemble=several)[measure], ensemble)


def draw_boxes(axes: Axes, methods: Sequence[Boxed]) -> None:
    """At each intensity a box a method, side by side; the first place is the clean test set."""
    step = 0.84 / len(methods)
    for i, method in enumerate(methods):
        offset, look = (i - (len(methods) - 1) / 2) * step, method.look
        filled = to_rgba(look.colour, 0.75 if method.strong else 0.22)
        for intensity in INTENSITIES:
            found = method.at(intensity)
            if found is None:
                continue
            axes.boxplot(
                [found.values],
                positions=[intensity + offset],
                widths=0.8 * step,
                whis=(0, 100),
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                boxprops={"facecolor": filled, "edgecolor": look.colour, "lw": 0.9},
                medianprops={"color": INK, "lw": 1.3},
                whiskerprops={"color": look.colour, "lw": 1.0},
                capprops={"color": look.colour, "lw": 1.0},
            )
            if len(found.values) < FEW:
                at = [intensity + offset] * len(found.values)
                axes.plot(at, found.values, "o", ms=2.2, color=INK, mew=0)
        axes.plot([offset], [method.means.clean.mean], ls="", **_mark(method))
    axes.set_xticks(range(len(INTENSITIES) + 1), labels=["clean", *map(str, INTENSITIES)])
    axes.set_xlim(-0.55, len(INTENSITIES) + 0.55)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    for between in np.arange(len(INTENSITIES)) + 0.5:
        axes.axvline(between, color="#e6e8eb", lw=0.8, zorder=0)


def legend(figure: Figure, axes: Axes, names: Sequence[tuple[str, Boxed]], columns: int) -> None:
    """Below all panels, a marker and a name a method; it fills column by column."""
    handles = [
        axes.plot([], [], ls="", **_mark(method, size=7), label=name)[0] for name, method in names
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _mark(method: Boxed, size: float = 5) -> dict[str, Any]:
    colour = method.look.colour
    face = colour if method.strong else to_rgba(colour, 0.22)
    return {"color": face, "marker": method.look.marker, "mec": colour, "mew": 1.0, "ms": size}


def table_of(title: str, methods: Sequence[tuple[str, Boxed]]) -> Table:
    """A row a method; the clean test set over its runs, each intensity over types."""
    columns = ["clean", *(f"intensity {intensity}" for intensity in INTENSITIES)]
    rows = [
        (name, [Cell(None, at) for at in (found.means.clean, *map(found.at, INTENSITIES))])
        for name, found in methods
    ]
    return Table(f"{title}, ×10⁻²", columns, rows)
