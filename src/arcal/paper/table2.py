"""Table 2: ECE of all methods, clean test set, CIFAR-10 and CIFAR-100 with WRN-28-10."""

from collections.abc import Mapping

from arcal.auditing import Spread
from arcal.paper.comparisons import Comparison, settled, unchanged
from arcal.paper.item import Evaluated, Item, alpha_notes, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.spreads import NO_ENSEMBLE, clean, clean_ensemble
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    CCAT,
    JOINT,
    LS,
    MARGIN,
    MIX_N_MATCH,
    MIXUP,
    ON_THE_FLY,
    RANDOM,
    TEMPERATURE_SCALING,
    VANILLA,
)

SETTINGS = ("cifar10-wrn", "cifar100-wrn")
PAPER = {
    VANILLA: ("2.49±0.10", "6.11±0.24"),
    TEMPERATURE_SCALING: ("0.80±0.05", "4.26±0.07"),
    LS: ("1.07±0.09", "2.76±0.26"),
    ADALS: ("1.23±0.02", "2.65±0.31"),
    ON_THE_FLY: ("0.64±0.02", "2.27±0.16"),
    MIXUP: ("0.78±0.20", "1.69±0.08"),
    CCAT: ("2.37±0.07", "7.95±0.35"),
    MIX_N_MATCH: ("0.97", "2.80"),
}
ENSEMBLE = ("0.90", "2.21")
ALONE = (AR_ADALS, JOINT, MARGIN, RANDOM)
"""Rows that the paper's table does not have: AR-AdaLS pre-computed, and controls."""
RIVALS: dict[str, tuple[str, ...]] = {
    "cifar10-wrn": (),
    "cifar100-wrn": (MIXUP.title, VANILLA.ensemble_title),
}
"""The only methods that are ahead of AR-AdaLS in the paper."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings = [(i, evaluated[name]) for i, name in enumerate(SETTINGS) if name in evaluated]
    rows = []
    for variant in (*PAPER, *ALONE):
        printed = PAPER.get(variant, (None, None))
        cells = [Cell(printed[i], clean(one.figures(variant), "ece")) for i, one in settings]
        rows.append((variant.title, cells))
    together = [
        Cell(ENSEMBLE[i], clean_ensemble(one.figures(VANILLA), "ece")) for i, one in settings
    ]
    rows.append((VANILLA.ensemble_title, together))
    return Result(
        "table2",
        "Table 2: ECE (×10⁻²) of all methods on the clean test sets",
        [
            *setting_notes(evaluated, SETTINGS),
            "AR-AdaLS is trained on the fly, as in the paper's table; the paper quotes the figures "
            "of Mix-n-Match from its authors. The four rows above the last are not in the paper. "
            "p-values are of paired t-tests, those of ECE corrected by Holm's method for their "
            "number on a data set.",
            *alpha_notes(evaluated, SETTINGS),
        ],
        [Table("ECE, ×10⁻²", [one.title for _, one in settings], rows)],
        [claim for _, one in settings for claim in _claims(one)],
    )


def _claims(evaluated: Evaluated) -> list[Claim]:
    """AR-AdaLS against each other method, in the direction of the paper's table."""
    where = f" ({evaluated.title})"
    ours, vanilla = evaluated.figures(ON_THE_FLY), evaluated.figures(VANILLA)
    others: dict[str, Spread | None] = {
        variant.title: clean(evaluated.figures(variant), "ece")
        for variant in PAPER
        if variant != ON_THE_FLY
    }
    others[VANILLA.ensemble_title] = clean_ensemble(vanilla, "ece")
    comparisons: list[Claim | Comparison] = []
    for other, its_ece in others.items():
        pair = [("AR-AdaLS", clean(ours, "ece")), (other, its_ece)]
        if other in RIVALS[evaluated.setting.name]:
            pair.reverse()
        (low, lower), (high, higher) = pair
        text = f"{low} has a lower ECE than {high}{where}"
        if lower is None or higher is None:
            comparisons.append(Claim(text, None, NO_ENSEMBLE))
        else:
            comparisons.append((text, lower, higher))
    text = f"AR-AdaLS does not change accuracy significantly{where}"
    accuracy = unchanged(text, clean(ours, "accuracy"), clean(vanilla, "accuracy"))
    return [*settled(comparisons), accuracy]


ITEM = Item("table2", SETTINGS, (*PAPER, *ALONE), make)
