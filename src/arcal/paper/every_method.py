"""Every method side by side, which no table of the paper has: clean and under shift."""

from collections.abc import Mapping

from arcal.evaluation import MethodRuns
from arcal.paper.item import Found, Item, Need
from arcal.paper.result import Cell, Result, Table
from arcal.paper.scales import METHODS, Setting, title_of
from arcal.paper.summaries import ensemble, runs_of, shifted, shifted_ensemble

SETTING = "cifar10-resnet29"
POSTHOC = ("vanilla + temperature", "vanilla + ets", "vanilla + irm", "vanilla + irova-ts")
AVERAGED = ("vanilla", "ls", "adals", "ar-adals")
MEASURES = {"accuracy": 100.0, "ece": 100.0, "nll": 1.0, "brier": 100.0}


def needs(settings: Mapping[str, Setting]) -> list[Need]:
    return [Need(SETTING, (*METHODS, *POSTHOC, "ar-adals + temperature"), shift=True)]


def make(found: Found) -> Result:
    rows = []
    for key in (*METHODS, *POSTHOC, "ar-adals + temperature"):
        runs = found.of(SETTING, key)
        rows.append((title_of(key), _cells(runs, averaged=False)))
        if key in AVERAGED:
            rows.append((f"Ensemble of {title_of(key)}", _cells(runs, averaged=True)))
    titles = ["accuracy, %", "ECE, ×10⁻²", "NLL", "Brier, ×10⁻²"]
    columns = [f"{title}{where}" for where in ("", ", shifted") for title in titles]
    evaluated = found.settings[SETTING]
    notes = [
        f"{evaluated.setting.about}; mean ± standard deviation over "
        f"{len(evaluated.setting.seeds)} seeds, ensembles are of as many members. Shifted is the "
        "mean over the corrupted test sets."
    ]
    return Result("methods", "Every method", notes, [Table("Test set", columns, rows)])


def _cells(runs: MethodRuns, *, averaged: bool) -> list[Cell]:
    clean, under_shift = (ensemble, shifted_ensemble) if averaged else (runs_of, shifted)
    return [
        Cell(None, of(runs, measure), scale, digits=3 if measure == "nll" else 2)
        for of in (clean, under_shift)
        for measure, scale in MEASURES.items()
    ]


ITEM = Item("methods", "every method, clean and under shift", needs, make)
