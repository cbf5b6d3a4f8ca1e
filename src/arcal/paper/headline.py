"""The headline: AR-AdaLS against what it must beat, on all training images, tests named beforehand.

This is not in the paper. It is repeated with the fast network, nearly as accurate as the paper's.
The tests below were written before any test image was looked at with either network. Each family of
paired, two-sided t-tests over the seeds is corrected by Holm's method separately: four under shift,
two on clean images, and all others on equal footing.
"""

from collections.abc import Mapping
from functools import partial

from arcal.auditing import Spread, without_extra
from arcal.paper.comparisons import each_lower, each_significantly_lower
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import STANDARD, TEST
from arcal.paper.spreads import clean, clean_ensemble, shifted
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    LS,
    MARGIN,
    RANDOM,
    TEMPERATURE_SCALING,
    VANILLA,
    Variant,
)

VARIANTS = (VANILLA, LS, ADALS, AR_ADALS, MARGIN, RANDOM)
SCALED = tuple(variant.calibrated("temperature") for variant in VARIANTS)
SMALLER = 0.85
"""The target: at most this share of the ECE under shift of label smoothing, AdaLS, random order."""
STEADIER = 0.6
"""The target: at most this share of vanilla's variance."""
RATIOS = {"clean": "0.26", "under shift": "0.38"}
"""The paper's ECE of AR-AdaLS over vanilla's: WRN-28-10 on the fly, and ResNet-29 pre-computed."""
MEASURES = {
    "accuracy": ("accuracy, %", 100.0, 2),
    "ece": ("ECE, ×10⁻²", 100.0, 2),
    "gap": ("confidence − accuracy, points", 100.0, 2),
    "nll": ("NLL", 1.0, 3),
}

Methods = Mapping[Variant, Figures]


def make(item: str, setting: str, title: str, evaluated: Mapping[str, Evaluated]) -> Result:
    """The result of an item that trains the methods on one setting, by its name."""
    tables, claims, notes = [], [], []
    if setting in evaluated:
        methods = {variant: evaluated[setting].figures(variant) for variant in VARIANTS}
        standard = len(without_extra(list(methods[AR_ADALS].types)))
        # A row of the second table has the same name as in the first.
        scaled = {variant.trained: evaluated[setting].figures(variant) for variant in SCALED}
        tables = [
            _table("As trained", methods, standard),
            _table("Each after temperature scaling on clean validation images", scaled, standard),
            _steadiness(methods),
            _ratios(methods),
        ]
        claims = [*_targets(methods, scaled[VANILLA]), *_equal_footing(scaled)]
        notes = [
            "A mean under shift is over all corrupted sets, each counted once. Confidence − "
            "accuracy is positive where a method is over-confident. p-values are of paired t-tests "
            "over the seeds, two-sided, corrected by Holm's method within each family: four under "
            "shift, two on clean images, and those in which both methods have a temperature. The "
            "paper's ratios are for other networks, and the clean one is for AR-AdaLS on the fly.",
        ]
    notes = setting_notes(evaluated, [setting], shift=True) + notes
    return Result(item, title, notes, tables, claims, claimed="Targets, named beforehand")


def _table(title: str, methods: Methods, standard: int) -> Table:
    """A row per variant: clean and under shift, accuracy, ECE, gap, NLL; ECE over 15 types."""
    columns = [t + where for where in ("", ", shifted") for t, _, _ in MEASURES.values()]
    columns.append(f"{MEASURES['ece'][0]}, shifted, {standard} types without the extra")
    rows = []
    for variant, figures in methods.items():
        cells = [
            Cell(None, spread(figures, measure), scale, digits)
            for spread in (clean, shifted)
            for measure, (_, scale, digits) in MEASURES.items()
        ]
        apart = shifted(figures, "ece", STANDARD) if standard else None
        rows.append((variant.title, [*cells, Cell(None, apart)]))
    return Table(title, columns, rows)


def _steadiness(methods: Methods) -> Table:
    """How much is smoothed, how much the seeds differ, and what their ensemble's ECE is."""
    columns = [
        "label spread, %",
        "variance over all classes, ×10⁻³",
        "variance of the fixed class, ×10⁻³",
        "churn, %",
        "ECE of the ensemble, ×10⁻²",
    ]
    scales = {"variance_all_classes": 1000.0, "variance_fixed_class": 1000.0, "churn": 100.0}
    rows = []
    for variant, figures in methods.items():
        cells = [Cell(None, figures.runs(TEST, "smoothing"))]
        for measure, scale in scales.items():
            cells.append(Cell(None, figures.together(TEST, measure), scale))
        rows.append((variant.title, [*cells, Cell(None, clean_ensemble(figures, "ece"))]))
    return Table("Clean test images: smoothing and stability", columns, rows)


def _ratios(methods: Methods) -> Table:
    rows = []
    for (where, printed), spread in zip(RATIOS.items(), (clean, shifted), strict=True):
        ours, vanilla = (spread(methods[variant], "ece").mean for variant in (AR_ADALS, VANILLA))
        title = f"mean ECE of AR-AdaLS over that of Vanilla, {where}"
        rows.append((title, [Cell(printed, Spread((ours / vanilla,)), 1.0)]))
    return Table("Ratios to Vanilla", ["ratio"], rows)


def _targets(methods: Methods, temperature_scaling: Figures) -> list[Claim]:
    """The targets for the methods as they are trained."""
    against = {variant: methods[variant] for variant in (LS, ADALS, RANDOM)}
    against |= {TEMPERATURE_SCALING: temperature_scaling}
    ours = shifted(methods[AR_ADALS], "ece")
    under_shift = {variant: shifted(figures, "ece") for variant, figures in against.items()}
    claims = _significant("AR-AdaLS's ECE under shift is below that of", ours, under_shift)
    for variant, other in under_shift.items():
        if variant != TEMPERATURE_SCALING:
            text = f"AR-AdaLS's mean ECE under shift is at most {SMALLER} of that of"
            ratio = ours.mean / other.mean
            claims.append(Claim(f"{text} {variant.title}", ratio <= SMALLER, f"{ratio:.3f}"))
    text = "AR-AdaLS's mean clean ECE is no higher than that of"
    ours = clean(methods[AR_ADALS], "ece")
    claims += each_lower(
        [
            (f"{text} {variant.title}", ours, clean(against[variant], "ece"))
            for variant in (LS, TEMPERATURE_SCALING)
        ]
    )
    text = f"AR-AdaLS's variance over all classes is at most {STEADIER} of Vanilla's, clean"
    here, vanilla = (
        methods[variant].together(TEST, "variance_all_classes") for variant in (AR_ADALS, VANILLA)
    )
    if here is None or vanilla is None:
        return [*claims, Claim(text, None, "the variance was not computed")]
    ratio = here.mean / vanilla.mean
    return [*claims, Claim(text, here.mean <= STEADIER * vanilla.mean, f"{ratio:.3f}")]


def _equal_footing(scaled: Methods) -> list[Claim]:
    """What the order itself is worth: everything after temperature scaling."""
    under_shift = {variant: shifted(figures, "ece") for variant, figures in scaled.items()}
    ours = under_shift.pop(AR_ADALS)
    text = "After temperature scaling of both, AR-AdaLS's ECE under shift is below that of"
    return _significant(text, ours, under_shift)


def _significant(text: str, ours: Spread, others: Mapping[Variant, Spread]) -> list[Claim]:
    """For each other method, that our mean is lower and its p-value, within these, below 0.05."""
    return each_significantly_lower(
        [(f"{text} {variant.title}, p < 0.05", ours, other) for variant, other in others.items()]
    )


def _item(name: str, setting: str, title: str) -> Item:
    made = partial(make, name, setting, title)
    return Item(name, (setting,), (*VARIANTS, *SCALED), made, shift=True, from_kept=True)


ITEM = _item(
    "headline",
    "cifar10-headline",
    "The headline: all training images, every method on equal footing",
)
FAST = _item(
    "headline-fast",
    "cifar10-fast",
    "The headline with the fast network: all training images, every method on equal footing",
)
