"""What `arcal evaluate` prints: a table for each set, or a record for each run and set."""

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from arcal.auditing import Subject
from arcal.report.names import name_subjects, set_titles
from arcal.report.plain import plain
from arcal.report.tables import (
    COLUMNS,
    SEPARATION,
    Column,
    Rows,
    best_rows,
    check_comparable,
    measures_by_set,
    separations,
)

NAME = 9
"""Characters that a subject's name has in a printed table, at least; longer ones are wrapped."""


def as_records(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """One record for each run and set: method, seeds, set and its measures; not finite is None.

    Of other data the measures are the two AUROC.
    """
    by_set = [
        (subject, name, runs)
        for subject in subjects
        for name, runs in (
            *((where.name, measures.runs) for where, measures in subject.measures.items()),
            *((other.name, [vars(run) for run in other.runs]) for other in subject.ood),
        )
    ]
    return [
        plain({"method": subject.name, "seeds": seeds, "set": name, **figures})
        for subject, name, runs in by_set
        for seeds, figures in zip(subject.seeds, runs, strict=True)
    ]


def print_table(subjects: Sequence[Subject], console: Console | None = None) -> None:
    """Print mean ± deviation over runs of every measure, subject and set; the best is bold."""
    check_comparable(subjects)
    measures = [measures_by_set(subject) for subject in subjects]
    names = name_subjects(subjects)
    console = console or Console()
    for name, subject in zip(names, subjects, strict=True):
        n = len(subject.seeds)
        console.print(Text(f"{name.title}: {n} {'run' if n == 1 else 'runs'}"))
    short = [name.short for name in names]
    for where, words in set_titles(list(measures[0])).items():
        _print(console, words, COLUMNS, short, [by_set[where] for by_set in measures])
    for i, other in enumerate(subjects[0].ood):
        rows = [separations(subject.ood[i].runs) for subject in subjects]
        _print(console, f"Test images told from {other.name}", SEPARATION, short, rows)


def _print(
    console: Console, title: str, columns: Sequence[Column], names: list[str], rows: list[Rows]
) -> None:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Method", min_width=NAME)
    for column in columns:
        header = f"{column.title}\n{column.words}"
        table.add_column(header, justify="right", no_wrap=True)
    best = best_rows(rows, columns)
    for i, row in enumerate(rows):
        cells = [
            Text(c.show_spread(row[c.measure]), "bold" if i in best[c.measure] else "")
            for c in columns
        ]
        table.add_row(Text(names[i]), *cells)
    numbers = [column.characters(rows) + 2 for column in columns]
    console.width = max(console.width, NAME + 3 + sum(numbers))  # or numbers would be cut
    print_lines(table, console)


def print_lines(table: Table, console: Console) -> None:
    """Print a table, without the blanks at the ends of its lines where it goes to a file."""
    if console.is_terminal:
        console.print(table)
        return
    with console.capture() as lines:
        console.print(table)
    for line in lines.get().splitlines():
        console.out(line.rstrip(), highlight=False)
