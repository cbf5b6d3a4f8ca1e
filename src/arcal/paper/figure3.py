"""Figure 3: variance over runs on the clean test set and under shift, Vanilla, LS and AR-AdaLS."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from arcal.paper.boxes import READ, Boxed, boxed, draw_boxes, legend, table_of
from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import LOOKS
from arcal.paper.members import of_several
from arcal.paper.notes import notes_of
from arcal.paper.result import Claim, Result
from arcal.paper.scales import Setting
from arcal.paper.summaries import Comparison, settled
from arcal.report.drawing import WIDTH

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
METHODS = ("vanilla", "ls", "ar-adals")

Panel = dict[str, Boxed]
"""A setting's methods by their keys."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, METHODS, shift=True) for setting in SETTINGS]


def make(found: Found) -> Result:
    settings, notes = of_several(found, SETTINGS)
    shown = {
        found.settings[name].setting.stands_for: {
            key: boxed(found.of(name, key), "variance_all_classes", LOOKS[key]) for key in METHODS
        }
        for name in settings
    }
    variance = "The variance is over runs and sums over the classes."
    return Result(
        "figure3",
        "Figure 3: variance on clean and shifted data",
        [*notes_of(found, SETTINGS, shift=True), *notes, READ, variance],
        [
            table_of(f"Variance, {title}", [(LOOKS[key].name, one) for key, one in panel.items()])
            for title, panel in shown.items()
        ],
        settled([claim for title, panel in shown.items() for claim in _claims(title, panel)]),
        {"figure3": lambda: draw(shown)} if shown else {},
    )


def draw(shown: Mapping[str, Panel]) -> Figure:
    """A column a setting."""
    width = WIDTH * (0.72 if len(shown) == 1 else 1.2)
    figure = Figure(figsize=(width, 3.8), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, (title, panel) in zip(panels, shown.items(), strict=True):
        draw_boxes(axes, list(panel.values()))
        axes.set_title(title)
        axes.set_xlabel("intensity of the shift")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("variance over the runs")
    names = [(LOOKS[key].name, one) for key, one in next(iter(shown.values())).items()]
    legend(figure, panels[0], names, columns=len(METHODS))
    return figure


def _claims(title: str, panel: Panel) -> list[Claim | Comparison]:
    ours = panel["ar-adals"].means
    claims: list[Claim | Comparison] = []
    for key in ("vanilla", "ls"):
        other = panel[key].means
        text = f"AR-AdaLS has a lower variance than {LOOKS[key].name}"
        claims.append((f"{text} on clean data ({title})", ours.clean, other.clean))
        if ours.overall is None or other.overall is None:
            continue
        claims.append((f"{text} under shift ({title})", ours.overall, other.overall))
        pairs = zip(ours.by_intensity, other.by_intensity, strict=True)
        ahead = [a.mean < b.mean for a, b in pairs if a is not None and b is not None]
        because = f"at {sum(ahead)} of {len(ahead)} intensities"
        claims.append(Claim(f"{text} at each intensity ({title})", all(ahead), because))
    return claims


ITEM = Item("figure3", "Variance on clean and shifted data", needs, make)
