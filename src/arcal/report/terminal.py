"""What `arcal evaluate` prints: a table for each set, or a record for each run and set."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from arcal.evaluation import MethodRuns
from arcal.report.names import name_methods
from arcal.report.tables import (
    COLUMNS,
    SEPARATION,
    Column,
    Rows,
    best_of,
    check_comparable,
    measures_of,
    separation_of,
    titles_of_sets,
)

NAME = 9
"""Characters that a method's name has in a printed table, at least; longer ones are wrapped."""


def as_records(runs: list[MethodRuns]) -> list[dict[str, Any]]:
    """One record for each run and set: method, seeds, set and its measures; not finite is None.

    Of other data the measures are the two AUROC.
    """
    by_set = [
        (of_method, name, found)
        for of_method in runs
        for name, found in (
            *of_method.figures.items(),
            *((other.name, [asdict(run) for run in other.runs]) for other in of_method.ood),
        )
    ]
    return [
        {"method": of_method.label, "seeds": list(seeds), "set": name}
        | {m: value if math.isfinite(value) else None for m, value in found.items()}
        for of_method, name, of_runs in by_set
        for seeds, found in zip(of_method.seeds, of_runs, strict=True)
    ]


def print_table(runs: list[MethodRuns], console: Console | None = None) -> None:
    """Print mean ± deviation over runs of every measure, method and set; the best is bold."""
    check_comparable(runs)
    by_method = [measures_of(of_method) for of_method in runs]
    names = name_methods([of_method.label for of_method in runs])
    console = console or Console()
    for name, of_method in zip(names, runs, strict=True):
        n = len(of_method.seeds)
        console.print(Text(f"{name.title}: {n} {'run' if n == 1 else 'runs'}"))
    short = [name.short for name in names]
    for at, words in titles_of_sets(list(by_method[0])).items():
        _print(console, words, COLUMNS, short, [of_method[at] for of_method in by_method])
    for i, other in enumerate(runs[0].ood):
        rows = [separation_of(of_method.ood[i].runs) for of_method in runs]
        _print(console, f"Test images told from {other.name}", SEPARATION, short, rows)


def _print(
    console: Console, title: str, columns: Sequence[Column], names: list[str], rows: list[Rows]
) -> None:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Method", min_width=NAME)
    for column in columns:
        header = f"{column.title}\n{column.unit} {column.best}"
        table.add_column(header, justify="right", no_wrap=True)
    best = best_of(rows, columns)
    for i, row in enumerate(rows):
        cells = [
            Text(c.show_spread(row[c.measure]), "bold" if i in best.get(c.measure, ()) else "")
            for c in columns
        ]
        table.add_row(Text(names[i]), *cells)
    numbers = [column.characters(rows) + 2 for column in columns]
    console.width = max(console.width, NAME + 3 + sum(numbers))  # or numbers would be cut
    console.print(table)
