"""The tables that `arcal evaluate` prints, in Markdown for a page and in LaTeX for a paper."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from arcal.auditing import Subject
from arcal.report.names import name_subjects, set_titles
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

LATEX = {
    "\\": r"\textbackslash{}",
    **{one: f"\\{one}" for one in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "⁻²": "$^{-2}$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    "α": r"$\alpha$",
    "γ": r"$\gamma$",
    "ε": r"$\varepsilon$",
    "σ": r"$\sigma$",
}
"""Characters that LaTeX treats specially, or cannot read."""


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


def markdown_tables(subjects: Sequence[Subject]) -> str:
    r"""All tables in GitHub's Markdown; the best of each column is bold.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> sure = as_predictions(probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 1])
    >>> print(markdown_tables([Subject.from_predictions("a|b", {CLEAN: [sure]})]).splitlines()[-1])
    | a\|b | 100.00 | 25.00 | 0.288 | 12.50 | 0.00 | −25.00 |
    """
    names = [in_markdown(name.short) for name in name_subjects(subjects)]
    parts = []
    for table in printed_tables(subjects):
        heads = ["Method", *(f"{one.title}, {one.words}" for one in table.columns)]
        lines = [f"**{in_markdown(table.title)}**", "", _row(heads)]
        lines.append(_row(["---", *["---:"] * len(table.columns)]))
        cells = table.cells(lambda text: f"**{text}**", str)
        lines += [_row([name, *row]) for name, row in zip(names, cells, strict=True)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def latex_tables(subjects: Sequence[Subject]) -> str:
    r"""All tables as LaTeX `tabular`s with the package booktabs; the best of each column is bold.

    >>> from arcal.auditing import CLEAN, as_predictions
    >>> sure = as_predictions(probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 1])
    >>> print(latex_tables([Subject.from_predictions("a_b", {CLEAN: [sure]})]).splitlines()[-3])
    a\_b & 100.00 & 25.00 & 0.288 & 12.50 & 0.00 & $-$25.00 \\
    """
    names = [_latex(name.short) for name in name_subjects(subjects)]
    parts = ["% \\usepackage{booktabs}"]
    for table in printed_tables(subjects):
        titles = ["Method", *(_latex(one.title) for one in table.columns)]
        units = ["", *(_latex(one.words) for one in table.columns)]
        cells = table.cells(lambda text: rf"\textbf{{{_latex(text)}}}", _latex)
        rows = [[name, *row] for name, row in zip(names, cells, strict=True)]
        lines = [f"% {table.title}", rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}"]
        lines += [r"\toprule", *(f"{' & '.join(row)} \\\\" for row in (titles, units))]
        lines += [r"\midrule", *(f"{' & '.join(row)} \\\\" for row in rows)]
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    return "\n\n".join(parts)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def in_markdown(text: str) -> str:
    r"""Text escaped so that Markdown shows it unchanged, on one line.

    >>> in_markdown("a_b | #3")
    'a\\_b \\| \\#3'
    """
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in text.replace("\n", " "))


def _latex(text: str) -> str:
    return re.sub("|".join(map(re.escape, LATEX)), lambda match: LATEX[match[0]], text)
