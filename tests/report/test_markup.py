"""Tables to paste: the figures of the printed ones, and nothing that Markdown or LaTeX misreads."""

import dataclasses
import re

from arcal.auditing import CLEAN, shift_sets
from arcal.report.markup import latex_tables, markdown_tables, printed_tables
from arcal.report.tables import COLUMNS, best_rows, measures_by_set

(FOG,) = shift_sets(["fog-1"])
NASTY = r"50%_of A&B {x} ~^ #1 $a$ \end|*b*"


def subjects(maker):
    mine = dataclasses.replace(
        maker.subject(gap=-0.1, sets=[FOG], ood=["set_2"]), name=NASTY, method=None
    )
    return [maker.subject(sets=[FOG], ood=["set_2"]), mine]


def shown(subject, where):
    rows = measures_by_set(subject)[where]
    return [column.show_spread(rows[column.measure]) for column in COLUMNS]


def test_markdown_has_a_table_a_set_with_the_figures_of_the_terminal(maker):
    both = subjects(maker)
    parts = markdown_tables(both).split("\n\n")
    assert len(parts) == 2 * len(list(printed_tables(both)))
    for title, table, where in zip(parts[::2], parts[1::2], (CLEAN, FOG), strict=False):
        assert title.startswith("**")
        head, line, *rows = table.splitlines()
        assert head.split(" | ")[1:3] == ["Accuracy, % ↑", "ECE, ×10⁻² ↓"]
        assert set(line) <= set("| -:")
        for subject, row in zip(both, rows, strict=True):
            cells = re.split(r"(?<!\\)\|", row)[1:-1]
            assert [cell.strip(" *") for cell in cells[1:]] == shown(subject, where)
        best = best_rows([measures_by_set(subject)[where] for subject in both])
        assert sum(row.count("**") for row in rows) == 2 * sum(map(len, best.values())) > 0
    assert r"\|\*b\*" in markdown_tables(both)


def test_latex_has_the_same_figures_and_no_letter_that_it_does_not_know(maker):
    both = subjects(maker)
    text = latex_tables(both)
    assert text.isascii()
    assert text.count(r"\begin{tabular}{lrrrrrr}") == 2
    assert text.count(r"\begin{tabular}{lrr}") == text.count("told from set_2") == 1
    for table in text.split("\n\n")[1:]:
        title, begin, top, names, units, middle, *rows, bottom, end = table.splitlines()
        assert title.startswith("% ")
        assert (top, middle, bottom, end[:4]) == (r"\toprule", r"\midrule", r"\bottomrule", r"\end")
        for row in (names, units, *rows):
            assert row.endswith(r" \\")
            assert len(re.findall(r"(?<!\\)&", row)) == begin.count("r") - begin.count("tabular")
            assert len(re.findall(r"(?<!\\)\$", row)) % 2 == 0
            assert not re.search(r"(?<!\\)[%#_](?!\{)", row.replace("^{", ""))
    first = text.split("\n\n")[1]
    for cell in shown(both[0], CLEAN):
        assert cell.replace("±", r"$\pm$").replace("−", "$-$") in first
    assert r"$\times$10$^{-2}$ $\downarrow$" in first
    assert r"50\%\_of A\&B \{x\} \textasciitilde{}\textasciicircum{}" in text
