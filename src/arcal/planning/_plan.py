"""A plan: quantities of a job that has not run, each with the formula it comes from."""

import math
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

HOUR = 3600

PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


@dataclass(frozen=True)
class Line:
    """One quantity: its value in `unit`, and the formula, in the names of other lines, or what
    says so.

    Units are FLOP, FLOP/s, B, h, s, or nothing for a number.

    >>> Line("operations", 4.1e18, "FLOP", "inputs x pass").shown
    '4.10 EFLOP'
    >>> [Line("", value, unit, "").shown for value, unit in ((0.5, "h"), (26.25, ""), (1e6, ""))]
    ['30.0 min', '26.2', '1,000,000']
    """

    name: str
    value: float
    unit: str
    formula: str

    @property
    def shown(self) -> str:
        """The value as people read it: three digits, and whole numbers whole."""
        if self.unit == "h":
            return _time(self.value * HOUR)
        if self.unit == "s":
            return _time(self.value)
        if not self.unit:
            whole = self.value >= 1000 or self.value == int(self.value)
            return f"{self.value:,.0f}" if whole else f"{self.value:.3g}"
        power = int(math.log10(self.value) / 3 + 1e-12) if self.value >= 1 else 0
        power = min(power, len(PREFIXES) - 1)
        return f"{_three(self.value / 1000**power)} {PREFIXES[power]}{self.unit}"


def _time(seconds: float) -> str:
    if seconds >= HOUR:
        return f"{_three(seconds / HOUR)} h"
    return f"{_three(seconds / 60)} min" if seconds >= 60 else f"{_three(seconds)} s"


def _three(value: float) -> str:
    """Three digits, or all that are before the point."""
    if not value:
        return "0"
    after = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{after}f}" if after < 6 else f"{value:.3g}"


@dataclass(frozen=True)
class Plan:
    """What a job takes, line by line.

    >>> plan = Plan("score net", [Line("inputs", 1000, "", "given")])
    >>> plan["inputs"]
    1000
    >>> print(plan.text(60))
    score net
    <BLANKLINE>
      inputs  1,000    given
    """

    title: str
    lines: Sequence[Line]

    def __getitem__(self, name: str) -> float:
        """The value of the line of this name."""
        return next(line.value for line in self.lines if line.name == name)

    def as_json(self) -> dict[str, Any]:
        """All of it, with values as they are."""
        return {"title": self.title, "lines": [asdict(line) for line in self.lines]}

    def text(self, width: int | None = None) -> str:
        """A table of plain text: name, value and formula, which is continued below itself."""
        width = width or shutil.get_terminal_size().columns
        names = max(len(line.name) for line in self.lines)
        values = max(len(line.shown) for line in self.lines)
        indent = 2 + names + 2 + values + 4
        rows = [self.title, ""]
        for line in self.lines:
            first = f"  {line.name:<{names}}  {line.shown:>{values}}    "
            formula = textwrap.wrap(line.formula, max(20, width - indent)) or [""]
            rows += [f"{first}{formula[0]}", *(" " * indent + more for more in formula[1:])]
        return "\n".join(row.rstrip() for row in rows)
