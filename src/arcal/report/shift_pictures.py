"""The box plots over types of corruption, by intensity (Figures 3 and 6)."""

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from arcal.report.comparison import Comparison
from arcal.report.drawing import WIDTH
from arcal.report.plots import Boxes, box_legend, box_plots

MEASURES = (("accuracy", "Accuracy"), ("ece", "ECE"))


def shift(comparison: Comparison) -> Figure:
    """Accuracy above ECE; single runs at the left, where there are several, ensembles beside them.

    A value is the mean over runs of one type at one intensity.
    """
    columns = 2 if comparison.several else 1
    figure = Figure(figsize=(WIDTH, 6.4), layout=ConstrainedLayoutEngine(h_pad=0.09))
    panels = figure.subplots(2, columns, sharex=True, sharey="row", squeeze=False)
    for row, (measure, title) in zip(panels, MEASURES, strict=True):
        single = [Boxes(one.name.mark, one.means[measure]) for one in comparison.subjects]
        box_plots(row[0], single, comparison.boxed)
        row[0].set_title(f"{title}, single runs" if columns > 1 else title)
        if columns > 1:
            together = [
                Boxes(one.name.mark, one.ensemble_means[measure]) for one in comparison.several
            ]
            box_plots(row[1], together, comparison.boxed)
            row[1].set_title(f"{title}, ensembles of a method's runs")
    for axes in panels[1]:
        axes.set_xlabel("intensity of the shift")
        axes.set_ylim(bottom=0)
    boxes = [
        (one.name.short, Boxes(one.name.mark, one.means["ece"])) for one in comparison.subjects
    ]
    box_legend(figure, boxes)
    return figure


def variance(comparison: Comparison) -> Figure:
    """The variance over a subject's runs, all classes, as `shift`."""
    figure = Figure(figsize=(WIDTH * 0.72, 3.7), layout="constrained")
    axes = figure.subplots()
    boxes = [
        (one.name.short, Boxes(one.name.mark, one.stability["variance_all_classes"]))
        for one in comparison.several
    ]
    box_plots(axes, [one for _, one in boxes], comparison.boxed)
    axes.set_ylabel("variance over the runs")
    axes.set_xlabel("intensity of the shift")
    axes.set_ylim(bottom=0)
    box_legend(figure, boxes)
    return figure
