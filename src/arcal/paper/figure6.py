"""Figure 6: ECE and accuracy of single models and ensembles, clean and under shift."""

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
from arcal.report.tables import Spread

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
SINGLE = ("vanilla", "ls", "adals", "ar-adals")
JOINT = "of-ensemble"
MEASURES = {"ece": "ECE", "accuracy": "Accuracy"}

Panel = dict[str, Boxed]
"""One measure of all methods of a setting, by name: first single runs, then ensembles."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, (*SINGLE, JOINT), shift=True) for setting in SETTINGS]


def make(found: Found) -> Result:
    settings, notes = of_several(found, SETTINGS)
    shown = {
        found.settings[name].setting.stands_for: {m: _panel(found, name, m) for m in MEASURES}
        for name in settings
    }
    return Result(
        "figure6",
        "Figure 6: single models and ensembles on clean and shifted data",
        [*notes_of(found, SETTINGS, shift=True), *notes, READ],
        [
            table_of(f"{MEASURES[measure]}, {title}", list(panel.items()))
            for title, panels in shown.items()
            for measure, panel in panels.items()
        ],
        settled([claim for title, panels in shown.items() for claim in _claims(title, panels)]),
        {"figure6": lambda: draw(shown)} if shown else {},
    )


def _panel(found: Found, name: str, measure: str) -> Panel:
    single = {LOOKS[k].name: boxed(found.of(name, k), measure, LOOKS[k]) for k in SINGLE}
    several = {
        ensemble_name(key): boxed(found.of(name, key), measure, LOOKS[key], ensemble=True)
        for key in (*SINGLE, JOINT)
    }
    return single | several


def ensemble_name(key: str) -> str:
    """Ensembles of independent runs, and the one whose members learn together."""
    return LOOKS[key].name if key == JOINT else f"Ensemble of {LOOKS[key].name}"


def draw(shown: Mapping[str, Mapping[str, Panel]]) -> Figure:
    """A panel a setting and measure, ECE above accuracy."""
    rows = [
        (f"{MEASURES[measure]}, {title}", measure, panel)
        for title, panels in shown.items()
        for measure, panel in panels.items()
    ]
    figure = Figure(figsize=(WIDTH * 1.2, 3.4 * len(rows) + 0.6), layout="constrained")
    panels = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for axes, (title, measure, panel) in zip(panels, rows, strict=True):
        draw_boxes(axes, list(panel.values()))
        axes.set_title(title)
        if measure == "ece":
            axes.set_ylim(bottom=0)
    panels[-1].set_xlabel("intensity of the shift")
    names = list(rows[0][2].items())
    legend(figure, panels[0], names, columns=5)
    return figure


def _claims(title: str, panels: Mapping[str, Panel]) -> list[Claim | Comparison]:
    where = f" ({title})"
    ece, accuracy = panels["ece"], panels["accuracy"]
    claims: list[Claim | Comparison] = [
        _best(f"AR-AdaLS of Ensemble has the lowest ECE everywhere{where}", ece)
    ]
    for key in SINGLE:
        name, together = LOOKS[key].name, ensemble_name(key)
        alone, joined = accuracy[name].means.overall, accuracy[together].means.overall
        if alone is not None and joined is not None:
            text = f"{name} has a lower accuracy under shift than its ensemble{where}"
            claims.append((text, alone, joined))
    claims.append(_similar(f"all ensembles have similar accuracy{where}", accuracy))
    for key in SINGLE[1:]:
        name, together = LOOKS[key].name, ensemble_name(key)
        claims.append(
            (
                f"ensembling {name} harms its ECE on clean data{where}",
                _clean(ece[name]),
                _clean(ece[together]),
            )
        )
        alone, joined = ece[name].means.by_intensity[-1], ece[together].means.by_intensity[-1]
        if alone is not None and joined is not None:
            text = f"ensembling {name} improves its ECE at intensity 5{where}"
            claims.append((text, joined, alone))
    return claims


def _clean(found: Boxed) -> Spread:
    return found.means.clean


def _best(text: str, ece: Panel) -> Claim:
    """Whether it has the lowest mean on the clean set and at each intensity."""
    ours = ece[ensemble_name(JOINT)]
    behind, places = [], 0
    for i, place in enumerate(("clean", *(f"intensity {n}" for n in range(1, 6)))):
        found = {name: _mean(one, i) for name, one in ece.items()}
        mine = _mean(ours, i)
        if mine is None:
            continue
        places += 1
        best = min(((v, name) for name, v in found.items() if v is not None))
        if best[0] < mine:
            behind.append(f"{place}: {best[1]} {100 * best[0]:.2f} against {100 * mine:.2f}")
    because = f"in {places - len(behind)} of {places} places" + "".join(f"; {b}" for b in behind)
    return Claim(text, not behind, because)


def _mean(found: Boxed, place: int) -> float | None:
    means = (found.means.clean, *found.means.by_intensity)[place]
    return None if means is None else means.mean


def _similar(text: str, accuracy: Panel) -> Claim:
    """Whether the ensembles differ by less than ensembling gains on average, on clean data."""
    together = [100 * accuracy[ensemble_name(key)].means.clean.mean for key in (*SINGLE, JOINT)]
    alone = [100 * accuracy[LOOKS[key].name].means.clean.mean for key in SINGLE]
    differ = max(together) - min(together)
    gain = sum(together[: len(SINGLE)]) / len(SINGLE) - sum(alone) / len(alone)
    because = f"they differ by {differ:.2f} points, ensembling gains {gain:.2f}"
    return Claim(text, differ < gain, because)


ITEM = Item("figure6", "Single models and ensembles under shift", needs, make)
