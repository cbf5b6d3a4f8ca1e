"""Figure 6: ECE and accuracy of single models and ensembles, clean and under shift."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from matplotlib.figure import Figure

from arcal.auditing import INTENSITIES
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.members import SETTINGS, with_several_seeds
from arcal.paper.result import Claim, Result
from arcal.paper.spreads import READ, box_table, boxes
from arcal.paper.variants import ADALS, AR_ADALS, LS, MARKS, OF_ENSEMBLE, VANILLA, Variant
from arcal.report.pictures import boxes_by_intensity
from arcal.report.plots import WIDTH, Boxes

SINGLE = (VANILLA, LS, ADALS, AR_ADALS)
MEASURES = {"ece": "ECE", "accuracy": "Accuracy"}

Panel = Mapping[str, Boxes]
"""One measure in a setting, by name: first of single runs, then of ensembles."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings, notes = with_several_seeds(evaluated, SETTINGS)
    shown = {one.title: {m: _panel(one, m) for m in MEASURES} for one in settings}
    return Result(
        "figure6",
        "Figure 6: single models and ensembles on clean and shifted data",
        [*setting_notes(evaluated, SETTINGS, shift=True), *notes, READ],
        [
            box_table(f"{MEASURES[measure]}, {title}", panel.values())
            for title, panels in shown.items()
            for measure, panel in panels.items()
        ],
        settled([claim for title, panels in shown.items() for claim in _claims(title, panels)]),
        partial(draw, shown) if shown else None,
    )


def _panel(evaluated: Evaluated, measure: str) -> Panel:
    single = [boxes(evaluated.figures(v), measure, MARKS[v]) for v in SINGLE]
    several = [
        boxes(evaluated.figures(v), measure, replace(MARKS[v], name=_ensemble(v)), ensemble=True)
        for v in (*SINGLE, OF_ENSEMBLE)
    ]
    return {one.mark.name: one for one in (*single, *several)}


def _ensemble(variant: Variant) -> str:
    """The name of an ensemble of independent runs, or of the one whose members learn together."""
    name = MARKS[variant].name
    return name if variant == OF_ENSEMBLE else f"Ensemble of {name}"


def draw(shown: Mapping[str, Mapping[str, Panel]]) -> Figure:
    """A panel per setting and measure, ECE above accuracy."""
    rows = [
        (measure, [(f"{MEASURES[measure]}, {title}", list(panel.values()))])
        for title, panels in shown.items()
        for measure, panel in panels.items()
    ]
    return boxes_by_intensity(rows, (WIDTH * 1.2, 3.4 * len(rows) + 0.6), columns=5)


def _claims(title: str, panels: Mapping[str, Panel]) -> list[Claim | Comparison]:
    where = f" ({title})"
    ece, accuracy = panels["ece"], panels["accuracy"]
    claims: list[Claim | Comparison] = [
        _best(f"AR-AdaLS of Ensemble has the lowest ECE everywhere{where}", ece)
    ]
    for variant in SINGLE:
        name, together = MARKS[variant].name, _ensemble(variant)
        alone, joined = accuracy[name].means.overall, accuracy[together].means.overall
        if alone is not None and joined is not None:
            text = f"{name} has a lower accuracy under shift than its ensemble{where}"
            claims.append((text, alone, joined))
    claims.append(_similar(f"all ensembles have similar accuracy{where}", accuracy))
    for variant in SINGLE[1:]:
        name = MARKS[variant].name
        single, together = ece[name].means, ece[_ensemble(variant)].means
        text = f"ensembling {name} harms its ECE on clean data{where}"
        claims.append((text, single.clean, together.clean))
        alone, joined = single.by_intensity[-1], together.by_intensity[-1]
        if alone is not None and joined is not None:
            text = f"ensembling {name} improves its ECE at intensity 5{where}"
            claims.append((text, joined, alone))
    return claims


def _best(text: str, ece: Panel) -> Claim:
    """Whether AR-AdaLS of Ensemble has the lowest mean, clean and at each intensity."""
    ours = ece[_ensemble(OF_ENSEMBLE)]
    behind, places = [], 0
    for i, place in enumerate(("clean", *(f"intensity {n}" for n in INTENSITIES))):
        means = {name: _mean(one, i) for name, one in ece.items()}
        mine = _mean(ours, i)
        if mine is None:
            continue
        places += 1
        best = min((value, name) for name, value in means.items() if value is not None)
        if best[0] < mine:
            behind.append(f"{place}: {best[1]} {100 * best[0]:.2f} against {100 * mine:.2f}")
    because = f"in {places - len(behind)} of {places} places" + "".join(f"; {b}" for b in behind)
    return Claim(text, not behind, because)


def _mean(one: Boxes, place: int) -> float | None:
    spread = (one.means.clean, *one.means.by_intensity)[place]
    return None if spread is None else spread.mean


def _similar(text: str, accuracy: Panel) -> Claim:
    """Whether the ensembles differ by less than ensembling gains on average, on clean data."""
    together = [100 * accuracy[_ensemble(v)].means.clean.mean for v in (*SINGLE, OF_ENSEMBLE)]
    alone = [100 * accuracy[MARKS[v].name].means.clean.mean for v in SINGLE]
    differ = max(together) - min(together)
    gain = sum(together[: len(SINGLE)]) / len(SINGLE) - sum(alone) / len(alone)
    because = f"they differ by {differ:.2f} points, ensembling gains {gain:.2f}"
    return Claim(text, differ < gain, because)


ITEM = Item("figure6", SETTINGS, (*SINGLE, OF_ENSEMBLE), make, shift=True)
