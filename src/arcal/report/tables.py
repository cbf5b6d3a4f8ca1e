"""The numbers of the report's tables: each measure of each subject on each set, over its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NotRequired, TypedDict

import torch

from arcal.auditing import (
    CLEAN,
    MEASURES,
    OVER_SHIFT,
    EvaluationSet,
    OverShift,
    Separation,
    Spread,
    Subject,
)
from arcal.errors import ArcalError

Rows = Mapping[str, Spread]
"""A subject's measures on one set."""


class MeanCell(TypedDict):
    """A cell as the tables show it.

    `mean` and `deviation` over the runs are those of the unscaled figure, or None without a figure;
    `best` says whether it leads. The marks of `methods`, which are subjects by number, come before
    the text, and `small` comes after it.
    """

    text: str
    mean: float | None
    deviation: float | None
    best: bool
    methods: NotRequired[list[int]]
    small: NotRequired[str]


@dataclass(frozen=True)
class TableColumn:
    """The head of a column.

    `words` has the unit and direction, and `method` is the number of the column's subject, if any.
    A `tinted` column shows the sign and size of its gaps as colour.
    """

    title: str
    words: str = ""
    method: int | None = None
    tinted: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row; `method` is the number of its subject, if any."""

    name: str
    words: str = ""
    method: int | None = None
    cells: list[MeanCell] = field(kw_only=True)


@dataclass(frozen=True)
class TablePart:
    """Rows under a heading, which is empty if there is one part; `folded` rows show on demand."""

    title: str
    folded: bool = False
    rows: list[TableRow] = field(kw_only=True)


@dataclass(frozen=True, kw_only=True)
class ComparisonTable:
    """A table; `head` is the title of its rows' names.

    `folded` is the text to click to see the table, and `folded_parts` the same for its folded
    parts; each is None if nothing is folded.
    """

    title: str = ""
    head: str = "Method"
    columns: list[TableColumn]
    parts: list[TablePart]
    note: str = ""
    folded: str | None = None
    folded_parts: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonPicture:
    """A picture, its `alt` text, a short title (`lead`), and its caption.

    The caption continues the lead, and starts with the space or comma between them. `image` is the
    picture's `data:` address, which `sections` fills in by its name.
    """

    name: str
    alt: str
    lead: str = ""
    caption: str = ""
    width: Literal["wide", "narrow"] = "wide"
    image: str = ""


@dataclass(frozen=True)
class ComparisonSection:
    """Pictures, and tables below them. On the page the `id` begins with `over-seeds-`."""

    id: str
    title: str
    pictures: list[ComparisonPicture] = field(default_factory=list)
    tables: list[ComparisonTable] = field(default_factory=list)
    note: str = ""


class Best(StrEnum):
    """Which values of a measure are best, and the sign for it in tables."""

    HIGH = "↑"
    LOW = "↓"
    ZERO = "→ 0"


@dataclass(frozen=True)
class Column:
    """A measure as the tables show it: times `scale`, with this number of `digits`.

    `best` is None for a measure without a best.
    """

    measure: str
    title: str
    unit: str
    best: Best | None = None
    scale: float = 100.0
    digits: int = 2

    @property
    def words(self) -> str:
        """Its unit, and the sign for its best values."""
        return f"{self.unit} {self.best}" if self.best else self.unit

    @property
    def head(self) -> TableColumn:
        """The column's head in a table."""
        return TableColumn(self.title, self.words)

    def show(self, value: float) -> str:
        """One value; a gap other than zero always has its sign."""
        text = f"{abs(value) * self.scale:.{self.digits}f}"
        if float(text) == 0:
            return text
        return ("−" if value < 0 else "+" if self.measure == "gap" else "") + text

    def show_spread(self, spread: Spread) -> str:
        """Mean ± deviation, or the mean alone for one run."""
        if spread.deviation is None:
            return self.show(spread.mean)
        return f"{self.show(spread.mean)} ± {spread.deviation * self.scale:.{self.digits}f}"

    def cell(self, spread: Spread, best: bool = False) -> MeanCell:
        """The cell of a figure; `best` says whether it leads."""
        text = self.show_spread(spread)
        return {"text": text, "mean": spread.mean, "deviation": spread.deviation, "best": best}

    def characters(self, rows: Sequence[Rows]) -> int:
        """The width in characters: of the two lines of heading and each subject's entry."""
        entries = (self.show_spread(row[self.measure]) for row in rows)
        return max(map(len, (self.title, self.words, *entries)))

    def badness(self, value: float) -> float:
        """How bad a value is: lower is better, whatever the measure's direction."""
        if self.best is Best.HIGH:
            return -value
        return abs(value) if self.best is Best.ZERO else value


COLUMNS = (
    Column("accuracy", "Accuracy", "%", Best.HIGH),
    Column("ece", "ECE", "×10⁻²", Best.LOW),
    Column("nll", "NLL", "nats", Best.LOW, scale=1.0, digits=3),
    Column("brier", "Brier", "×10⁻²", Best.LOW),
    Column("aurc", "AURC", "×10⁻²", Best.LOW),
    Column("gap", "Gap", "points", Best.ZERO),
)
ACCURACY, ECE, GAP = COLUMNS[0], COLUMNS[1], COLUMNS[-1]
SEPARATION = (
    Column("auroc_confidence", "By confidence", "AUROC", Best.HIGH, scale=1.0, digits=3),
    Column("auroc_entropy", "By entropy", "AUROC", Best.HIGH, scale=1.0, digits=3),
)
"""How well other data are told from the test images."""


def measures_by_set(subject: Subject) -> dict[EvaluationSet | OverShift, Rows]:
    """A subject's measures: on the clean test set first, then the mean over shift, then others.

    The mean over shift is, for each run, the mean of the measures on the corrupted test sets, not
    the measure on the pooled sets; it is there if there are two or more such sets.
    """
    runs = {where: measures.runs for where, measures in subject.measures.items()}
    by_set: dict[EvaluationSet | OverShift, Sequence[Mapping[str, float]]] = {
        CLEAN: runs.pop(CLEAN)
    }
    shifted = [figures for where, figures in runs.items() if where.is_shifted]
    if len(shifted) > 1:
        by_set[OVER_SHIFT] = [
            {m: Spread(tuple(figures[m] for figures in run)).mean for m in MEASURES}
            for run in zip(*shifted, strict=True)
        ]
    by_set |= runs
    return {
        where: {m: Spread(tuple(run[m] for run in figures)) for m in MEASURES}
        for where, figures in by_set.items()
    }


def separations(models: Sequence[Separation]) -> Rows:
    """The AUROC of each of these models on other data."""
    return {
        column.measure: Spread(tuple(getattr(model, column.measure) for model in models))
        for column in SEPARATION
    }


@dataclass(frozen=True)
class Lead:
    """Which subject has the best mean of one measure on one set, and how often it is ahead.

    `best` are the positions of all subjects with that mean: one, unless some tie. `second` is the
    position of the next best mean, or None if all tie. The (first) best and the second share
    `pairs` seeds, and the best is strictly ahead on `ahead` of them.
    """

    best: tuple[int, ...]
    second: int | None
    ahead: int
    pairs: int


Seeds = Sequence[tuple[int, ...]]
"""The seeds of a subject's runs."""


def lead(column: Column, spreads: Sequence[Spread], seeds: Sequence[Seeds]) -> Lead:
    """Compare subjects, paired by seed; each has one spread and its runs' seeds."""
    badness = [column.badness(spread.mean) for spread in spreads]
    ranking = sorted(range(len(spreads)), key=badness.__getitem__)
    best = tuple(i for i in ranking if badness[i] == badness[ranking[0]])
    if len(best) == len(ranking):
        return Lead(best, None, 0, 0)
    second = ranking[len(best)]
    pairs = paired([seeds[best[0]], seeds[second]])
    ours, others = (dict(zip(seeds[i], spreads[i].values, strict=True)) for i in (best[0], second))
    ahead = sum(column.badness(ours[seed]) < column.badness(others[seed]) for seed in pairs)
    return Lead(best, second, ahead, len(pairs))


def paired(seeds: Sequence[Seeds]) -> list[tuple[int, ...]]:
    """The seeds that all subjects have, ascending."""
    return sorted(set.intersection(*map(set, seeds)))


def check_comparable(subjects: Sequence[Subject]) -> None:
    """Refuse subjects that were not evaluated on the same sets and the same images."""
    if not subjects:
        raise ArcalError("there is nothing to report: give the runs of at least one method")
    first = subjects[0]
    if CLEAN not in first.measures:
        raise ArcalError(f"{first.name} has no predictions on the clean test set: evaluate it")
    shown = next((one for one in subjects if one.clean), first)
    for other in subjects:
        if not other.seeds:
            raise ArcalError(f"{other.name} has no runs: leave it out")
        if other.measures.keys() != first.measures.keys():
            raise ArcalError(
                f"{other.name} and {first.name} were evaluated on different sets: use the same"
            )
        if [data.name for data in other.ood] != [data.name for data in first.ood]:
            raise ArcalError(
                f"{other.name} and {first.name} were evaluated on different other data: use one set"
            )
        for predictions in other.clean:
            if not torch.equal(predictions.ids, shown.clean[0].ids):
                raise ArcalError(
                    f"{other.name} and {shown.name} have different test images: use the same"
                )


def best_rows(rows: Sequence[Rows], columns: Sequence[Column] = COLUMNS) -> dict[str, set[int]]:
    """The positions of the subjects with the best mean, by measure; none if all are equal."""
    return {c.measure: leaders(c, [row[c.measure] for row in rows]) for c in columns}


def leaders(column: Column, spreads: Sequence[Spread]) -> set[int]:
    """The positions of the spreads with the best mean; none if all are equal."""
    badness = [column.badness(spread.mean) for spread in spreads]
    return {i for i, b in enumerate(badness) if b == min(badness) < max(badness)}
