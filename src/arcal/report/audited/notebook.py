"""An audit in a notebook: its sentence, two pictures, and a link to its page."""

import html
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from arcal.auditing import Audited, reliability
from arcal.printable import printable
from arcal.report.audited._words import headline
from arcal.report.marks import ACCURACY, CONFIDENCE
from arcal.report.plots import as_address, as_svg, level_axis, tint_between
from arcal.report.reliability_pictures import Panel, draw_diagram, draw_histogram


def notebook_html(models: Sequence[Audited], link: str) -> str:
    """The HTML that a notebook shows for audited models; `link` is the address of their page."""
    parts = []
    for i, model in enumerate(models):
        pictures = [("reliability", "How often it is right, by how sure it is", _reliability)]
        if model.levels:
            pictures.append(("levels", "Accuracy and confidence by robustness level", _levels))
        parts.append(f"<p>{html.escape(printable(headline(model)))}</p>")
        for name, alt, draw in pictures:
            svg = as_svg(f"{name}-{i + 1}", lambda draw=draw, model=model: draw(model))
            parts.append(f'<img src="{as_address(svg)}" alt="{alt}" style="max-width: 49%">')
    parts.append(f'<p><a href="{html.escape(link)}" target="_blank">Open the page</a></p>')
    return f"<div>{''.join(parts)}</div>"


def _reliability(model: Audited) -> Figure:
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    diagram, histogram = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    bins = reliability(model.predictions)
    draw_diagram(
        diagram, Panel(printable(model.name), reliability(model.predictions, **model.counting))
    )
    draw_histogram(histogram, bins, float((bins.count / bins.count.sum()).max()), "inputs")
    diagram.set_xlim(0, 1)
    return figure


def _levels(model: Audited) -> Figure:
    assert model.levels is not None
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    places = range(len(model.levels))
    shares = [level.accuracy for level in model.levels]
    accuracy = np.array([share.value for share in shares])
    confidence = np.array([level.confidence for level in model.levels])
    ends = [[abs(one.value - getattr(one, end)) for one in shares] for end in ("low", "high")]
    tint_between(axes, accuracy, confidence)
    axes.plot(places, confidence, "--", color=CONFIDENCE.colour, marker=CONFIDENCE.marker)
    axes.errorbar(
        places, accuracy, ends, color=ACCURACY.colour, marker=ACCURACY.marker, capsize=2.5
    )
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("accuracy (with its 95 % interval), confidence (dashed)")
    axes.set_title(printable(model.name))
    level_axis(axes, len(model.levels))
    return figure
