"""Figure 8: reliability diagrams of single models and their ensembles, clean test set."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arcal.calibration import Reliability
from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import LOOKS, Look
from arcal.paper.members import METHODS, READ, SETTINGS, Members, members_of, of_several
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting
from arcal.paper.summaries import Comparison, settled
from arcal.report.drawing import FAINT, INK, WIDTH

FEW = 10
"""A bin with fewer images of one model is not drawn."""
TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)
GAP = (
    "The gap is confidence minus accuracy: above 0 is over-confident, in the diagram below the "
    f"diagonal. The bins are those of the ECE; one with fewer than {FEW} images a model is left "
    "out of the diagram. The sums of the single models are added bin by bin."
)


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, METHODS) for setting in SETTINGS]


def make(found: Found) -> Result:
    settings, notes = of_several(found, SETTINGS)
    shown = members_of(found, settings)
    return Result(
        "figure8",
        "Figure 8: reliability of single models and ensembles",
        [*notes_of(found, SETTINGS), *notes, READ, GAP],
        [_table(title, methods) for title, methods in shown.items()],
        settled([claim for title, methods in shown.items() for claim in _claims(title, methods)]),
        {"figure8": lambda: draw(shown)} if shown else {},
    )


def draw(shown: Mapping[str, Mapping[str, Members]]) -> Figure:
    """A row a setting, a column a method."""
    figure = Figure(figsize=(WIDTH * 1.2, 2.8 * len(shown) + 0.5), layout="constrained")
    panels = figure.subplots(len(shown), len(METHODS), sharex=True, sharey=True, squeeze=False)
    for row, (title, methods) in zip(panels, shown.items(), strict=True):
        for axes, (key, members) in zip(row, methods.items(), strict=True):
            single, together = members.bins()
            axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=":")
            _curve(axes, single, Look("single model", FAINT, "o"), FEW * len(members.single))
            _curve(axes, together, Look("ensemble", LOOKS[key].colour, LOOKS[key].marker), FEW)
            axes.set_title(LOOKS[key].name)
            axes.set_aspect("equal")
        row[0].set_ylabel(f"{title}\naccuracy")
    panels[0, 0].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=TICKS, yticks=TICKS)
    handles = panels[0, 0].get_legend_handles_labels()[0]
    names = ["single models", "their ensemble, in the method's colour"]
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    for axes in panels[-1]:
        axes.set_xlabel("confidence")
    return figure


def _curve(axes: Axes, found: Reliability, look: Look, few: int) -> None:
    accuracy = found.accuracy.where(found.count >= few, torch.nan)  # the line has a gap there
    marks = {"marker": look.marker, "mec": "white", "mew": 0.6}
    at = found.confidence.numpy()
    axes.plot(at, accuracy.numpy(), color=look.colour, label=look.name, **marks)


def _table(title: str, methods: Mapping[str, Members]) -> Table:
    columns = ["gap, single", "ensemble", "ECE, single", "ensemble"]
    rows = []
    for key, members in methods.items():
        cells = []
        for measure in ("gap", "ece"):
            cells += [Cell(None, members.alone(measure)), Cell(None, members.ensemble(measure))]
        rows.append((LOOKS[key].name, cells))
    return Table(f"{title}, ×10⁻²", columns, rows)


def _claims(title: str, methods: Mapping[str, Members]) -> list[Claim | Comparison]:
    where = f" ({title})"
    vanilla = methods["vanilla"]
    claims: list[Claim | Comparison] = [
        _sign(f"Vanilla is over-confident{where}", vanilla, 1, alone=True),
        (
            f"its ensemble has a lower ECE than Vanilla{where}",
            vanilla.ensemble("ece"),
            vanilla.alone("ece"),
        ),
    ]
    for key in ("ls", "adals", "ar-adals"):
        text = f"the ensemble of {LOOKS[key].name} is under-confident{where}"
        claims.append(_sign(text, methods[key], -1))
    ours, naive = (100 * methods[k].ensemble("gap").mean for k in ("of-ensemble", "ar-adals"))
    text = f"AR-AdaLS of Ensemble is less under-confident than the ensemble of AR-AdaLS{where}"
    claims.append(
        Claim(text, naive < ours and abs(ours) < abs(naive), f"gaps {ours:+.2f}, {naive:+.2f}")
    )
    return claims


def _sign(text: str, members: Members, sign: int, *, alone: bool = False) -> Claim:
    """Whether the gap of the ensemble, or the mean over single models, has this sign."""
    single, together = (100 * s.mean for s in (members.alone("gap"), members.ensemble("gap")))
    because = f"gap {single:+.2f} of single models, {together:+.2f} of the ensemble"
    return Claim(text, sign * (single if alone else together) > 0, because)


ITEM = Item("figure8", "Reliability of ensembles", needs, make)
