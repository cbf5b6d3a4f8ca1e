"""The tables on several subjects as values: the text of each cell, the leaders, what is folded."""

from collections.abc import Sequence
from dataclasses import replace

from arcal.auditing import CLEAN, WEAKEST, Means, Spread, without_extra
from arcal.report import findings
from arcal.report.names import Compared, Comparison, Where, set_titles
from arcal.report.tables import (
    ACCURACY,
    COLUMNS,
    ECE,
    GAP,
    SEPARATION,
    Best,
    Column,
    ComparisonTable,
    MeanCell,
    Rows,
    TableColumn,
    TablePart,
    TableRow,
    best_rows,
    leaders,
    separations,
)

MANY = 6
"""With more sets than this, single corrupted sets are folded away."""


def measures(comparison: Comparison) -> ComparisonTable:
    """Every measure of every subject on every set; many single corrupted sets are folded away."""
    titles, shown = set_titles(comparison.sets), shown_sets(comparison)
    parts = [
        TablePart(titles[where], where not in shown, rows=_rows_of_set(comparison, where))
        for where in comparison.sets
    ]
    bold = "Bold: the best mean of a set. " if len(comparison.subjects) > 1 else ""
    return ComparisonTable(
        columns=[TableColumn("Runs"), *(column.head for column in COLUMNS)],
        parts=parts,
        note=f"{bold}↑ higher is better, ↓ lower is better, → 0 closer to zero is better. Gap: "
        "confidence − accuracy, above 0 is over-confident. NLL: negative log-likelihood, and Brier "
        "score: both judge all probabilities, not the predicted class alone. AURC: the share of "
        "errors among the inputs at least as sure as each, averaged. A mean over corrupted sets "
        "is, for each run, the mean of its figure on each set.",
        folded_parts="Each corrupted set" if any(part.folded for part in parts) else None,
    )


def shown_sets(comparison: Comparison) -> list[Where]:
    """The sets whose tables are not folded away."""
    few = len(comparison.sets) <= MANY
    return comparison.sets if few else findings.headline_sets(comparison)


def gaps(comparison: Comparison) -> ComparisonTable:
    """Confidence minus accuracy by level, and over the least robust levels."""
    level_gap, size = replace(GAP, digits=1), replace(GAP, measure="size")
    weakest = min(WEAKEST, comparison.R)
    least = f"Levels 0 to {weakest - 1}" if weakest > 1 else "Level 0"
    rows = []
    for i, one in enumerate(comparison.subjects):
        means = [Spread((value,)) for value in one.levels.gap.mean(dim=0).tolist()]
        cells = [level_gap.cell(spread) for spread in means]
        cells += [GAP.cell(one.levels.weakest_gap), size.cell(one.levels.gap_size)]
        rows.append(TableRow(one.name.short, method=i, cells=cells))
    levels = [TableColumn(str(r), tinted=True) for r in range(comparison.R)]
    return ComparisonTable(
        title="Confidence − accuracy by level, in points",
        columns=[*levels, TableColumn(least), TableColumn("Mean size")],
        parts=[TablePart("", rows=rows)],
        note="Level 0 is the least robust. Above 0 (orange) is over-confident, below 0 (blue) "
        f"under-confident. Means over runs. {least}: the mean over the least robust, in which gaps "
        "of opposite sign cancel. Mean size: over all levels, without the sign.",
    )


def _rows_of_set(comparison: Comparison, where: Where) -> list[TableRow]:
    rows: list[Rows] = comparison.rows(where)
    best = best_rows(rows)
    made = []
    for i, (one, row) in enumerate(zip(comparison.subjects, rows, strict=True)):
        cells = [column.cell(row[column.measure], i in best[column.measure]) for column in COLUMNS]
        runs = _said(str(len(one.seeds)))
        made.append(TableRow(one.name.kind, one.name.settings, i, cells=[runs, *cells]))
    return made


def _said(text: str) -> MeanCell:
    return {"text": text, "mean": None, "deviation": None, "best": False}


STABILITY = (
    Column("variance_all_classes", "Variance, all classes", "×10⁻²", Best.LOW),
    Column("variance_fixed_class", "Variance, one class for all runs", "×10⁻²", Best.LOW),
    Column("variance_own_maximum", "Variance, each run's confidence", "×10⁻²", Best.LOW),
    Column("churn", "Churn", "% of images", Best.LOW),
)
ERRORS = (
    Column("ece", "ECE", "equal width", Best.LOW),
    Column("ece_low", "95 % from", "bootstrap"),
    Column("ece_high", "to", "bootstrap"),
    Column("ece_equal_mass", "ECE", "equal mass", Best.LOW),
    Column("ece_class_wise", "ECE", "class-wise", Best.LOW),
    Column("ece_debiased", "ECE", "debiased", Best.LOW),
    Column("ece_if_calibrated", "Chance", "if calibrated"),
)
SINGLE, ENSEMBLE = "single runs", "ensembles of a method's runs"


def calibration_errors(comparison: Comparison) -> ComparisonTable:
    """The ECE with its interval, and the other calibration errors, on the clean test set, x 100."""
    rows = [one.calibration_errors for one in comparison.subjects]
    columns = [column for column in ERRORS if column.measure in rows[0]]
    return _by_measure(comparison, columns, [("×10⁻²", comparison.subjects, rows)])


def under_shift(comparison: Comparison) -> ComparisonTable | None:
    """ECE and accuracy by intensity and over all corrupted sets (Table 3); None without any."""
    first = comparison.subjects[0].means["ece"]
    if first.overall is None:
        return None
    parts = []
    for column in (ECE, ACCURACY):
        single = [_evaluated(one.means[column.measure]) for one in comparison.subjects]
        parts.append(_alike(comparison, column, comparison.subjects, single, f": {SINGLE}"))
        several = comparison.several
        if several:
            together = [_evaluated(one.ensemble_means[column.measure]) for one in several]
            parts.append(_alike(comparison, column, several, together, f": {ENSEMBLE}"))
    return ComparisonTable(columns=_intensities(first), parts=parts)


def stability(comparison: Comparison) -> ComparisonTable | None:
    """Variance and churn, clean and by intensity (Table 5); None if no method has two runs."""
    several = comparison.several
    if not several:
        return None
    parts = []
    for column in STABILITY:
        spreads = [_evaluated(one.stability[column.measure]) for one in several]
        parts.append(_alike(comparison, column, several, spreads))
    return ComparisonTable(columns=_intensities(several[0].stability["churn"]), parts=parts)


def stability_by_level(comparison: Comparison) -> ComparisonTable:
    """The variance in its three definitions, and churn, on the clean set, by level."""
    parts = []
    for column in STABILITY:
        by_level = [one.levels.stability[column.measure] for one in comparison.several]
        spreads = [[Spread((value,)) for value in values] for values in by_level]
        parts.append(_alike(comparison, column, comparison.several, spreads))
    return ComparisonTable(
        title="By robustness level, on the clean test set",
        columns=[TableColumn(str(r)) for r in range(comparison.R)],
        parts=parts,
    )


def ensembles(comparison: Comparison) -> ComparisonTable | None:
    """All measures of single runs and ensembles on the clean set; None without an ensemble."""
    several = comparison.several
    if not several:
        return None
    single = [one.measures[CLEAN] for one in several]
    together = [one.ensemble for one in several]
    parts = [(SINGLE.capitalize(), several, single), (ENSEMBLE.capitalize(), several, together)]
    return _by_measure(comparison, COLUMNS, parts)


def out_of_distribution(comparison: Comparison, i: int) -> ComparisonTable:
    """AUROC of confidence and entropy on the i-th other data set."""
    single = [separations(one.ood[i].runs) for one in comparison.subjects]
    parts = [(SINGLE.capitalize(), comparison.subjects, single)]
    ensembles = [one.ood[i].ensemble for one in comparison.several]
    if together := [separations([one]) for one in ensembles if one is not None]:
        parts.append((ENSEMBLE.capitalize(), comparison.several, together))
    return _by_measure(comparison, SEPARATION, parts)


def _by_measure(
    comparison: Comparison,
    columns: Sequence[Column],
    parts: Sequence[tuple[str, Sequence[Compared], Sequence[Rows]]],
) -> ComparisonTable:
    """A table with one column per measure; each part is a heading, subjects and their measures."""
    made = []
    for heading, subjects, rows in parts:
        spreads = [[row[column.measure] for column in columns] for row in rows]
        made.append(_part(comparison, heading, subjects, columns, spreads))
    return ComparisonTable(columns=[column.head for column in columns], parts=made)


def _alike(
    comparison: Comparison,
    column: Column,
    subjects: Sequence[Compared],
    spreads: Sequence[Sequence[Spread]],
    kind: str = "",
) -> TablePart:
    heading = f"{column.title}, {column.words}{kind}"
    return _part(comparison, heading, subjects, [column] * len(spreads[0]), spreads)


def _part(
    comparison: Comparison,
    heading: str,
    subjects: Sequence[Compared],
    columns: Sequence[Column],
    spreads: Sequence[Sequence[Spread]],
) -> TablePart:
    """One row per subject with one spread per column; the best means lead, unless all are equal.

    Nobody leads in a column without a best, such as the end of an interval.
    """
    lead = [
        leaders(column, its_spreads) if column.best else set()
        for column, its_spreads in zip(columns, zip(*spreads, strict=True), strict=True)
    ]
    rows = []
    for n, (one, row) in enumerate(zip(subjects, spreads, strict=True)):
        known = zip(columns, row, lead, strict=True)
        cells = [column.cell(spread, n in best) for column, spread, best in known]
        rows.append(TableRow(one.name.short, method=comparison.subjects.index(one), cells=cells))
    return TablePart(heading, rows=rows)


def _evaluated(means: Means) -> list[Spread]:
    """The spreads on the clean set, by intensity and as means; a mean over one set is left out."""
    spreads = [means.clean, *means.by_intensity]
    if sum(means.types) > 1:
        spreads += [means.overall, means.standard]
    return [spread for spread in spreads if spread is not None]


def _intensities(means: Means) -> list[TableColumn]:
    """The column heads for what `_evaluated` returns."""
    heads = [TableColumn("Clean")]
    heads += [TableColumn(f"Intensity {i}", _count(n)) for i, n in enumerate(means.types, 1) if n]
    if sum(means.types) > 1:
        heads.append(TableColumn("Mean", _count(len(means.by_type))))
    if means.standard is not None:
        heads.append(TableColumn("Mean", _count(len(without_extra(list(means.by_type))))))
    return heads


def _count(types: int) -> str:
    return f"{types} type{'s' if types > 1 else ''}"
