"""Table 5: variance over runs under shift, by intensity (section 5.4, appendix B)."""

from collections.abc import Mapping, Sequence

import torch

from arcal.auditing import INTENSITIES, STABILITY
from arcal.errors import ArcalError
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.members import SETTINGS, with_several_seeds
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import SHIFT
from arcal.paper.variants import ADALS, AR_ADALS, LS, TEMPERATURE_SCALING, VANILLA

PAPER = {
    VANILLA: (
        ("7.85", "9.69", "11.2", "13.1", "16.0", "11.6"),
        ("5.28", "6.39", "7.37", "8.23", "8.29", "7.11"),
    ),
    LS: (
        ("5.54", "6.95", "8.11", "9.65", "11.8", "8.41"),
        ("4.86", "5.84", "6.78", "7.55", "7.41", "6.49"),
    ),
    ADALS: (
        ("5.47", "6.87", "7.95", "9.44", "11.5", "8.25"),
        ("4.79", "5.77", "6.66", "7.51", "7.56", "6.46"),
    ),
    AR_ADALS: (
        ("4.21", "5.06", "5.73", "6.66", "8.24", "5.98"),
        ("4.53", "5.49", "6.12", "6.76", "6.66", "5.91"),
    ),
}
"""By intensity, and the mean: CIFAR-10-C, ImageNet-C."""
VARIANTS = (*PAPER, TEMPERATURE_SCALING)
"""Softer predictions vary less whatever made them soft: the last is a control, not in the paper."""
MAIN, *OTHERS = STABILITY[:3]
TITLES = {
    "variance_all_classes": "Variance, ×10⁻², summed over all classes",
    "variance_fixed_class": "Variance, ×10⁻², of the class that the mean predicts",
    "variance_own_maximum": "Variance, ×10⁻², of each run's own confidence",
    "churn": "Churn, %: how often two runs predict different classes",
}
NEAR = 0.1
"""How far above the paper's ratio to Vanilla, 5.98 / 11.6 = 0.52 on CIFAR-10-C, still counts."""


def make(evaluated: Mapping[str, Evaluated]) -> Result:
    settings, alone = with_several_seeds(evaluated, SETTINGS)
    notes = [
        *setting_notes(evaluated, SETTINGS, shift=True),
        *alone,
        "The paper does not say which probability it takes the variance of. We take it to be that "
        "of the first table, the only one with the paper's numbers. Each value is computed from "
        "all runs together, so it has no deviation over them.",
    ]
    return Result(
        "table5",
        "Table 5: variance over runs under shift",
        notes,
        [_table(one, measure) for one in settings for measure in STABILITY],
        [claim for one in settings for claim in _claims(one)],
    )


def _table(evaluated: Evaluated, measure: str) -> Table:
    i = SETTINGS.index(evaluated.setting.name)
    rows = []
    for variant in VARIANTS:
        figures = evaluated.figures(variant)
        means = figures.means(measure, together=True)
        by_intensity = [None] * len(INTENSITIES) if means is None else means.by_intensity
        ours = [*by_intensity, figures.together(SHIFT, measure)]
        printed: Sequence[str | None] = [None] * len(ours)
        if measure == MAIN and variant in PAPER:
            printed = PAPER[variant][i]
        rows.append((variant.title, [Cell(*both) for both in zip(printed, ours, strict=True)]))
    columns = [*(f"intensity {intensity}" for intensity in INTENSITIES), "mean"]
    return Table(f"{TITLES[measure]}, {evaluated.title}", columns, rows)


def _claims(evaluated: Evaluated) -> list[Claim]:
    where, i = f"({evaluated.title})", SETTINGS.index(evaluated.setting.name)
    ours, vanilla = evaluated.figures(AR_ADALS), evaluated.figures(VANILLA)
    text = "AR-AdaLS has a lower mean variance than"
    claims = [
        _lower(f"{text} {variant.title} {where}", ours, evaluated.figures(variant))
        for variant in PAPER
        if variant != AR_ADALS
    ]
    printed = float(PAPER[AR_ADALS][i][-1]) / float(PAPER[VANILLA][i][-1])
    main, *others = [_mean(ours, m) / _mean(vanilla, m) for m in (MAIN, *OTHERS)]
    claims.append(
        Claim(
            f"AR-AdaLS's mean variance is at most {printed:.2f} of Vanilla's, to within {NEAR} "
            f"{where}",
            main <= printed + NEAR,
            f"{main:.2f}; in the two other readings {' and '.join(f'{r:.2f}' for r in others)}",
        )
    )
    return claims


def _lower(text: str, ours: Figures, other: Figures) -> Claim:
    a, b = (_mean(figures, MAIN) for figures in (ours, other))
    x, y = (torch.cat(list(one.by_type(MAIN, together=True).values())) for one in (ours, other))
    ahead, sets = int((x < y).sum()), int((~x.isnan()).sum())
    because = f"{100 * a:.2f} against {100 * b:.2f}, lower on {ahead} of {sets} corrupted sets"
    return Claim(text, a < b, because)


def _mean(figures: Figures, measure: str) -> float:
    spread = figures.together(SHIFT, measure)
    if spread is None:
        raise ArcalError(f"there is no {measure} over the runs: evaluate them again")
    return spread.mean


ITEM = Item("table5", SETTINGS, VARIANTS, make, shift=True)
