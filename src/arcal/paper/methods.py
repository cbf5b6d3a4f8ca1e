"""Every method side by side, which no table of the paper has: clean and under shift."""

from collections.abc import Callable, Mapping

from arcal.auditing import Spread
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, Item
from arcal.paper.result import Cell, Result, Table
from arcal.paper.spreads import clean, clean_ensemble, shifted, shifted_ensemble
from arcal.paper.variants import ADALS, AR_ADALS, LS, TRAINED, VANILLA

SETTING = "cifar10-resnet29"
POSTHOC = ("temperature", "ets", "irm", "irova-ts")
VARIANTS = (*TRAINED, *map(VANILLA.calibrated, POSTHOC), AR_ADALS.calibrated("temperature"))
AVERAGED = (VANILLA, LS, ADALS, AR_ADALS)
MEASURES = {"accuracy": 100.0, "ece": 100.0, "nll": 1.0, "brier": 100.0}


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    one = evaluated[SETTING]
    rows = []
    for variant in VARIANTS:
        figures = one.figures(variant)
        rows.append((variant.title, _cells(figures, clean, shifted)))
        if variant in AVERAGED:
            cells = _cells(figures, clean_ensemble, shifted_ensemble)
            rows.append((variant.ensemble_title, cells))
    titles = ["accuracy, %", "ECE, ×10⁻²", "NLL", "Brier, ×10⁻²"]
    columns = [f"{title}{where}" for where in ("", ", shifted") for title in titles]
    notes = [
        f"{one.setting.about}; mean ± standard deviation over {len(one.setting.seeds)} seeds; an "
        "ensemble has one member per seed. Shifted is the mean over the corrupted test sets."
    ]
    return Result("methods", "Every method", notes, [Table("Test set", columns, rows)])


def _cells(figures: Figures, *spreads: Callable[[Figures, str], Spread | None]) -> list[Cell]:
    return [
        Cell(None, spread(figures, measure), scale, digits=3 if measure == "nll" else 2)
        for spread in spreads
        for measure, scale in MEASURES.items()
    ]


ITEM = Item("methods", (SETTING,), VARIANTS, make, shift=True)
