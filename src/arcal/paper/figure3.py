"""Figure 3: variance over runs on the clean test set and under shift, Vanilla, LS and AR-AdaLS."""

from collections.abc import Mapping
from functools import partial

from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.members import SETTINGS, with_several_seeds
from arcal.paper.result import Claim, Result
from arcal.paper.spreads import READ, box_table, boxes
from arcal.paper.variants import AR_ADALS, LS, MARKS, VANILLA, Variant
from arcal.report.pictures import variances
from arcal.report.plots import Boxes

VARIANTS = (VANILLA, LS, AR_ADALS)

Panel = Mapping[Variant, Boxes]
"""What is shown of a setting: the boxes of each variant."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings, notes = with_several_seeds(evaluated, SETTINGS)
    shown = {
        one.title: {v: boxes(one.figures(v), "variance_all_classes", MARKS[v]) for v in VARIANTS}
        for one in settings
    }
    drawn = {title: list(panel.values()) for title, panel in shown.items()}
    variance = "The variance is over runs, and summed over the classes."
    return Result(
        "figure3",
        "Figure 3: variance on clean and shifted data",
        [*setting_notes(evaluated, SETTINGS, shift=True), *notes, READ, variance],
        [box_table(f"Variance, {title}", panel) for title, panel in drawn.items()],
        settled([claim for title, panel in shown.items() for claim in _claims(title, panel)]),
        partial(variances, drawn) if shown else None,
    )


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
