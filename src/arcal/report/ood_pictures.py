"""The histograms of predictive entropy on the models' own images and on others (Figure 4)."""

import math

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from arcal.printable import printable
from arcal.report.comparison import Comparison
from arcal.report.drawing import WIDTH
from arcal.report.plots import entropies


def entropy(comparison: Comparison, i: int, Z: int) -> Figure:
    """Predictive entropy on the test set and on the i-th other data set, a panel a subject.

    The share of images in each bin is the mean over the subject's runs.
    """
    subjects = comparison.subjects
    columns = min(4, max(2, len(subjects)))
    rows = math.ceil(len(subjects) / columns)
    figure = Figure(figsize=(WIDTH, 2.9 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    end = math.log(Z)
    drawn: list[Artist] = []
    for n, (axes, one) in enumerate(zip(panels.flat, subjects, strict=False)):
        other = one.ood[i]
        artists = entropies(axes, other.inside, other.outside, end, one.name.mark.colour)
        drawn = drawn or artists
        axes.set_title(one.name.on_lines)
        axes.set_ylabel("" if n % columns else "% of images")
        if n + columns >= len(subjects):
            axes.set_xlabel("entropy, nats")
            axes.tick_params(labelbottom=True)
    for axes in panels.flat[len(subjects) :]:
        axes.set_visible(False)
    highest = max(
        float(shares.mean(dim=0).max())
        for one in subjects
        for shares in (one.ood[i].inside, one.ood[i].outside)
    )
    panels[0, 0].set_xlim(-0.02 * end, 1.02 * end)
    panels[0, 0].set_ylim(0, 105 * highest)
    names = ["the models' own test set", printable(subjects[0].ood[i].name)]
    figure.legend(drawn, names, loc="outside lower center", ncols=2)
    return figure
