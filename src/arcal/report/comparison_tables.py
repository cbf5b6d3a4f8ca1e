"""The tables of several subjects as values: what each cell says, what leads, what is folded."""

from collections.abc import Sequence
from dataclasses import replace

from arcal.auditing import WEAKEST, Spread
from arcal.report import findings
from arcal.report.comparison import Comparison
from arcal.report.comparison_types import (
    ComparisonTable,
    MeanCell,
    TableColumn,
    TablePart,
    TableRow,
)
from arcal.report.grids import Grid
from arcal.report.names import Where, set_titles
from arcal.report.tables import COLUMNS, GAP, Column, Lead, Rows, best_rows, paired

MANY = 6
"""With more sets than this, the table folds single corrupted sets away."""


def measures(comparison: Comparison) -> ComparisonTable:
    """Every measure of every subject on every set; many single corrupted sets are folded away."""
    titles, shown = set_titles(comparison.sets), shown_sets(comparison)
    parts = [
        _part(titles[where], _rows_of_set(comparison, where), where not in shown)
        for where in comparison.sets
    ]
    bold = "Bold: the best mean of a set. " if len(comparison.subjects) > 1 else ""
    return _table(
        "",
        [_column("Runs"), *(_column(c.title, f"{c.unit} {c.best}") for c in COLUMNS)],
        parts,
        f"{bold}↑ higher is better, ↓ lower is better, → 0 closer to zero is better. Gap: "
        "confidence − accuracy, above 0 is over-confident. NLL: negative log-likelihood, and Brier "
        "score: both judge all probabilities, not the predicted class alone. A mean over corrupted "
        "sets is, for each run, the mean of its figure on each set.",
        folded_parts="Each corrupted set" if any(part["folded"] for part in parts) else None,
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
        _row(
            titles[where],
            [_leader(comparison, one) for _, one in findings.leads(comparison, where)],
        )
        for where in shown_sets(comparison)
    ]
    ahead = "; n/N: it is ahead of the second best on n of the N seeds they share"
    return _table(
        "Who is best at what",
        [_column(column.title) for column in COLUMNS],
        [_part("", rows)],
        f"The method with the best mean{ahead}." if several else "The method with the best value.",
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
            parts.append(_part(f"{titles[where]}: {column.title} ({column.unit})", rows))
    notes = []
    if len(comparison.subjects) > 1:
        notes.append("Bold: the best of a row, where all methods have the seed.")
    if len(shown) < len(comparison.sets):
        notes.append("Each corrupted set's values are in figures.json.")
    return _table(
        "",
        [_column(one.name.short, method=i) for i, one in enumerate(comparison.subjects)],
        parts,
        " ".join(notes),
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
        cells = [_cell(level_gap, spread) for spread in means]
        cells += [_cell(GAP, one.levels.weakest_gap), _cell(size, one.levels.gap_size)]
        rows.append(_row(one.name.short, cells, method=i))
    levels = [_column(str(r + 1), tinted=True) for r in range(comparison.R)]
    return _table(
        "Confidence − accuracy by level, in points",
        [*levels, _column(least), _column("Mean size")],
        [_part("", rows)],
        "Level 1 is the least robust. Above 0 (orange) is over-confident, below 0 (blue) "
        f"under-confident. Means over runs. {least}: the mean over the least robust, in which gaps "
        "of opposite sign cancel. Mean size: over all levels, without the sign.",
    )


def from_grid(
    comparison: Comparison, grid: Grid, note: str = "", title: str = ""
) -> ComparisonTable:
    """A table whose rows are subjects, under headings."""
    numbers = {id(one.name): i for i, one in enumerate(comparison.subjects)}
    parts = [
        _part(
            heading,
            [
                _row(
                    row.name.short,
                    [
                        _mean_cell(text, spread, k in row.best)
                        for k, (text, spread) in enumerate(zip(row.cells, row.spreads, strict=True))
                    ],
                    method=numbers[id(row.name)],
                )
                for row in rows
            ],
        )
        for heading, rows in grid.parts
    ]
    return _table(title, [_column(*head) for head in grid.head], parts, note)


def _rows_of_set(comparison: Comparison, where: Where) -> list[TableRow]:
    rows: list[Rows] = comparison.rows(where)
    best = best_rows(rows)
    made = []
    for i, (one, row) in enumerate(zip(comparison.subjects, rows, strict=True)):
        cells = [
            _cell(column, row[column.measure], i in best[column.measure]) for column in COLUMNS
        ]
        runs = _said(str(len(one.seeds)))
        made.append(_row(one.name.kind, [runs, *cells], one.name.settings, i))
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
    badness = [column.badness(cell[seeds]) for cell in values if seeds in cell]
    cells = []
    for cell in values:
        if seeds not in cell:
            cells.append(_said("–"))
            continue
        best = comparable and column.badness(cell[seeds]) == min(badness) < max(badness)
        cells.append(_cell(column, Spread((cell[seeds],)), best))
    return _row(" + ".join(map(str, seeds)), cells)


def _cell(column: Column, spread: Spread, best: bool = False) -> MeanCell:
    return _mean_cell(column.show_spread(spread), spread, best)


def _mean_cell(text: str, spread: Spread, best: bool) -> MeanCell:
    return {"text": text, "mean": spread.mean, "deviation": spread.deviation, "best": best}


def _said(text: str) -> MeanCell:
    return {"text": text, "mean": None, "deviation": None, "best": False}


def _column(
    title: str, words: str = "", *, method: int | None = None, tinted: bool = False
) -> TableColumn:
    return {"title": title, "words": words, "method": method, "tinted": tinted}


def _row(name: str, cells: list[MeanCell], words: str = "", method: int | None = None) -> TableRow:
    return {"name": name, "words": words, "method": method, "cells": cells}


def _part(title: str, rows: list[TableRow], folded: bool = False) -> TablePart:
    return {"title": title, "folded": folded, "rows": rows}


def _table(
    title: str,
    columns: list[TableColumn],
    parts: list[TablePart],
    note: str,
    *,
    head: str = "Method",
    folded: str | None = None,
    folded_parts: str | None = None,
) -> ComparisonTable:
    return {
        "title": title,
        "head": head,
        "columns": columns,
        "parts": parts,
        "note": note,
        "folded": folded,
        "folded_parts": folded_parts,
    }
