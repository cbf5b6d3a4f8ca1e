"""The tables that `arcal evaluate` prints, and text in Markdown."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from arcal.auditing import Subject
from arcal.report.names import set_titles
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

T = TypeVar("T")


@dataclass(frozen=True)
class PrintedTable:
    """A table for one set: one row per subject, with the measures of the columns."""

    title: str
    columns: Sequence[Column]
    rows: list[Rows]

    def cells(self, bold: Callable[[str], T], plain: Callable[[str], T]) -> list[list[T]]:
        """The cells row by row, mean ± deviation; the best of each column are `bold`."""
        best = best_rows(self.rows, self.columns)
        return [
            [
                (bold if i in best[one.measure] else plain)(one.show_spread(row[one.measure]))
                for one in self.columns
            ]
            for i, row in enumerate(self.rows)
        ]


def printed_tables(subjects: Sequence[Subject]) -> Iterator[PrintedTable]:
    """One table for each set that subjects were evaluated on, then one for each other data set."""
    check_comparable(subjects)
    measures = [measures_by_set(subject) for subject in subjects]
    for where, words in set_titles(list(measures[0])).items():
        yield PrintedTable(words, COLUMNS, [by_set[where] for by_set in measures])
    for i, other in enumerate(subjects[0].ood):
        rows = [separations(subject.ood[i].runs) for subject in subjects]
        yield PrintedTable(f"Test images told from {other.name}", SEPARATION, rows)


def in_markdown(text: str) -> str:
    r"""Text escaped so that Markdown shows it unchanged, on one line.

    >>> in_markdown("a_b | #3")
    'a\\_b \\| \\#3'
    """
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in text.replace("\n", " "))
