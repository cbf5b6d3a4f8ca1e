"""Figure 4 and section 5.5: predictive entropy on other data, and how well it is told apart."""

from collections.abc import Mapping
from functools import partial

from matplotlib.figure import Figure

from arcal.auditing import OutOfDistribution, Spread
from arcal.paper.comparisons import Comparison, settled
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.variants import LS, MARKS, MIXUP, ON_THE_FLY, VANILLA, Variant
from arcal.report.pictures import entropies_on
from arcal.report.tables import separations

SETTING = "cifar10-wrn"
DRAWN = (VANILLA, LS, ON_THE_FLY)
PAPER: dict[Variant, str | None] = {
    VANILLA: None,
    LS: "0.832±0.005",
    MIXUP: "0.821±0.003",
    ON_THE_FLY: "0.885±0.003",
}
SCORES = {"auroc_confidence": "AUROC of confidence", "auroc_entropy": "AUROC of entropy"}
LOW = 0.1
"""An entropy is low below this share of log Z, its greatest value."""
READ = (
    "AR-AdaLS is trained on the fly. The AUROC is between the models' own test set and the other "
    "data; the paper does not say of which score, so its figure stands beside both. The histograms "
    "are means over runs; the grey areas may reach above the panel. An entropy is called low "
    "below a tenth of its greatest value, log Z."
)

Shown = Mapping[Variant, OutOfDistribution]


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    title = "Figure 4: predictive entropy on out-of-distribution data"
    notes = setting_notes(evaluated, (SETTING,))
    if SETTING not in evaluated or not evaluated[SETTING].figures(VANILLA).ood:
        return Result("figure4", title, [*notes, "No other data is evaluated at this scale."])
    one = evaluated[SETTING]
    shown = {variant: one.figures(variant).ood[0] for variant in PAPER}
    Z = one.figures(VANILLA).clean[0].classes
    return Result(
        "figure4",
        title,
        [*notes, _about(one, shown[VANILLA]), READ],
        [_table(shown)],
        settled(_claims(shown)),
        partial(draw, {variant: shown[variant] for variant in DRAWN}, Z),
    )


def _about(evaluated: Evaluated, other: OutOfDistribution) -> str:
    chosen = evaluated.setting.ood_classes
    which = f", of {len(chosen)} classes that no model was trained on" if chosen else ""
    how = f", {other.how}" if other.how else ""
    return f"Other data: {other.images:,} images of {other.name}{which}{how}."


def draw(shown: Shown, Z: int) -> Figure:
    """A panel per variant: the other data in its colour, the models' own test set in grey."""
    panels = [(MARKS[v].name, MARKS[v].colour, other) for v, other in shown.items()]
    figure = entropies_on(panels, Z, "the other data, in the method's colour")
    most = max(float(other.outside.mean(dim=0).max()) for other in shown.values())
    figure.axes[0].set_ylim(0, 110 * most)  # the grey area may end above
    return figure


def _table(shown: Shown) -> Table:
    rows = []
    for variant, other in shown.items():
        auroc = separations(other.runs)
        cells = [Cell(PAPER[variant], auroc[score], 1.0, 3) for score in SCORES]
        rows.append((variant.title, [*cells, Cell(None, _low(other), digits=1)]))
    return Table("Telling the other data apart", [*SCORES.values(), "low entropy, %"], rows)


def _low(other: OutOfDistribution) -> Spread:
    """The share of the other images with a low entropy, for each run."""
    bins = round(LOW * other.outside.shape[1])
    return Spread.from_tensor(other.outside[:, :bins].sum(dim=1))


def _claims(shown: Shown) -> list[Claim | Comparison]:
    ours = shown[ON_THE_FLY]
    text = "AR-AdaLS has fewer low entropies on other data than"
    claims: list[Claim | Comparison] = [
        (f"{text} {other.title}", _low(ours), _low(shown[other])) for other in (VANILLA, LS)
    ]
    auroc = {variant: separations(other.runs) for variant, other in shown.items()}
    for score, title in SCORES.items():
        for other in (LS, MIXUP):
            text = f"{other.title} has a lower {title} than AR-AdaLS"
            claims.append((text, auroc[other][score], auroc[ON_THE_FLY][score]))
    return claims


ITEM = Item("figure4", (SETTING,), tuple(PAPER), make, ood=True)
