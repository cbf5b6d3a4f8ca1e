"""Figure 4 and section 5.5: predictive entropy on other data, and how well it is told apart."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure

from arcal.auditing import OutOfDistribution, Spread
from arcal.errors import ArcalError
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import OTHER
from arcal.paper.variants import LS, MARKS, MIXUP, ON_THE_FLY, VANILLA, Variant
from arcal.report.pictures import entropies_on

SETTING = "cifar10-wrn"
DRAWN = (VANILLA, LS, ON_THE_FLY)
PAPER: dict[Variant, str | None] = {
    VANILLA: None,
    LS: "0.832±0.005",
    MIXUP: "0.821±0.003",
    ON_THE_FLY: "0.885±0.003",
}
SCORES = {"auroc_confidence": "AUROC of confidence", "auroc_entropy": "AUROC of entropy"}
READ = (
    "AR-AdaLS is trained on the fly. The AUROC is between the models' own test set and the other "
    "data; the paper does not say of which score, so its figure stands beside both. The histograms "
    "are means over runs; the grey areas may reach above the panel. An entropy is called low "
    "below a tenth of its greatest value, log Z."
)

Shown = Mapping[Variant, Figures]


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    title = "Figure 4: predictive entropy on out-of-distribution data"
    notes = setting_notes(evaluated, (SETTING,))
    if SETTING not in evaluated or evaluated[SETTING].figures(VANILLA).other_data is None:
        return Result("figure4", title, [*notes, "No other data is evaluated at this scale."])
    one = evaluated[SETTING]
    shown = {variant: one.figures(variant) for variant in PAPER}
    return Result(
        "figure4",
        title,
        [*notes, _about(one, shown[VANILLA]), READ],
        [_table(shown)],
        settled(_claims(shown)),
        partial(draw, {variant: shown[variant] for variant in DRAWN}),
    )


def _about(evaluated: Evaluated, figures: Figures) -> str:
    chosen, where = evaluated.setting.ood_classes, str(figures.other_data)
    which = f", of {len(chosen)} classes that no model was trained on" if chosen else ""
    images = _known(figures, "images").mean
    return f"Other data: {images:,.0f} images of {where.removeprefix(OTHER)}{which}."


def draw(shown: Shown) -> Figure:
    """A panel per variant: the other data in its colour, the models' own test set in grey."""
    others = {
        variant: OutOfDistribution(
            name=str(figures.other_data),
            how="",
            images=0,
            inside=figures.entropies("own entropy"),
            outside=figures.entropies("entropy"),
            runs=[],
            ensemble=None,
        )
        for variant, figures in shown.items()
    }
    panels = [(MARKS[v].name, MARKS[v].colour, other) for v, other in others.items()]
    Z = round(next(iter(shown.values())).classes)
    figure = entropies_on(panels, Z, "the other data, in the method's colour")
    most = max(float(other.outside.max()) for other in others.values())
    figure.axes[0].set_ylim(0, 110 * most)  # the grey area may end above
    return figure


def _known(figures: Figures, measure: str) -> Spread:
    spread = figures.runs(str(figures.other_data), measure)
    if spread is None:
        raise ArcalError(f"there is no {measure} on other data: evaluate the runs again")
    return spread


def _table(shown: Shown) -> Table:
    rows = []
    for variant, figures in shown.items():
        cells = [Cell(PAPER[variant], _known(figures, score), 1.0, 3) for score in SCORES]
        low = Cell(None, _known(figures, "low_entropy"), digits=1)
        rows.append((variant.title, [*cells, low]))
    return Table("Telling the other data apart", [*SCORES.values(), "low entropy, %"], rows)


def _claims(shown: Shown) -> list[Claim | Comparison]:
    low = {variant: _known(figures, "low_entropy") for variant, figures in shown.items()}
    text = "AR-AdaLS has fewer low entropies on other data than"
    claims: list[Claim | Comparison] = [
        (f"{text} {other.title}", low[ON_THE_FLY], low[other]) for other in (VANILLA, LS)
    ]
    for score, title in SCORES.items():
        for other in (LS, MIXUP):
            text = f"{other.title} has a lower {title} than AR-AdaLS"
            claims.append((text, _known(shown[other], score), _known(shown[ON_THE_FLY], score)))
    return claims


ITEM = Item("figure4", (SETTING,), tuple(PAPER), make, ood=True)
