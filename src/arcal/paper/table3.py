"""Table 3: mean ECE under shift, single models and ensembles (section 5.3)."""

from collections.abc import Mapping

from arcal.auditing import without_extra
from arcal.paper.comparisons import Comparison, each_lower, in_order, significantly_lower
from arcal.paper.item import Evaluated, Item, alpha_notes, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import SHIFT, STANDARD
from arcal.paper.spreads import NO_ENSEMBLE, shifted, shifted_ensemble
from arcal.paper.variants import (
    ADALS,
    AR_ADALS,
    JOINT,
    LS,
    MARGIN,
    OF_ENSEMBLE,
    RANDOM,
    VANILLA,
    Variant,
)

SETTINGS = ("cifar10-resnet29", "imagenet-resnet101")
SINGLE = {
    VANILLA: ("16.7±0.5", "10.7±0.5"),
    LS: ("10.1±0.4", "8.1±0.4"),
    ADALS: ("9.6±0.5", "8.0±0.2"),
    AR_ADALS: ("6.4±0.6", "6.9±0.2"),
}
CONTROLS = (JOINT, MARGIN, RANDOM)
"""AR-AdaLS with another update or levels cut by something else; not in the paper."""
ALONE = (*SINGLE, *CONTROLS)
ENSEMBLES = {
    VANILLA: ("6.5", "4.2"),
    LS: ("4.6", "4.7"),
    ADALS: ("5.2", "4.8"),
    AR_ADALS: ("5.5", "5.1"),
    OF_ENSEMBLE: ("4.4", "4.0"),
}


def _scaled(variant: Variant) -> Variant:
    return variant.calibrated("temperature")


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    tables, claims = [], []
    for i, name in enumerate(SETTINGS):
        if name in evaluated:
            tables += _tables(evaluated[name], i)
            claims += _single(evaluated[name], i) + _ensembles(evaluated[name], i)
    notes = [
        *setting_notes(evaluated, SETTINGS, shift=True),
        "A mean is over corrupted sets, with every type and intensity counted once. Temperature "
        "scaling is fitted on clean validation images; confidence − accuracy is positive where a "
        "method is over-confident. The margin and random orders are not in the paper. p-values are "
        "of paired t-tests, corrected for their number by Holm's method.",
        *alpha_notes(evaluated, SETTINGS),
    ]
    return Result("table3", "Table 3: mean ECE (×10⁻²) under shift", notes, tables, claims)


def _tables(evaluated: Evaluated, i: int) -> list[Table]:
    """Single models, with the same after temperature scaling, and ensembles."""
    vanilla = evaluated.figures(VANILLA)
    types, standard = len(vanilla.types), len(without_extra(list(vanilla.types)))
    cuts = {SHIFT: f"ECE, {types} type{'s' * (types > 1)}"}
    if 0 < standard < types:
        cuts[STANDARD] = f"ECE, {standard} type{'s' * (standard > 1)} without the extra"
    single, together = [], []
    for variant in ALONE:
        figures, scaled = evaluated.figures(variant), evaluated.figures(_scaled(variant))
        printed = SINGLE[variant][i] if variant in SINGLE else None
        cells = [Cell(printed if c == SHIFT else None, shifted(figures, "ece", c)) for c in cuts]
        more = [shifted(scaled, "ece"), shifted(figures, "gap"), shifted(scaled, "gap")]
        single.append((variant.title, cells + [Cell(None, spread) for spread in more]))
    for variant, numbers in ENSEMBLES.items():
        figures = evaluated.figures(variant)
        cells = [
            Cell(numbers[i] if c == SHIFT else None, shifted_ensemble(figures, "ece", c))
            for c in cuts
        ]
        gap = Cell(None, shifted_ensemble(figures, "gap"))
        together.append((variant.ensemble_title, [*cells, gap]))
    eces = list(cuts.values())
    gap, after = "confidence − accuracy, points", "after temperature scaling"
    columns = [*eces, f"ECE {after}", gap, f"{gap}, {after}"]
    return [
        Table(f"Single models, {evaluated.title}", columns, single),
        Table(f"Ensembles, {evaluated.title}", [*eces, gap], together),
    ]


def _single(evaluated: Evaluated, i: int) -> list[Claim]:
    """AR-AdaLS against each other single model, as they are and on equal footing."""
    where = f" ({evaluated.title})"

    def against(other: Variant, ours: Variant = AR_ADALS, remark: str = "") -> Comparison:
        text = f"AR-AdaLS has a lower mean ECE under shift than {other.trained.title}"
        low, high = (shifted(evaluated.figures(variant), "ece") for variant in (ours, other))
        return f"{text}{remark}{where}", low, high

    others = [variant for variant in SINGLE if variant != AR_ADALS]
    paper = [against(variant) for variant in others]
    controls = [against(variant, remark=", not in the paper") for variant in CONTROLS]
    remark = ", both after temperature scaling, not in the paper"
    footing = [against(_scaled(v), _scaled(AR_ADALS), remark) for v in (*others, *CONTROLS)]
    printed = {variant.title: numbers[i] for variant, numbers in SINGLE.items()}
    single = {variant.title: shifted(evaluated.figures(variant), "ece") for variant in SINGLE}
    return [
        in_order(f"Single models from best to worst{where}", printed, single),
        *each_lower(paper),
        *each_lower([*controls, *footing]),
        significantly_lower(
            f"AR-AdaLS is significantly better under shift than every other single model{where}",
            paper,
        ),
    ]


def _ensembles(evaluated: Evaluated, i: int) -> list[Claim]:
    where = f" ({evaluated.title})"
    spreads = {v.ensemble_title: shifted_ensemble(evaluated.figures(v), "ece") for v in ENSEMBLES}
    ours = {title: spread for title, spread in spreads.items() if spread is not None}
    if len(ours) < len(spreads):
        return [Claim(f"Ensembles from best to worst{where}", None, NO_ENSEMBLE)]
    printed = {variant.ensemble_title: numbers[i] for variant, numbers in ENSEMBLES.items()}
    best = OF_ENSEMBLE.title
    claims = [in_order(f"Ensembles from best to worst{where}", printed, ours)]
    text = f"{best} has a lower mean ECE under shift than"
    claims += each_lower(
        [
            (f"{text} {title}{where}", ours[best], ece)
            for title, ece in ours.items()
            if title != best
        ]
    )
    if evaluated.setting.name == "cifar10-resnet29":
        single = shifted(evaluated.figures(AR_ADALS), "ece")
        vanilla, deviation = ours[VANILLA.ensemble_title], single.deviation or 0.0
        text = "A single AR-AdaLS is comparable to Ensemble of Vanilla: at most its deviation above"
        because = (
            f"{100 * single.mean:.2f} ± {100 * deviation:.2f} against {100 * vanilla.mean:.2f}"
        )
        claims.append(Claim(text + where, single.mean <= vanilla.mean + deviation, because))
    return claims


ITEM = Item("table3", SETTINGS, (*ALONE, *map(_scaled, ALONE), OF_ENSEMBLE), make, shift=True)
