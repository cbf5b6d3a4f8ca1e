"""Table 4: AR-AdaLS with robustness computed before training or on the fly (section 5.6).

The paper prints CIFAR-100 and says that CIFAR-10 is similar.
"""

from collections.abc import Mapping

from arcal.paper.item import Found, Item, Need
from arcal.paper.notes import notes_of, one_alpha
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.scales import Setting, title_of
from arcal.paper.summaries import each_lower, runs_of, shifted

SETTINGS = ("cifar100-wrn", "cifar10-wrn")
PAPER = {
    "vanilla": ("79.2", "52.0", "6.1", "18.2"),
    "ls": ("78.9", "51.7", "2.8", "16.3"),
    "vanilla + temperature": ("79.2", "52.0", "4.3", "14.0"),
    "ar-adals": ("79.3", "52.2", "2.6", "14.2"),
    "on-the-fly": ("79.2", "52.1", "2.3", "13.2"),
}
COMPARED = (("on-the-fly", "ar-adals"), ("ar-adals", "ls"), ("on-the-fly", "vanilla + temperature"))
"""Pairs of which the first has the lower ECE, clean and under shift, in the paper's table."""


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(setting, tuple(PAPER), shift=True) for setting in SETTINGS]


def make(found: Found) -> Result:
    tables, claims = [], []
    for name in filter(found.has, SETTINGS):
        rows = []
        for key, printed in PAPER.items():
            runs = found.of(name, key)
            ours = [at(runs, of) for of in ("accuracy", "ece") for at in (runs_of, shifted)]
            shown = printed if name == "cifar100-wrn" else (None,) * len(ours)
            rows.append((title_of(key), [Cell(*both) for both in zip(shown, ours, strict=True)]))
        columns = ["Acc, %", "cAcc, %", "ECE, ×10⁻²", "cECE, ×10⁻²"]
        tables.append(Table(found.settings[name].setting.stands_for, columns, rows))
        claims += _claims(found, name)
    notes = [
        *notes_of(found, SETTINGS, shift=True),
        "cAcc and cECE are means over the corrupted sets. p-values are of paired t-tests, "
        "corrected by Holm's method for their number on a data set.",
        *one_alpha(found, SETTINGS),
    ]
    title = "Table 4: AR-AdaLS with pre-computed robustness and on the fly"
    return Result("table4", title, notes, tables, claims)


def _claims(found: Found, name: str) -> list[Claim]:
    where = f" ({found.settings[name].setting.stands_for})"
    return each_lower(
        [
            (
                f"{title_of(ours)} has a lower ECE than {title_of(other)}{remark}{where}",
                at(found.of(name, ours), "ece"),
                at(found.of(name, other), "ece"),
            )
            for at, remark in ((runs_of, ""), (shifted, " under shift"))
            for ours, other in COMPARED
        ]
    )


ITEM = Item("table4", "robustness pre-computed and on the fly", needs, make)
