"""The tournament: which training is calibrated under shift once all have the same calibration.

This is not in the paper. Its winner at the smoke scale, AugMix, is then compared with the
headline's methods, on the headline's runs. The methods, settings and tests below were written
before any test image was looked at with these networks and recipes. Nothing is tuned: settings are
those of the methods' authors, and label smoothing's epsilon is the headline's. A temperature for
each batch of unlabelled images sees more than one image at a time, so it is compared only with
itself. Each family of paired, two-sided t-tests over the seeds is corrected by Holm's method.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from arcal.auditing import Spread
from arcal.paper.comparisons import each_significantly_lower
from arcal.paper.figures import Figures
from arcal.paper.item import Evaluated, Item, setting_notes
from arcal.paper.result import Cell, Claim, Result, Table
from arcal.paper.rows import EXTRA, STANDARD
from arcal.paper.spreads import clean, shifted
from arcal.paper.variants import ADDED, AR_ADALS, FOCAL, LS, VANILLA, Variant

UNDER_LEVELS = ("noise", "perturbed", "augmix")
"""Additions with which AR-AdaLS is trained, too: those that a pilot found to help under shift."""
TRAINED = (
    VANILLA,
    LS,
    FOCAL,
    AR_ADALS,
    *map(VANILLA.adding, ADDED),
    *map(AR_ADALS.adding, UNDER_LEVELS),
)
STEPS: dict[str | None, str] = {
    None: "As trained",
    "temperature": "Each with one temperature, fitted on clean validation images",
    "batch-temperature": "Each with a temperature for every batch of 100 unlabelled images",
}
"""What is done after training, and the title of its table."""
TO_BEAT = VANILLA.adding("augmix")
SHARE, LOST = 0.5, 0.005
"""The goal: this share of vanilla's ECE under shift, and at most so much accuracy lost."""

Methods = Mapping[Variant, Figures]


def make(
    item: str,
    title: str,
    settings: Sequence[str],
    trained: Sequence[Variant],
    steps: Sequence[str | None],
    evaluated: Mapping[str, Evaluated],
) -> Result:
    """The result of an item that compares trainings on some settings, after each of some steps."""
    tables: list[Table] = []
    claims: list[Claim] = []
    for one in (evaluated[name] for name in settings if name in evaluated):
        by_step: dict[str | None, Methods] = {
            step: {method: one.figures(replace(method, posthoc=step)) for method in trained}
            for step in steps
        }
        for step, methods in by_step.items():
            tables.append(_table(f"{one.title}. {STEPS[step]}", methods))
        for step, methods in by_step.items():
            if step is not None:
                claims += _claims(one.title, step, methods)
        claims += _goal(one.title, by_step["temperature"])
    notes = setting_notes(evaluated, settings, shift=True)
    notes.append(
        "ECE under shift is the mean over the corrupted sets of the 15 types of ImageNet-C and, "
        "separately, of the four extra types; NLL, Brier score and accuracy under shift are over "
        "all types that were run. p-values are of paired t-tests over the seeds, two-sided, "
        "corrected by Holm's method within each family: the tests on one data set, after the same "
        "step after training, against the same method."
    )
    return Result(item, title, notes, tables, claims, claimed="Tests, named beforehand")


def _under_15(figures: Figures) -> Spread:
    """ECE under the types of ImageNet-C."""
    return shifted(figures, "ece", STANDARD)


def _table(title: str, methods: Methods) -> Table:
    columns = [
        "accuracy, %",
        "ECE, ×10⁻²",
        "NLL",
        "accuracy, shifted, %",
        "ECE under the 15 types, ×10⁻²",
        "ECE under the extra types, ×10⁻²",
        "NLL, shifted",
        "Brier, shifted, ×10⁻²",
    ]
    rows = []
    for variant, figures in methods.items():
        cells = [
            Cell(None, clean(figures, "accuracy")),
            Cell(None, clean(figures, "ece")),
            Cell(None, clean(figures, "nll"), 1.0, 3),
            Cell(None, shifted(figures, "accuracy")),
            Cell(None, _under_15(figures)),
            Cell(None, figures.runs(EXTRA, "ece")),
            Cell(None, shifted(figures, "nll"), 1.0, 3),
            Cell(None, shifted(figures, "brier")),
        ]
        rows.append((variant.title, cells))
    return Table(title, columns, rows)


def _claims(where: str, step: str, methods: Methods) -> list[Claim]:
    """Each method against vanilla and against AugMix; then what levels of robustness add."""
    ece = {variant: _under_15(figures) for variant, figures in methods.items()}
    under_levels = [one for one in methods if one.name == AR_ADALS.name and one.added]
    levels = [(one, replace(one, name=VANILLA.name)) for one in under_levels]
    to_beat = [(one, TO_BEAT) for one in methods if one not in (VANILLA, TO_BEAT)]
    families = [
        [(one, VANILLA) for one in methods if one != VANILLA],
        [pair for pair in to_beat if pair not in levels],
        levels,
    ]
    claims = []
    for family in families:
        compared = [
            (f"{where}, {step}: {a.title} has a lower ECE under the 15 types than {b.title}, "
             "p < 0.05", ece[a], ece[b])
            for a, b in family
        ]  # fmt: skip
        claims += each_significantly_lower(compared)
    return claims


def _goal(where: str, scaled: Methods) -> list[Claim]:
    """Half of vanilla's ECE under shift, clean ECE and accuracy kept, on every seed."""
    claims = []
    vanilla = scaled[VANILLA]
    for variant, figures in scaled.items():
        if variant == VANILLA:
            continue
        seeds = [
            ours <= SHARE * other and ece <= reference and accuracy >= before - LOST
            for ours, other, ece, reference, accuracy, before in zip(
                _under_15(figures).values,
                _under_15(vanilla).values,
                clean(figures, "ece").values,
                clean(vanilla, "ece").values,
                clean(figures, "accuracy").values,
                clean(vanilla, "accuracy").values,
                strict=True,
            )
        ]
        text = (
            f"{where}: {variant.title} + temperature has at most half of the ECE under the 15 "
            "types of Vanilla + temperature, no higher clean ECE, and at most half a point less "
            "accuracy, on every seed"
        )
        share = _under_15(figures).mean / _under_15(vanilla).mean
        words = "seed" if len(seeds) == 1 else "seeds"
        because = f"{sum(seeds)} of {len(seeds)} {words}; {share:.2f} of the mean ECE under shift"
        holds = all(seeds) if len(seeds) > 1 or not all(seeds) else None  # one is not enough
        claims.append(Claim(text, holds, because))
    return claims


def _item(
    name: str,
    title: str,
    settings: tuple[str, ...],
    trained: Sequence[Variant],
    steps: Sequence[str | None],
) -> Item:
    variants = tuple(replace(one, posthoc=step) for step in steps for one in trained)
    made = partial(make, name, title, settings, trained, steps)
    return Item(name, settings, variants, made, shift=True, from_kept=True)


ITEM = _item(
    "tournament",
    "The tournament: training for calibration under shift, on equal footing",
    ("cifar10-tournament", "cifar100-tournament"),
    TRAINED,
    tuple(STEPS),
)


def _beside_headline(name: str, title: str, setting: str) -> Item:
    return _item(name, title, (setting,), (VANILLA, LS, AR_ADALS, TO_BEAT), (None, "temperature"))


BESIDE_HEADLINE = _beside_headline(
    "headline-augmix",
    "AugMix beside the headline's methods, on equal footing",
    "cifar10-headline",
)
BESIDE_FAST = _beside_headline(
    "headline-fast-augmix",
    "AugMix beside the headline's methods, with the fast network",
    "cifar10-fast",
)
