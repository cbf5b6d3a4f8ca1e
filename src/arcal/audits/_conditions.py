"""Conditions on an audit's figures, such as `ece>0.05`, under which a build should fail."""

import difflib
import math
import operator
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from arcal.auditing import RANGES
from arcal.errors import ArcalError

_FORM = re.compile(r"^\s*([A-Za-z_][^<>=]*?)\s*(>=|<=|>|<)\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*$")
_LEVEL = re.compile(r"(level_\d+|least_robust|most_robust)\b")
_SIGNS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


@dataclass(frozen=True)
class Condition:
    """A figure, by its name in `Audit.figures`, that must not be above or below a number."""

    figure: str
    sign: str
    number: float

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """A condition written as FIGURE>NUMBER, FIGURE>=NUMBER, FIGURE<NUMBER or FIGURE<=NUMBER."""
        if match := _FORM.match(text):
            with suppress(ValueError):  # such as 0.5.1
                return cls(match[1], match[2], float(match[3]))
        raise ArcalError(
            f"--fail-if {text!r} is not a condition: write FIGURE>NUMBER in quotation marks, such "
            'as "ece>0.05": without them the shell takes > for itself'
        )

    def __str__(self) -> str:
        return f"{self.figure}{self.sign}{self.number:g}"

    def holds(self, figures: Mapping[str, float]) -> bool:
        """Whether the condition holds; a missing or unknown figure raises `ArcalError`.

        A figure is unknown (nan) if no input belongs to it, such as the gap of a class that is
        never predicted, or if the log-loss is infinite.
        """
        self.check(figures)
        if math.isnan(figures[self.figure]):
            raise ArcalError(
                f"--fail-if {self}: {self.figure} has no value, as no input belongs to it or the "
                "log-loss is infinite: leave the condition out"
            )
        return _SIGNS[self.sign](figures[self.figure], self.number)

    def check(self, figures: Collection[str]) -> None:
        """Refuse a figure not among these, and a number that makes the condition trivial."""
        if self.figure not in figures:
            raise ArcalError(
                f"--fail-if {self}: there is no figure {self.figure!r}; "
                f"{_why_not(self.figure, figures)}"
            )
        name = re.sub(r"\.(low|high)$", "", self.figure)
        last = name.rpartition(".")[2]
        name = f"difference.{last}" if name.startswith("changes.") else name
        name = name if name in RANGES else last
        low, high = RANGES.get(name, (-math.inf, math.inf))
        never = {">": high, "<": low}.get(self.sign)
        if not low <= self.number <= high or self.number == never:
            raise ArcalError(
                f"--fail-if {self}: {self.figure} lies between {low:g} and {high:g}, so this "
                "always or never holds; write points as hundredths: 5 points are 0.05"
            )


def _why_not(figure: str, figures: Collection[str]) -> str:
    """Why there is no such figure, or else the figures that there are."""
    if figure.startswith("difference.") and not _has("difference", figures):
        return "a difference needs two models: name the one to compare with first"
    if figure.startswith("changes.") and not _has("changes", figures):
        return "changes need an earlier audit: name it with --against"
    if figure.startswith("unlabelled.") and not _has("unlabelled", figures):
        return "`arcal calibrate` with --unlabelled has the figures of inputs without labels"
    group = re.sub(r"\.(low|high)$", "", figure).rpartition(".")[0]
    if _LEVEL.match(group) and not any(map(_LEVEL.match, figures)):
        return "there are no levels unless --order ranks the inputs"
    if f"{group}.n" in figures and ".ece" in figure.removeprefix(group):
        n = f", {figures[f'{group}.n']:g}" if isinstance(figures, Mapping) else ""
        return f"{group} has too few inputs for it{n}"
    near = difflib.get_close_matches(figure, figures, n=3, cutoff=0.5)
    some = [name for name in sorted(figures) if "." not in name]  # not the class.NAME.ece
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(some)}"


def failures(
    conditions: Sequence[Condition], figures: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """One line per condition that holds for a model; `figures` are by the models' names.

    Differences are from the first model, which has none itself, and only models that were audited
    before have changes.
    """

    def left_out(figure: str, model: Mapping[str, float]) -> bool:
        """Whether only other models have figures of this kind."""
        kind = figure.partition(".")[0]
        some = kind in ("difference", "changes") and any(
            _has(kind, one) for one in figures.values()
        )
        return some and not _has(kind, model)

    return [
        f"{name}: {condition.figure} is {model[condition.figure]:.4g}, so {condition} holds"
        for name, model in figures.items()
        for condition in conditions
        if not left_out(condition.figure, model) and condition.holds(model)
    ]


def _has(kind: str, figures: Collection[str]) -> bool:
    return any(name.startswith(f"{kind}.") for name in figures)
