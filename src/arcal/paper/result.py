"""A reproduced table or figure: the paper's numbers beside ours, and what holds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from arcal.auditing import Spread


@dataclass(frozen=True)
class Cell:
    """The paper's number as printed, or None if it gives none, and ours over n runs.

    Ours is multiplied by `scale` and shown with `digits` digits after the point.
    """

    paper: str | None
    ours: Spread | None
    scale: float = 100.0
    digits: int = 2

    @property
    def text(self) -> str:
        """Ours as text, such as `6.43 ± 0.75`; a dash where it was not run."""
        if self.ours is None:
            return "–"
        mean = f"{self.scale * self.ours.mean:.{self.digits}f}"
        if self.ours.deviation is None:
            return mean
        return f"{mean} ± {self.scale * self.ours.deviation:.{self.digits}f}"


@dataclass(frozen=True)
class Claim:
    """Something the paper says, whether it holds here (None: undecided), and the figures."""

    text: str
    holds: bool | None
    because: str

    @property
    def verdict(self) -> str:
        return {True: "holds", False: "does not hold", None: "undecided"}[self.holds]


@dataclass(frozen=True)
class Table:
    """Rows of cells; `columns` name the cells, `rows` pair a name with its cells."""

    title: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]


@dataclass(frozen=True)
class Result:
    """The whole result of one table or figure of the paper at a scale."""

    name: str
    title: str
    notes: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    picture: Callable[[], Figure] | None = None
    claimed: str = "What the paper says"


def as_markdown(result: Result, scale: str) -> str:
    """The result as a page."""
    lines = [f"# {result.title}", "", f"`arcal reproduce {result.name} --scale {scale}`", ""]
    lines += [f"{note}\n" for note in result.notes]
    for table in result.tables:
        lines += ["", f"## {table.title}", "", "| | " + " | ".join(table.columns) + " |"]
        lines.append("|---" * (len(table.columns) + 1) + "|")
        for name, cells in table.rows:
            shown = [
                f"{cell.text} (paper {cell.paper})" if cell.paper else cell.text for cell in cells
            ]
            lines.append(f"| {name} | " + " | ".join(shown) + " |")
    if result.picture is not None:
        lines += ["", f"![{result.name}]({result.name}.svg)"]
    if result.claims:
        lines += ["", f"## {result.claimed}", "", "| claim | here | figures |", "|---|---|---|"]
        lines += [f"| {c.text} | **{c.verdict}** | {c.because} |" for c in result.claims]
    return "\n".join(lines) + "\n"


def as_json(result: Result) -> dict[str, Any]:
    """The result as JSON holds it; values are not scaled."""
    tables = []
    for table in result.tables:
        rows = [{"name": name, "cells": list(map(_cell, cells))} for name, cells in table.rows]
        tables.append({"title": table.title, "columns": table.columns, "rows": rows})
    return {
        "name": result.name,
        "title": result.title,
        "notes": result.notes,
        "tables": tables,
        "claims": [vars(claim) for claim in result.claims],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    paper, ours = {"paper": cell.paper}, cell.ours
    if ours is None:
        return paper
    return paper | {"mean": ours.mean, "deviation": ours.deviation, "values": list(ours.values)}
