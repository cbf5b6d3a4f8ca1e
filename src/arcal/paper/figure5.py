"""Figure 5: ECE of AR-AdaLS against the number of levels R, clean and corrupted, CIFAR-10."""

from collections.abc import Mapping
from functools import partial

import torch
from matplotlib.figure import Figure

from arcal.auditing import Spread
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.spreads import clean, shifted
from arcal.paper.variants import AR_ADALS, MARKS
from arcal.report.plots import WIDTH, line

SETTING = "cifar10-resnet29"
USUAL, HIGHEST = 10, 16
"""The paper's R, and the end of the range above it in which the paper finds ECE stable."""
READ = (
    "R = 1 is AdaLS, here with the alpha of AR-AdaLS, so that only R differs. Corrupted is the "
    "mean over all corrupted sets. ECE counts as stable from R = 10 to 16 if its means there "
    "differ by less than half of what it fell from R = 1 to 10."
)

Curve = dict[int, Spread]
"""ECE of every run by R."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    curves: dict[str, Curve] = {}
    if SETTING in evaluated:
        one = evaluated[SETTING]
        by_levels = {R: one.figures(AR_ADALS.with_levels(R)) for R in one.setting.levels}
        curves = {
            "clean": {R: clean(one, "ece") for R, one in by_levels.items()},
            "corrupted": {R: shifted(one, "ece") for R, one in by_levels.items()},
        }
    return Result(
        "figure5",
        "Figure 5: ECE against the number of levels R",
        [*setting_notes(evaluated, (SETTING,), shift=True), READ],
        [_table(curves)] if curves else [],
        settled([claim for title, curve in curves.items() for claim in _claims(title, curve)]),
        partial(draw, curves) if curves else None,
    )


def draw(curves: Mapping[str, Curve]) -> Figure:
    """Clean at the left, corrupted at the right; bars are one deviation over the runs."""
    figure = Figure(figsize=(WIDTH * 0.8, 3.3), layout="constrained")
    for axes, (title, curve) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        values = torch.tensor(
            [spread.values for spread in curve.values()], dtype=torch.float64, device="cpu"
        )
        line(axes, list(curve), 100 * values.T, MARKS[AR_ADALS])
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


ITEM = Item("figure5", (SETTING,), (), make, shift=True, vary_levels=True)
