"""Figure 3: variance over runs on the clean test set and under shift, Vanilla, LS and AR-AdaLS."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure

from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item
from arcal.paper.members import SETTINGS, with_several_seeds
from arcal.paper.notes import setting_notes
from arcal.paper.over_types import READ, box_table, boxes
from arcal.paper.result import Claim, Result
from arcal.paper.variants import AR_ADALS, LS, MARKS, VANILLA, Variant
from arcal.report.drawing import WIDTH
from arcal.report.plots import Boxes, box_legend, box_plots

VARIANTS = (VANILLA, LS, AR_ADALS)

Panel = Mapping[Variant, Boxes]
"""What is shown of a setting."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings, notes = with_several_seeds(evaluated, SETTINGS)
    shown = {
        one.title: {v: boxes(one.subject(v), "variance_all_classes", MARKS[v]) for v in VARIANTS}
        for one in settings
    }
    variance = "The variance is over runs and sums over the classes."
    return Result(
        "figure3",
        "Figure 3: variance on clean and shifted data",
        [*setting_notes(evaluated, SETTINGS, shift=True), *notes, READ, variance],
        [box_table(f"Variance, {title}", _named(panel)) for title, panel in shown.items()],
        settled([claim for title, panel in shown.items() for claim in _claims(title, panel)]),
        partial(draw, shown) if shown else None,
    )


def draw(shown: Mapping[str, Panel]) -> Figure:
    """A column a setting."""
    width = WIDTH * (0.72 if len(shown) == 1 else 1.2)
    figure = Figure(figsize=(width, 3.8), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (title, panel) in zip(panels, shown.items(), strict=True):
        box_plots(axes, list(panel.values()))
        axes.set_title(title)
        axes.set_xlabel("intensity of the shift")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("variance over the runs")
    box_legend(figure, _named(next(iter(shown.values()))), columns=len(VARIANTS))
    return figure


def _named(panel: Panel) -> list[tuple[str, Boxes]]:
    return [(one.mark.name, one) for one in panel.values()]


def _claims(title: str, panel: Panel) -> list[Claim | Comparison]:
    ours = panel[AR_ADALS].means
    claims: list[Claim | Comparison] = []
    for variant in (VANILLA, LS):
        other = panel[variant].means
        text = f"AR-AdaLS has a lower variance than {MARKS[variant].name}"
        claims.append((f"{text} on clean data ({title})", ours.clean, other.clean))
        if ours.overall is None or other.overall is None:
            continue
        claims.append((f"{text} under shift ({title})", ours.overall, other.overall))
        pairs = zip(ours.by_intensity, other.by_intensity, strict=True)
        ahead = [a.mean < b.mean for a, b in pairs if a is not None and b is not None]
        because = f"at {sum(ahead)} of {len(ahead)} intensities"
        claims.append(Claim(f"{text} at each intensity ({title})", all(ahead), because))
    return claims


ITEM = Item("figure3", SETTINGS, VARIANTS, make, shift=True)
