"""Figure 5: ECE of AR-AdaLS against the number of levels R, clean and corrupted, CIFAR-10."""

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure

from arcal.paper.item import Found, Item, Need
from arcal.paper.looks import LOOKS, line
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting
from arcal.paper.summaries import Comparison, runs_of, settled, shifted
from arcal.report.drawing import WIDTH
from arcal.report.tables import Spread

SETTING = "cifar10-resnet29"
USUAL, HIGHEST = 10, 16
"""The paper's R, and the end of the range from it where the paper finds ECE stable."""
READ = (
    "R = 1 is AdaLS, here with the alpha of AR-AdaLS, so that only R differs. Corrupted is the "
    "mean over all corrupted sets. ECE counts as stable from R = 10 to 16 if its means there "
    "differ by less than half of what it fell from R = 1 to 10."
)

Curve = dict[int, Spread]
"""ECE of every run by R."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    keys = [f"R={R}" for R in settings[SETTING].levels] if SETTING in settings else []
    return [Need(SETTING, tuple(keys), shift=True)]


def make(found: Found) -> Result:
    curves: dict[str, Curve] = {}
    if found.has(SETTING):
        runs = {R: found.of(SETTING, f"R={R}") for R in found.settings[SETTING].setting.levels}
        curves = {
            "clean": {R: runs_of(of_R, "ece") for R, of_R in runs.items()},
            "corrupted": {R: shifted(of_R, "ece") for R, of_R in runs.items()},
        }
    return Result(
        "figure5",
        "Figure 5: ECE against the number of levels R",
        [*notes_of(found, (SETTING,), shift=True), READ],
        [_table(curves)] if curves else [],
        settled([claim for title, curve in curves.items() for claim in _claims(title, curve)]),
        {"figure5": lambda: draw(curves)} if curves else {},
    )


def draw(curves: Mapping[str, Curve]) -> Figure:
    """Clean at the left, corrupted at the right; bars are one deviation over the runs."""
    figure = Figure(figsize=(WIDTH * 0.8, 3.3), layout="constrained")
    for axes, (title, curve) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        values = torch.tensor([spread.values for spread in curve.values()], dtype=torch.float64)
        line(axes, list(curve), 100 * values.T, LOOKS["ar-adals"])
        axes.set_title(f"{title[0].upper()}{title[1:]} test set")
        axes.set_xticks(list(curve))
        axes.set_xlabel("number of levels R")
        axes.set_ylabel("ECE, ×10⁻²")
        axes.set_ylim(bottom=0)
    return figure


def _table(curves: Mapping[str, Curve]) -> Table:
    columns = [f"R = {R}" for R in curves["clean"]]
    rows = [(title, [Cell(None, ece) for ece in curve.values()]) for title, curve in curves.items()]
    return Table("ECE, ×10⁻²", columns, rows)


def _claims(title: str, curve: Curve) -> list[Claim | Comparison]:
    drop = (f"ECE drops from R = 1 to {USUAL} on the {title} test set", curve[USUAL], curve[1])
    return [drop, _stable(f"ECE is stable from R = {USUAL} to {HIGHEST} ({title})", curve)]


def _stable(text: str, curve: Curve) -> Claim:
    means = {R: 100 * ece.mean for R, ece in curve.items()}
    within = [mean for R, mean in means.items() if USUAL <= R <= HIGHEST]
    spread, drop = max(within) - min(within), means[1] - means[USUAL]
    because = f"means within {spread:.2f}, after a drop of {drop:.2f}"
    if len(within) < 2:
        return Claim(text, None, f"only R = {USUAL} is run")
    if drop <= 0:
        return Claim(text, None, f"{because}: there is none to compare with")
    return Claim(text, spread < drop / 2, because)


ITEM = Item("figure5", "ECE against R", needs, make)
