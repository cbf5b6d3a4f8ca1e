"""The box plots over types of corruption, by intensity (Figures 3 and 6)."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from arcal.report.drawing import INK, WIDTH
from arcal.report.means import Means, boxed
from arcal.report.names import Name
from arcal.report.study import Study


def shift(study: Study) -> Figure:
    """Accuracy above ECE; single runs at the left, where there are several, ensembles beside them.

    A value is the mean over runs of one type at one intensity.
    """
    columns = 2 if study.several else 1
    figure = Figure(figsize=(WIDTH, 6.4), layout=ConstrainedLayoutEngine(h_pad=0.09))
    panels = figure.subplots(2, columns, sharex=True, sharey="row", squeeze=False)
    for row, (measure, title) in enumerate((("accuracy", "Accuracy"), ("ece", "ECE"))):
        single = [(method.name, method.means[measure]) for method in study.methods]
        _boxes(panels[row, 0], single)
        panels[row, 0].set_title(f"{title}, single runs" if columns > 1 else title)
        if columns > 1:
            together = [(method.name, method.ensemble_means[measure]) for method in study.several]
            _boxes(panels[row, 1], together)
            panels[row, 1].set_title(f"{title}, ensembles of a method's runs")
    for axes in panels[1]:
        axes.set_xlabel("intensity of the shift")
        axes.set_ylim(bottom=0)
    _legend(figure, [method.name for method in study.methods])
    return figure


def variance(study: Study) -> Figure:
    """The variance over a method's runs, all classes, as `shift`."""
    figure = Figure(figsize=(WIDTH * 0.72, 3.7), layout="constrained")
    axes = figure.subplots()
    _boxes(axes, [(m.name, m.stability["variance_all_classes"]) for m in study.several])
    axes.set_ylabel("variance over the runs")
    axes.set_xlabel("intensity of the shift")
    axes.set_ylim(bottom=0)
    _legend(figure, [method.name for method in study.several])
    return figure


def _boxes(axes: Axes, methods: Sequence[tuple[Name, Means]]) -> None:
    """A box a method at each intensity, whiskers to the ends; its marker on the clean set."""
    intensities = boxed(methods[0][1])
    step = 0.84 / len(methods)
    for i, (name, means) in enumerate(methods):
        offset = (i - (len(methods) - 1) / 2) * step
        by_type = np.stack([values.numpy() for values in means.by_type.values()])
        values = [column[~np.isnan(column)] for column in by_type[:, np.array(intensities) - 1].T]
        line = {"color": name.colour, "lw": 1.1}
        axes.boxplot(
            values,
            positions=np.arange(1, len(intensities) + 1) + offset,
            widths=0.82 * step,
            whis=(0, 100),
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": to_rgba(name.colour, 0.35), "edgecolor": name.colour, "lw": 1},
            medianprops={"color": INK, "lw": 1.4},
            whiskerprops=line,
            capprops=line,
        )
        look = {"color": name.colour, "marker": name.marker, "mec": "white", "mew": 0.6, "ms": 6}
        axes.plot([offset], [means.clean.mean], ls="", **look)
    axes.set_xticks(range(len(intensities) + 1), labels=["clean", *map(str, intensities)])
    axes.set_xlim(-0.55, len(intensities) + 0.55)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    for between in np.arange(len(intensities)) + 0.5:
        axes.axvline(between, color="#e6e8eb", lw=0.8, zorder=0)


def _legend(figure: Figure, names: list[Name]) -> None:
    axes = figure.axes[0]
    handles = [
        axes.plot([], [], ls="", color=n.colour, marker=n.marker, ms=7, label=n.short)[0]
        for n in names
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
