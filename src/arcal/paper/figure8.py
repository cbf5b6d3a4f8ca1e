"""Figure 8: reliability diagrams of single models and their ensembles, clean test set."""

from collections.abc import Mapping

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from arcal.paper.comparisons import Comparison
from arcal.paper.item import Evaluated, Item
from arcal.paper.members import SETTINGS, VARIANTS, Members, member_result
from arcal.paper.result import Claim, Result
from arcal.paper.rows import ALL, FEW, MEAN
from arcal.paper.variants import ADALS, AR_ADALS, LS, MARKS, OF_ENSEMBLE, VANILLA, Variant
from arcal.report.marks import FAINT, INK, Mark
from arcal.report.plots import WIDTH, line

TICKS = (0, 0.2, 0.4, 0.6, 0.8, 1)
GAP = (
    "The gap is confidence minus accuracy: above 0 is over-confident, in the diagram below the "
    f"diagonal. The bins are those of the ECE; one with fewer than {FEW} images per model is left "
    "out of the diagram. For the single models, each bin holds the images of all of them."
)


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    title = "Figure 8: reliability of single models and ensembles"
    measures = {"gap": "gap", "ece": "ECE"}
    return member_result(evaluated, "figure8", title, GAP, measures, _claims, draw)


def draw(shown: Mapping[str, Mapping[Variant, Members]]) -> Figure:
    """A row per setting, a column per variant."""
    figure = Figure(figsize=(WIDTH * 1.2, 2.8 * len(shown) + 0.5), layout="constrained")
    panels = figure.subplots(len(shown), len(VARIANTS), sharex=True, sharey=True, squeeze=False)
    for row, (title, by_variant) in zip(panels, shown.items(), strict=True):
        for axes, (variant, members) in zip(row, by_variant.items(), strict=True):
            axes.plot([0, 1], [0, 1], color=INK, lw=1, ls=":")
            _curve(axes, members, MEAN, Mark("single models", FAINT, "o"))
            _curve(axes, members, ALL, MARKS[variant])
            axes.set_title(MARKS[variant].name)
            axes.set_aspect("equal")
        row[0].set_ylabel(f"{title}\naccuracy")
    panels[0, 0].set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=TICKS, yticks=TICKS)
    handles = panels[0, 0].get_legend_handles_labels()[0]
    names = ["single models", "their ensemble, in the method's colour"]
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    for axes in panels[-1]:
        axes.set_xlabel("confidence")
    return figure


def _curve(axes: Axes, members: Members, run: str, mark: Mark) -> None:
    confidence, accuracy = members.figures.bins(run)  # nan, a gap in the line, where there are few
    line(axes, confidence, torch.tensor([accuracy], dtype=torch.float64, device="cpu"), mark)


def _claims(title: str, by_variant: Mapping[Variant, Members]) -> list[Claim | Comparison]:
    where = f" ({title})"
    vanilla = by_variant[VANILLA]
    claims: list[Claim | Comparison] = [
        _sign(f"Vanilla is over-confident{where}", vanilla, 1, alone=True),
        (
            f"its ensemble has a lower ECE than Vanilla{where}",
            vanilla.ensemble("ece"),
            vanilla.alone("ece"),
        ),
    ]
    for variant in (LS, ADALS, AR_ADALS):
        text = f"the ensemble of {MARKS[variant].name} is under-confident{where}"
        claims.append(_sign(text, by_variant[variant], -1))
    ours, naive = (100 * by_variant[v].ensemble("gap").mean for v in (OF_ENSEMBLE, AR_ADALS))
    text = f"AR-AdaLS of Ensemble is less under-confident than the ensemble of AR-AdaLS{where}"
    holds = naive < ours and abs(ours) < abs(naive)
    return [*claims, Claim(text, holds, f"gaps {ours:+.2f}, {naive:+.2f}")]


def _sign(text: str, members: Members, sign: int, *, alone: bool = False) -> Claim:
    """Whether the gap of the ensemble, or the mean over single models, has this sign."""
    single, together = (100 * s.mean for s in (members.alone("gap"), members.ensemble("gap")))
    because = f"gap {single:+.2f} of single models, {together:+.2f} of the ensemble"
    return Claim(text, sign * (single if alone else together) > 0, because)


ITEM = Item("figure8", SETTINGS, VARIANTS, make)
