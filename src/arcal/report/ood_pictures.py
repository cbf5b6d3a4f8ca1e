"""The histograms of predictive entropy on the models' own images and on others (Figure 4)."""

import math

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from arcal.report.drawing import FAINT, WIDTH
from arcal.report.study import Study


def entropy(study: Study, i: int, Z: int) -> Figure:
    """Predictive entropy on the test set and on the i-th other data set, a panel a method.

    The share of images in each bin is the mean over the method's runs.
    """
    columns = min(4, max(2, len(study.methods)))
    rows = math.ceil(len(study.methods) / columns)
    figure = Figure(figsize=(WIDTH, 2.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    edges = np.linspace(0, math.log(Z), study.methods[0].ood[i].inside.shape[1] + 1)
    drawn: list[Artist] = []
    highest = 0.0
    for n, (axes, method) in enumerate(zip(panels.flat, study.methods, strict=False)):
        inside, outside = (
            100 * shares.mean(dim=0).numpy()
            for shares in (method.ood[i].inside, method.ood[i].outside)
        )
        area = axes.stairs(inside, edges, fill=True, color=FAINT, alpha=0.35)
        line = axes.stairs(outside, edges, color=method.name.colour, lw=1.6)
        drawn = drawn or [area, line]
        highest = max(highest, inside.max(), outside.max())
        axes.set_title(method.name.on_lines)
        axes.set_ylabel("" if n % columns else "% of images")
        if n + columns >= len(study.methods):
            axes.set_xlabel("entropy, nats")
            axes.tick_params(labelbottom=True)
    for axes in panels.flat[len(study.methods) :]:
        axes.set_visible(False)
    panels[0, 0].set_xlim(-0.02 * edges[-1], 1.02 * edges[-1])
    panels[0, 0].set_ylim(0, 1.05 * highest)
    names = ["the models' own test set", study.methods[0].ood[i].name]
    figure.legend(drawn, names, loc="outside lower center", ncols=2)
    return figure
