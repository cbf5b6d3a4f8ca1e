"""The tables whose rows are subjects, under headings: shift, stability, ensembles, other data."""

from collections.abc import Sequence
from dataclasses import dataclass

from arcal.auditing import CLEAN, Means, Spread, without_extra
from arcal.report.comparison import Compared, Comparison
from arcal.report.names import Name
from arcal.report.tables import COLUMNS, ECE, SEPARATION, Column, Rows, leaders, separations

ACCURACY = COLUMNS[0]
STABILITY = (
    Column("variance_all_classes", "Variance, all classes", "×10⁻²", "↓"),
    Column("variance_fixed_class", "Variance, one class for all runs", "×10⁻²", "↓"),
    Column("variance_own_maximum", "Variance, each run's confidence", "×10⁻²", "↓"),
    Column("churn", "Churn", "% of images", "↓"),
)
ERRORS = {
    "ece": Column("ece", "ECE", "equal width", "↓"),
    "ece_low": Column("ece_low", "95 % from", "bootstrap", ""),
    "ece_high": Column("ece_high", "to", "bootstrap", ""),
    "ece_equal_mass": Column("ece_equal_mass", "ECE", "equal mass", "↓"),
    "ece_class_wise": Column("ece_class_wise", "ECE", "class-wise", "↓"),
    "ece_debiased": Column("ece_debiased", "ECE", "debiased", "↓"),
    "ece_if_calibrated": Column("ece_if_calibrated", "Chance", "if calibrated", ""),
}
SINGLE, ENSEMBLE = "single runs", "ensembles of a method's runs"


@dataclass(frozen=True)
class Row:
    """A subject's cells, as text and as figures; `best` are those that lead their column."""

    name: Name
    cells: list[str]
    spreads: list[Spread]
    best: set[int]


@dataclass(frozen=True)
class Grid:
    """`head` has each column's title and a word on it, `parts` a heading and its rows."""

    head: list[tuple[str, str]]
    parts: list[tuple[str, list[Row]]]


def calibration_errors(comparison: Comparison) -> Grid:
    """The ECE with its interval, and the other calibration errors, on the clean test set, x 100."""
    columns = [ERRORS[name] for name in comparison.subjects[0].calibration_errors]
    spreads = [[one.calibration_errors[c.measure] for c in columns] for one in comparison.subjects]
    rows = _rows([one.name for one in comparison.subjects], columns, spreads)
    for row in rows:  # the ends of an interval, and what chance gives, are no contest
        row.best.difference_update(i for i, column in enumerate(columns) if not column.best)
    return Grid([(c.title, f"{c.unit} {c.best}".strip()) for c in columns], [("×10⁻²", rows)])


def under_shift(comparison: Comparison) -> Grid | None:
    """ECE and accuracy by intensity and over all corrupted sets (Table 3); None without any."""
    first = comparison.subjects[0].means["ece"]
    if first.overall is None:
        return None
    parts = []
    for column in (ECE, ACCURACY):
        heading = f"{column.title}, {column.unit} {column.best}"
        single = [(one.name, one.means[column.measure]) for one in comparison.subjects]
        together = [(one.name, one.ensemble_means[column.measure]) for one in comparison.several]
        for kind, methods in ((SINGLE, single), (ENSEMBLE, together)):
            if methods:
                parts.append((f"{heading}: {kind}", _by_intensity(column, methods)))
    return Grid(_intensities(first), parts)


def stability(comparison: Comparison) -> Grid | None:
    """Variance and churn, clean and by intensity (Table 5); None if no method has two runs."""
    if not comparison.several:
        return None
    parts = []
    for column in STABILITY:
        rows = [(one.name, one.stability[column.measure]) for one in comparison.several]
        heading = f"{column.title}, {column.unit} {column.best}"
        parts.append((heading, _by_intensity(column, rows)))
    return Grid(_intensities(comparison.several[0].stability["churn"]), parts)


def stability_by_level(comparison: Comparison) -> Grid:
    """The three readings of the variance, and churn, on the clean set, by level 1 to R."""
    names, parts = [one.name for one in comparison.several], []
    for column in STABILITY:
        spreads = [
            [Spread((value,)) for value in one.levels.stability[column.measure]]
            for one in comparison.several
        ]
        heading = f"{column.title}, {column.unit} {column.best}"
        parts.append((heading, _rows(names, [column] * comparison.R, spreads)))
    return Grid([(str(r + 1), "") for r in range(comparison.R)], parts)


def ensembles(comparison: Comparison) -> Grid | None:
    """All measures on the clean set of single runs and ensembles; None if there are none."""
    if not comparison.several:
        return None
    single = [one.measures[CLEAN] for one in comparison.several]
    together = [one.ensemble for one in comparison.several]
    return _compared(comparison, COLUMNS, comparison.several, single, together)


def out_of_distribution(comparison: Comparison, i: int) -> Grid:
    """AUROC of confidence and entropy on the i-th other data set."""
    single = [separations(one.ood[i].runs) for one in comparison.subjects]
    ensembles = [one.ood[i].ensemble for one in comparison.several]
    together = [separations([one]) for one in ensembles if one is not None]
    return _compared(comparison, SEPARATION, comparison.subjects, single, together)


def _compared(
    comparison: Comparison,
    columns: Sequence[Column],
    subjects: list[Compared],
    single: list[Rows],
    together: list[Rows],
) -> Grid:
    """Measures of methods' single runs, and of the ensembles of those that have several."""
    parts = []
    for kind, these, rows in (
        (SINGLE, subjects, single),
        (ENSEMBLE, comparison.several, together),
    ):
        if rows:
            spreads = [[row[column.measure] for column in columns] for row in rows]
            parts.append((kind.capitalize(), _rows([one.name for one in these], columns, spreads)))
    return Grid([(column.title, f"{column.unit} {column.best}") for column in columns], parts)


def _by_intensity(column: Column, methods: list[tuple[Name, Means]]) -> list[Row]:
    spreads = [_evaluated(means) for _, means in methods]
    return _rows([name for name, _ in methods], [column] * len(spreads[0]), spreads)


def _evaluated(means: Means) -> list[Spread]:
    """What there is of a clean set, intensities and means; the mean of one set is left out."""
    spreads = [means.clean, *means.by_intensity]
    if sum(means.types) > 1:
        spreads += [means.overall, means.standard]
    return [spread for spread in spreads if spread is not None]


def _intensities(means: Means) -> list[tuple[str, str]]:
    """The heads of what `_evaluated` returns."""
    heads = [("Clean", "")]
    heads += [(f"Intensity {i}", _count(n)) for i, n in enumerate(means.types, 1) if n]
    if sum(means.types) > 1:
        heads.append(("Mean", _count(len(means.by_type))))
    if means.standard is not None:
        heads.append(("Mean", _count(len(without_extra(list(means.by_type))))))
    return heads


def _count(types: int) -> str:
    return f"{types} type{'s' if types > 1 else ''}"


def _rows(names: list[Name], columns: Sequence[Column], spreads: list[list[Spread]]) -> list[Row]:
    """A row a name, with a spread a column; the best means are marked, unless all are equal."""
    lead = [leaders(*pair) for pair in zip(columns, zip(*spreads, strict=True), strict=True)]
    rows = []
    for n, (name, row) in enumerate(zip(names, spreads, strict=True)):
        cells = [c.show_spread(spread) for c, spread in zip(columns, row, strict=True)]
        rows.append(Row(name, cells, row, {i for i, some in enumerate(lead) if n in some}))
    return rows
