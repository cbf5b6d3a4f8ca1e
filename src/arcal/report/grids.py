"""The tables whose rows are subjects, under headings: shift, stability, ensembles, other data."""

from collections.abc import Sequence

from arcal.auditing import CLEAN, Means, Spread, without_extra
from arcal.report.comparison import Compared, Comparison
from arcal.report.tables import (
    COLUMNS,
    ECE,
    SEPARATION,
    Column,
    ComparisonTable,
    Rows,
    TableColumn,
    TablePart,
    TableRow,
    leaders,
    separations,
)

ACCURACY = COLUMNS[0]
STABILITY = (
    Column("variance_all_classes", "Variance, all classes", "×10⁻²", "↓"),
    Column("variance_fixed_class", "Variance, one class for all runs", "×10⁻²", "↓"),
    Column("variance_own_maximum", "Variance, each run's confidence", "×10⁻²", "↓"),
    Column("churn", "Churn", "% of images", "↓"),
)
ERRORS = (
    Column("ece", "ECE", "equal width", "↓"),
    Column("ece_low", "95 % from", "bootstrap", ""),
    Column("ece_high", "to", "bootstrap", ""),
    Column("ece_equal_mass", "ECE", "equal mass", "↓"),
    Column("ece_class_wise", "ECE", "class-wise", "↓"),
    Column("ece_debiased", "ECE", "debiased", "↓"),
    Column("ece_if_calibrated", "Chance", "if calibrated", ""),
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
    """The three readings of the variance, and churn, on the clean set, by level 1 to R."""
    parts = []
    for column in STABILITY:
        by_level = [one.levels.stability[column.measure] for one in comparison.several]
        spreads = [[Spread((value,)) for value in values] for values in by_level]
        parts.append(_alike(comparison, column, comparison.several, spreads))
    return ComparisonTable(
        title="By robustness level, on the clean test set",
        columns=[TableColumn(str(r + 1)) for r in range(comparison.R)],
        parts=parts,
    )


def ensembles(comparison: Comparison) -> ComparisonTable | None:
    """All measures on the clean set of single runs and ensembles; None if there are none."""
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
    """A table with a column a measure; a part is its heading, subjects, and their measures."""
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
    """A part whose columns all have the same measure."""
    heading = f"{column.title}, {column.words}{kind}"
    return _part(comparison, heading, subjects, [column] * len(spreads[0]), spreads)


def _part(
    comparison: Comparison,
    heading: str,
    subjects: Sequence[Compared],
    columns: Sequence[Column],
    spreads: Sequence[Sequence[Spread]],
) -> TablePart:
    """A row a subject, with a spread a column; the best means lead, unless all are equal.

    A column without an arrow, such as the end of an interval, is no contest.
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
    """What there is of a clean set, intensities and means; the mean of one set is left out."""
    spreads = [means.clean, *means.by_intensity]
    if sum(means.types) > 1:
        spreads += [means.overall, means.standard]
    return [spread for spread in spreads if spread is not None]


def _intensities(means: Means) -> list[TableColumn]:
    """The heads of what `_evaluated` returns."""
    heads = [TableColumn("Clean")]
    heads += [TableColumn(f"Intensity {i}", _count(n)) for i, n in enumerate(means.types, 1) if n]
    if sum(means.types) > 1:
        heads.append(TableColumn("Mean", _count(len(means.by_type))))
    if means.standard is not None:
        heads.append(TableColumn("Mean", _count(len(without_extra(list(means.by_type))))))
    return heads


def _count(types: int) -> str:
    return f"{types} type{'s' if types > 1 else ''}"
