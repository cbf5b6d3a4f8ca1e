"""Figure 4 and section 5.5: predictive entropy on other data, and how well it is told apart."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from arcal.evaluation import OutOfDistribution
from arcal.paper.item import Evaluated, Found, Item, Need
from arcal.paper.looks import LOOKS
from arcal.paper.notes import notes_of
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import Comparison, settled
from arcal.report.drawing import FAINT, WIDTH
from arcal.report.tables import Spread

SETTING = "cifar10-wrn"
METHODS = ("vanilla", "ls", "on-the-fly")
PAPER = {"vanilla": None, "ls": "0.832±0.005", "mixup": "0.821±0.003", "on-the-fly": "0.885±0.003"}
SCORES = {"auroc_confidence": "AUROC of confidence", "auroc_entropy": "AUROC of entropy"}
LOW = 0.1
"""An entropy is low below this share of log Z, its greatest value."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(SETTING, tuple(PAPER), ood=True)]


def make(found: Found) -> Result:
    title = "Figure 4: predictive entropy on out-of-distribution data"
    notes = notes_of(found, (SETTING,))
    if not found.has(SETTING) or not found.of(SETTING, "vanilla").ood:
        return Result("figure4", title, [*notes, "No other data is evaluated at this scale."])
    evaluated = found.settings[SETTING]
    shown = {key: found.of(SETTING, key).ood[0] for key in PAPER}
    Z = found.of(SETTING, "vanilla").predictions[0].logits.shape[2]
    return Result(
        "figure4",
        title,
        [*notes, _about(evaluated, shown["vanilla"]), _READ],
        [_table(shown)],
        settled(_claims(shown)),
        {"figure4": lambda: draw({key: shown[key] for key in METHODS}, Z)},
    )


_READ = (
    "AR-AdaLS is trained on the fly. The AUROC is between the models' own test set and the other "
    "data; the paper does not say of which score, so its figure stands beside both. The histograms "
    "are means over runs; the grey outlines may reach above the panel. An entropy is called low "
    "below a tenth of its greatest value, log Z."
)


def _about(evaluated: Evaluated, other: OutOfDistribution) -> str:
    """What the other data is."""
    chosen = evaluated.setting.ood_classes
    which = f", of {len(chosen)} classes that no model was trained on" if chosen else ""
    how = f", {other.how}" if other.how else ""
    return f"Other data: {other.images:,} images of {other.name}{which}{how}."


def draw(shown: Mapping[str, OutOfDistribution], Z: int) -> Figure:
    """A panel a method: the other data in its colour, the models' own test set in grey."""
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True)
    drawn = []
    for axes, (key, found) in zip(panels, shown.items(), strict=True):
        inside, outside = (100 * s.mean(dim=0).numpy() for s in (found.inside, found.outside))
        edges = np.linspace(0, math.log(Z), len(outside) + 1)
        colour = LOOKS[key].colour
        own = axes.stairs(inside, edges, color=FAINT, lw=1.2)
        other = axes.stairs(outside, edges, fill=True, color=colour, alpha=0.55)
        axes.stairs(outside, edges, color=colour, lw=1.2)
        axes.set_title(LOOKS[key].name)
        axes.set_xlabel("predictive entropy, nats")
        drawn = [other, own]
    panels[0].set_ylabel("% of images")
    highest = max(float(found.outside.mean(dim=0).max()) for found in shown.values())
    panels[0].set_ylim(0, 110 * highest)  # the grey outline may end above
    names = ["the other data, in the method's colour", "the models' own test set"]
    figure.legend(drawn, names, loc="outside lower center", ncols=2)
    return figure


def _table(shown: Mapping[str, OutOfDistribution]) -> Table:
    rows = []
    for key, found in shown.items():
        cells = [Cell(PAPER[key], _auroc(found, score), 1.0, 3) for score in SCORES]
        rows.append((title_of(key), [*cells, Cell(None, _low(found), digits=1)]))
    return Table("Telling the other data apart", [*SCORES.values(), "low entropy, %"], rows)


def _auroc(found: OutOfDistribution, score: str) -> Spread:
    return Spread(tuple(getattr(of_run, score) for of_run in found.runs))


def _low(found: OutOfDistribution) -> Spread:
    """Each run's share of the other images with a low entropy."""
    bins = round(LOW * found.outside.shape[1])
    return Spread(tuple(found.outside[:, :bins].sum(dim=1).tolist()))


def _claims(shown: Mapping[str, OutOfDistribution]) -> list[Claim | Comparison]:
    ours = shown["on-the-fly"]
    claims: list[Claim | Comparison] = [
        (
            f"AR-AdaLS has fewer low entropies on other data than {title_of(key)}",
            _low(ours),
            _low(shown[key]),
        )
        for key in ("vanilla", "ls")
    ]
    for score, title in SCORES.items():
        for key in ("ls", "mixup"):
            text = f"{title_of(key)} has a lower {title} than AR-AdaLS"
            claims.append((text, _auroc(shown[key], score), _auroc(ours, score)))
    return claims


ITEM = Item("figure4", "Out-of-distribution data", needs, make)
