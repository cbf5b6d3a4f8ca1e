"""Table 4: AR-AdaLS with robustness computed before training or on the fly (section 5.6).

The paper prints CIFAR-100 and says that CIFAR-10 is similar.
"""

from collections.abc import Mapping

from arcal.paper.comparisons import each_lower
from arcal.paper.item import Evaluated, Item, alpha_notes, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.spreads import clean, shifted
from arcal.paper.variants import AR_ADALS, LS, ON_THE_FLY, TEMPERATURE_SCALING, VANILLA

PRINTED = "cifar100-wrn"
SETTINGS = (PRINTED, "cifar10-wrn")
PAPER = {
    VANILLA: ("79.2", "52.0", "6.1", "18.2"),
    LS: ("78.9", "51.7", "2.8", "16.3"),
    TEMPERATURE_SCALING: ("79.2", "52.0", "4.3", "14.0"),
    AR_ADALS: ("79.3", "52.2", "2.6", "14.2"),
    ON_THE_FLY: ("79.2", "52.1", "2.3", "13.2"),
}
COMPARED = ((ON_THE_FLY, AR_ADALS), (AR_ADALS, LS), (ON_THE_FLY, TEMPERATURE_SCALING))
"""Pairs of which the first has the lower ECE, clean and under shift, in the paper's table."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings = [evaluated[name] for name in SETTINGS if name in evaluated]
    notes = [
        *setting_notes(evaluated, SETTINGS, shift=True),
        "cAcc and cECE are means over the corrupted sets. p-values are of paired t-tests, "
        "corrected by Holm's method for their number on a data set.",
        *alpha_notes(evaluated, SETTINGS),
    ]
    return Result(
        "table4",
        "Table 4: AR-AdaLS with pre-computed robustness and on the fly",
        notes,
        [_table(one) for one in settings],
        [claim for one in settings for claim in _claims(one)],
    )


def _table(evaluated: Evaluated) -> Table:
    rows = []
    for variant, numbers in PAPER.items():
        figures = evaluated.figures(variant)
        ours = [spread(figures, m) for m in ("accuracy", "ece") for spread in (clean, shifted)]
        printed = numbers if evaluated.setting.name == PRINTED else (None,) * len(ours)
        cells = [Cell(*both) for both in zip(printed, ours, strict=True)]
        rows.append((variant.title, cells))
    return Table(evaluated.title, ["Acc, %", "cAcc, %", "ECE, ×10⁻²", "cECE, ×10⁻²"], rows)


def _claims(evaluated: Evaluated) -> list[Claim]:
    return each_lower(
        [
            (
                f"{ours.title} has a lower ECE than {other.title}{remark} ({evaluated.title})",
                spread(evaluated.figures(ours), "ece"),
                spread(evaluated.figures(other), "ece"),
            )
            for spread, remark in ((clean, ""), (shifted, " under shift"))
            for ours, other in COMPARED
        ]
    )


ITEM = Item("table4", SETTINGS, tuple(PAPER), make, shift=True)
