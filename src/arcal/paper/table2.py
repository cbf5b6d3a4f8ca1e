"""Table 2: ECE of all methods, clean test set, CIFAR-10 and CIFAR-100 with WRN-28-10."""

from collections.abc import Mapping

from arcal.paper.item import Found, Item, Need
from arcal.paper.notes import notes_of, one_alpha
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import (
    NO_ENSEMBLE,
    Comparison,
    ensemble,
    runs_of,
    settled,
    unchanged,
)
from arcal.report.tables import Spread

SETTINGS = ("cifar10-wrn", "cifar100-wrn")

PAPER = {
    "vanilla": ("2.49±0.10", "6.11±0.24"),
    "vanilla + temperature": ("0.80±0.05", "4.26±0.07"),
    "ls": ("1.07±0.09", "2.76±0.26"),
    "adals": ("1.23±0.02", "2.65±0.31"),
    "on-the-fly": ("0.64±0.02", "2.27±0.16"),
    "mixup": ("0.78±0.20", "1.69±0.08"),
    "ccat": ("2.37±0.07", "7.95±0.35"),
    "vanilla + ets": ("0.97", "2.80"),
}
ENSEMBLE = ("0.90", "2.21")
ALONE = ("ar-adals", "joint", "margin", "random")
"""What the paper's table does not have: the other rankings, as controls."""
RIVALS = {"cifar10-wrn": (), "cifar100-wrn": ("mixup", "Ensemble of Vanilla")}
"""What alone is ahead of AR-AdaLS in the paper."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, (*PAPER, *ALONE)) for setting in SETTINGS]


def make(found: Found) -> Result:
    settings = [name for name in SETTINGS if found.has(name)]
    columns = [found.settings[name].setting.stands_for for name in settings]
    rows = []
    for key in (*PAPER, *ALONE):
        printed = PAPER.get(key, (None, None))
        cells = [
            Cell(printed[SETTINGS.index(name)], runs_of(found.of(name, key), "ece"))
            for name in settings
        ]
        rows.append((title_of(key), cells))
    of_ensemble = [
        Cell(ENSEMBLE[SETTINGS.index(name)], ensemble(found.of(name, "vanilla"), "ece"))
        for name in settings
    ]
    rows.append(("Ensemble of Vanilla", of_ensemble))
    return Result(
        "table2",
        "Table 2: ECE (×10⁻²) of all methods on the clean test sets",
        [
            *notes_of(found, SETTINGS),
            "AR-AdaLS is trained on the fly, as in the paper's table; the paper quotes Mix-n-Match "
            "from its authors. The last rows but one are not in the paper. p-values are of paired "
            "t-tests, those of ECE corrected by Holm's method for their number on a data set.",
            *one_alpha(found, SETTINGS),
        ],
        [Table("ECE, ×10⁻²", columns, rows)],
        [claim for name in settings for claim in _claims(found, name)],
    )


def _claims(found: Found, name: str) -> list[Claim]:
    """AR-AdaLS against each other method, in the direction of the paper's table."""
    where = f" ({found.settings[name].setting.stands_for})"
    ours, vanilla = found.of(name, "on-the-fly"), found.of(name, "vanilla")
    others: dict[str, Spread | None] = {
        title_of(key): runs_of(found.of(name, key), "ece") for key in PAPER if key != "on-the-fly"
    }
    others["Ensemble of Vanilla"] = ensemble(vanilla, "ece")
    comparisons: list[Claim | Comparison] = []
    for other, its_ece in others.items():
        pair = [("AR-AdaLS", runs_of(ours, "ece")), (other, its_ece)]
        if other in RIVALS[name]:
            pair.reverse()
        (low, lower), (high, higher) = pair
        text = f"{low} has a lower ECE than {high}{where}"
        if lower is None or higher is None:
            comparisons.append(Claim(text, None, NO_ENSEMBLE))
        else:
            comparisons.append((text, lower, higher))
    accuracy = unchanged(
        f"AR-AdaLS does not change accuracy significantly{where}",
        runs_of(ours, "accuracy"),
        runs_of(vanilla, "accuracy"),
    )
    return [*settled(comparisons), accuracy]


ITEM = Item("table2", "ECE of all methods", needs, make)
