"""The tables whose rows are methods, under headings: shift, stability, ensembles, other data."""

from collections.abc import Sequence
from dataclasses import dataclass

from arcal.evaluation import without_extra
from arcal.report.means import Means, types_at
from arcal.report.names import Name
from arcal.report.study import Method, Study
from arcal.report.tables import (
    CLEAN,
    COLUMNS,
    ECE,
    SEPARATION,
    Column,
    Rows,
    Spread,
    separation_of,
)

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
    """A method's cells as text; `best` are the positions of those that lead their column."""

    name: Name
    cells: list[str]
    best: set[int]


@dataclass(frozen=True)
class Grid:
    """`head` has each column's title and a word on it, `parts` a heading and its rows."""

    head: list[tuple[str, str]]
    parts: list[tuple[str, list[Row]]]


def calibration_errors(study: Study) -> Grid:
    """The ECE with its interval, and the other calibration errors, on the clean test set, x 100."""
    columns = [ERRORS[name] for name in study.methods[0].calibration_errors]
    spreads = [[m.calibration_errors[c.measure] for c in columns] for m in study.methods]
    rows = _rows(study.methods, columns, spreads)
    for row in rows:  # the ends of an interval, and what chance gives, are no contest
        row.best.difference_update(i for i, column in enumerate(columns) if not column.best)
    return Grid([(c.title, f"{c.unit} {c.best}".strip()) for c in columns], [("×10⁻²", rows)])


def under_shift(study: Study) -> Grid | None:
    """ECE and accuracy by intensity and over all corrupted sets (Table 3); None without any."""
    first = study.methods[0].means["ece"]
    if first.overall is None:
        return None
    parts = []
    for column in (ECE, ACCURACY):
        heading = f"{column.title}, {column.unit} {column.best}"
        single = [(m.name, m.means[column.measure]) for m in study.methods]
        together = [(m.name, m.ensemble_means[column.measure]) for m in study.several]
        for kind, methods in ((SINGLE, single), (ENSEMBLE, together)):
            if methods:
                parts.append((f"{heading}: {kind}", _by_intensity(column, methods)))
    return Grid(_intensities(first), parts)


def stability(study: Study) -> Grid | None:
    """Variance and churn, clean and by intensity (Table 5); None if no method has two runs."""
    if not study.several:
        return None
    parts = [
        (
            f"{column.title}, {column.unit} {column.best}",
            _by_intensity(column, [(m.name, m.stability[column.measure]) for m in study.several]),
        )
        for column in STABILITY
    ]
    return Grid(_intensities(study.several[0].stability["churn"]), parts)


def stability_by_level(study: Study) -> Grid:
    """The three readings of the variance, and churn, on the clean set, by level 1 to R."""
    parts = []
    for column in STABILITY:
        spreads = [
            [Spread((value,)) for value in method.levels.stability[column.measure]]
            for method in study.several
        ]
        heading = f"{column.title}, {column.unit} {column.best}"
        parts.append((heading, _rows(study.several, [column] * study.R, spreads)))
    return Grid([(str(r + 1), "") for r in range(study.R)], parts)


def ensembles(study: Study) -> Grid | None:
    """All measures on the clean set of single runs and ensembles; None if there are none."""
    if not study.several:
        return None
    single = [method.measures[CLEAN] for method in study.several]
    return _compared(study, COLUMNS, study.several, single, [m.ensemble for m in study.several])


def out_of_distribution(study: Study, i: int) -> Grid:
    """AUROC of confidence and entropy on the i-th other data set."""
    single = [separation_of(method.ood[i].runs) for method in study.methods]
    ensembles = [method.ood[i].ensemble for method in study.several]
    together = [separation_of([one]) for one in ensembles if one is not None]
    return _compared(study, SEPARATION, study.methods, single, together)


def _compared(
    study: Study,
    columns: Sequence[Column],
    methods: list[Method],
    single: list[Rows],
    together: list[Rows],
) -> Grid:
    """Measures of methods' single runs, and of the ensembles of those that have several."""
    parts = []
    for kind, of, rows in ((SINGLE, methods, single), (ENSEMBLE, study.several, together)):
        if rows:
            spreads = [[row[column.measure] for column in columns] for row in rows]
            parts.append((kind.capitalize(), _rows(of, columns, spreads)))
    return Grid([(column.title, f"{column.unit} {column.best}") for column in columns], parts)


def _by_intensity(column: Column, methods: list[tuple[Name, Means]]) -> list[Row]:
    spreads = [_evaluated(means) for _, means in methods]
    return _named([name for name, _ in methods], [column] * len(spreads[0]), spreads)


def _evaluated(means: Means) -> list[Spread]:
    """What there is of a clean set, intensities and means; the mean of one set is left out."""
    found = [means.clean, *means.by_intensity]
    if sum(types_at(means)) > 1:
        found += [means.overall, means.standard]
    return [spread for spread in found if spread is not None]


def _intensities(means: Means) -> list[tuple[str, str]]:
    """The heads of what `_evaluated` returns."""
    found = [("Clean", "")]
    at = enumerate(types_at(means), 1)
    found += [(f"Intensity {i}", _count(types)) for i, types in at if types]
    if sum(types_at(means)) > 1:
        found.append(("Mean", _count(len(means.by_type))))
    if means.standard is not None:
        found.append(("Mean", _count(len(without_extra(list(means.by_type))))))
    return found


def _count(types: int) -> str:
    return f"{types} type{'s' if types > 1 else ''}"


def _rows(
    methods: list[Method], columns: Sequence[Column], spreads: list[list[Spread]]
) -> list[Row]:
    return _named([method.name for method in methods], columns, spreads)


def _named(names: list[Name], columns: Sequence[Column], spreads: list[list[Spread]]) -> list[Row]:
    """A row a name, with a spread a column; the best means are marked, unless all are equal."""
    badness = [
        [column.badness(spread.mean) for column, spread in zip(columns, of_row, strict=True)]
        for of_row in spreads
    ]
    lowest = [min(column) for column in zip(*badness, strict=True)]
    highest = [max(column) for column in zip(*badness, strict=True)]
    rows = []
    for name, of_row, bad in zip(names, spreads, badness, strict=True):
        cells = [c.show_spread(spread) for c, spread in zip(columns, of_row, strict=True)]
        best = {i for i, b in enumerate(bad) if b == lowest[i] < highest[i]}
        rows.append(Row(name, cells, best))
    return rows
