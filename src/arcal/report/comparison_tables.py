"""The tables of several subjects as values: what each cell says, what leads, what is folded."""

from collections.abc import Sequence
from dataclasses import replace

from arcal.auditing import WEAKEST, Spread
from arcal.report import findings
from arcal.report.comparison import Comparison
from arcal.report.names import Where, set_titles
from arcal.report.tables import (
    COLUMNS,
    GAP,
    Column,
    ComparisonTable,
    Lead,
    MeanCell,
    Rows,
    TableColumn,
    TablePart,
    TableRow,
    best_rows,
    leaders,
    paired,
)

MANY = 6
"""With more sets than this, the table folds single corrupted sets away."""


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
        "score: both judge all probabilities, not the predicted class alone. A mean over corrupted "
        "sets is, for each run, the mean of its figure on each set.",
        folded_parts="Each corrupted set" if any(part.folded for part in parts) else None,
    )


def shown_sets(comparison: Comparison) -> list[Where]:
    """The sets whose tables are not folded away."""
    few = len(comparison.sets) <= MANY
    return comparison.sets if few else findings.headline_sets(comparison)


def winners(comparison: Comparison) -> ComparisonTable:
    """Which subject is best, by measure and set, and on how many paired seeds it is ahead."""
    titles = set_titles(comparison.sets)
    several = bool(comparison.several)
    rows = [
        TableRow(
            titles[where],
            cells=[_leader(comparison, one) for _, one in findings.leads(comparison, where)],
        )
        for where in shown_sets(comparison)
    ]
    ahead = "; n/N: it is ahead of the second best on n of the N seeds they share"
    return ComparisonTable(
        title="Who is best at what",
        columns=[TableColumn(column.title) for column in COLUMNS],
        parts=[TablePart("", rows=rows)],
        note=f"The method with the best mean{ahead}."
        if several
        else "The method with the best value.",
        head="Set",
    )


def by_seed(comparison: Comparison) -> ComparisonTable:
    """A row a seed with each subject's value, the best marked where all have the seed.

    Many sets would make a page of their own: then only those that the tables show.
    """
    titles, shown = set_titles(comparison.sets), shown_sets(comparison)
    every = sorted({seeds for one in comparison.subjects for seeds in one.seeds})
    shared = paired([one.seeds for one in comparison.subjects])
    parts = []
    for where in shown:
        for column in COLUMNS:
            values = [
                dict(zip(one.seeds, one.measures[where][column.measure].values, strict=True))
                for one in comparison.subjects
            ]
            rows = [_seed_row(seeds, values, column, seeds in shared) for seeds in every]
            title = f"{titles[where]}: {column.title} ({column.unit})"
            parts.append(TablePart(title, rows=rows))
    notes = []
    if len(comparison.subjects) > 1:
        notes.append("Bold: the best of a row, where all methods have the seed.")
    if len(shown) < len(comparison.sets):
        notes.append("Each corrupted set's values are in figures.json.")
    return ComparisonTable(
        columns=[
            TableColumn(one.name.short, method=i) for i, one in enumerate(comparison.subjects)
        ],
        parts=parts,
        note=" ".join(notes),
        head="Seed",
        folded="Every seed's values, paired by seed",
    )


def gaps(comparison: Comparison) -> ComparisonTable:
    """Confidence minus accuracy by level, and over the least robust of them."""
    level_gap, size = replace(GAP, digits=1), replace(GAP, measure="size")
    weakest = min(WEAKEST, comparison.R)
    least = f"Levels 1 to {weakest}" if weakest > 1 else "Levels 1"
    rows = []
    for i, one in enumerate(comparison.subjects):
        means = [Spread((value,)) for value in one.levels.gap.mean(dim=0).tolist()]
        cells = [level_gap.cell(spread) for spread in means]
        cells += [GAP.cell(one.levels.weakest_gap), size.cell(one.levels.gap_size)]
        rows.append(TableRow(one.name.short, method=i, cells=cells))
    levels = [TableColumn(str(r + 1), tinted=True) for r in range(comparison.R)]
    return ComparisonTable(
        title="Confidence − accuracy by level, in points",
        columns=[*levels, TableColumn(least), TableColumn("Mean size")],
        parts=[TablePart("", rows=rows)],
        note="Level 1 is the least robust. Above 0 (orange) is over-confident, below 0 (blue) "
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


def _leader(comparison: Comparison, one: Lead) -> MeanCell:
    first, *tied = one.best
    if tied:
        return {**_said("tie"), "methods": list(one.best)}
    share = f"{one.ahead}/{one.pairs}" if one.pairs > 1 else ""
    leader = _said(comparison.subjects[first].name.short)
    return {**leader, "methods": [first], "small": share}


def _seed_row(
    seeds: tuple[int, ...],
    values: Sequence[dict[tuple[int, ...], float]],
    column: Column,
    comparable: bool,
) -> TableRow:
    best = leaders(column, [Spread((cell[seeds],)) for cell in values]) if comparable else set()
    cells = [
        column.cell(Spread((cell[seeds],)), i in best) if seeds in cell else _said("–")
        for i, cell in enumerate(values)
    ]
    return TableRow(" + ".join(map(str, seeds)), cells=cells)


def _said(text: str) -> MeanCell:
    return {"text": text, "mean": None, "deviation": None, "best": False}
