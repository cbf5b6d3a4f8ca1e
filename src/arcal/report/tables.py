"""The numbers of the report's tables: each measure of each method on each set, over the seeds."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from arcal.errors import ArcalError
from arcal.evaluation import CLEAN, MEASURES, MethodRuns, Separation
from arcal.report.names import set_title

SHIFTED = "shifted"
"""Name of the mean over all corrupted test sets, which is not one set."""


@dataclass(frozen=True)
class Spread:
    """One figure of n runs, in the order of their seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return torch.tensor(self.values, dtype=torch.float64).mean().item()

    @property
    def deviation(self) -> float | None:
        """The standard deviation over runs, with n - 1; one run has none."""
        if len(self.values) < 2:
            return None
        return torch.tensor(self.values, dtype=torch.float64).std(correction=1).item()


@dataclass(frozen=True)
class Column:
    """A measure as the tables show it: times `scale`, with two or three `digits`.

    `best` is an arrow to where it is best.
    """

    measure: str
    title: str
    unit: str
    best: str
    scale: float = 100.0
    digits: int = 2

    def show(self, value: float) -> str:
        """One value; a gap always has its sign, except a zero."""
        text = f"{abs(value) * self.scale:.{self.digits}f}"
        if float(text) == 0:
            return text
        return ("−" if value < 0 else "+" if self.measure == "gap" else "") + text

    def show_spread(self, spread: Spread) -> str:
        """Mean ± deviation, or the mean alone for one run."""
        if spread.deviation is None:
            return self.show(spread.mean)
        return f"{self.show(spread.mean)} ± {spread.deviation * self.scale:.{self.digits}f}"

    def characters(self, rows: "list[Rows]") -> int:
        """Characters that the column takes: its two lines of heading and each method's entry."""
        heading = (self.title, f"{self.unit} {self.best}")
        return max(map(len, (*heading, *(self.show_spread(row[self.measure]) for row in rows))))

    def badness(self, value: float) -> float:
        """What is to be small: by its arrow minus the value, its size, or the value itself."""
        return {"↑": -value, "→ 0": abs(value)}.get(self.best, value)


COLUMNS = (
    Column("accuracy", "Accuracy", "%", "↑"),
    Column("ece", "ECE", "×10⁻²", "↓"),
    Column("nll", "NLL", "nats", "↓", scale=1.0, digits=3),
    Column("brier", "Brier", "×10⁻²", "↓"),
    Column("gap", "Gap", "points", "→ 0"),
)
ECE, GAP = COLUMNS[1], COLUMNS[-1]
SEPARATION = (
    Column("auroc_confidence", "By confidence", "AUROC", "↑", scale=1.0, digits=3),
    Column("auroc_entropy", "By entropy", "AUROC", "↑", scale=1.0, digits=3),
)
"""Of the images of another data set from the test images."""

Rows = dict[str, Spread]
"""A method's measures on one set."""


def measures_of(runs: MethodRuns) -> dict[str, Rows]:
    """A method's measures by set: the clean test set first, then the mean over shift, then others.

    The mean over shift is, for each run, the mean over the corrupted test sets of each set's
    measure, not the measure of their pool; it is there if there are two such sets or more.
    """
    names = [CLEAN, *(name for name in runs.figures if name != CLEAN)]
    by_set = {name: runs.figures[name] for name in names}
    shifted = [by_set[name] for name in names if name.startswith(f"{CLEAN}-")]
    if len(shifted) > 1:
        means = [
            {m: Spread(tuple(at[m] for at in of_run)).mean for m in MEASURES}
            for of_run in zip(*shifted, strict=True)
        ]
        by_set = {CLEAN: by_set.pop(CLEAN), SHIFTED: means, **by_set}
    return {
        name: {m: Spread(tuple(of_run[m] for of_run in found)) for m in MEASURES}
        for name, found in by_set.items()
    }


def separation_of(found: Sequence[Separation]) -> Rows:
    """The AUROC on other data of each of these models."""
    return {c.measure: Spread(tuple(getattr(one, c.measure) for one in found)) for c in SEPARATION}


def titles_of_sets(sets: list[str]) -> dict[str, str]:
    """The sets' names in words."""
    shifted = sum(name.startswith(f"{CLEAN}-") for name in sets)
    mean = f"Mean over the {shifted} corrupted test sets"
    return {name: mean if name == SHIFTED else set_title(name) for name in sets}


@dataclass(frozen=True)
class Lead:
    """Which method has the best mean of one measure on one set, and how often it is ahead.

    `best` are the positions of all methods with that mean: one, unless some tie. `second` has the
    next best mean, None if no method has. Of the `pairs` seeds that the (first) best and the second
    share, the best is strictly ahead on `ahead`.
    """

    best: tuple[int, ...]
    second: int | None
    ahead: int
    pairs: int


def lead(column: Column, spreads: list[Spread], seeds: list[list[tuple[int, ...]]]) -> Lead:
    """Compare methods, paired by seed: one spread and its runs' seeds for each."""
    badness = [column.badness(spread.mean) for spread in spreads]
    ranking = sorted(range(len(spreads)), key=badness.__getitem__)
    best = tuple(i for i in ranking if badness[i] == badness[ranking[0]])
    if len(best) == len(ranking):
        return Lead(best, None, 0, 0)
    second = ranking[len(best)]
    pairs = paired([seeds[best[0]], seeds[second]])
    of_best, of_second = (
        dict(zip(seeds[i], spreads[i].values, strict=True)) for i in (best[0], second)
    )
    ahead = sum(column.badness(of_best[s]) < column.badness(of_second[s]) for s in pairs)
    return Lead(best, second, ahead, len(pairs))


def paired(seeds: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
    """The seeds that all methods have, ascending."""
    return sorted(set.intersection(*(set(of_one) for of_one in seeds)))


def check_comparable(runs: list[MethodRuns]) -> None:
    """Refuse methods that were not evaluated on the same sets and the same images."""
    if not runs:
        raise ArcalError("there is nothing to report: give the runs of at least one method")
    first = runs[0]
    if CLEAN not in first.figures:
        raise ArcalError(f"{first.label} has no predictions on the clean test set: evaluate it")
    for other in runs:
        if not other.seeds:
            raise ArcalError(f"{other.label} has no runs: leave it out")
        if other.figures.keys() != first.figures.keys():
            raise ArcalError(f"{other.label} and {first.label} were evaluated on different sets")
        if [found.name for found in other.ood] != [found.name for found in first.ood]:
            raise ArcalError(f"{other.label} and {first.label} were shown different other data")
        for found in other.predictions:
            if not torch.equal(found.ids, first.predictions[0].ids):
                raise ArcalError(f"{other.label} and {first.label} have different test images")


def best_of(rows: list[Rows], columns: Sequence[Column] = COLUMNS) -> dict[str, tuple[int, ...]]:
    """For each measure the positions of the methods with the best mean; none if all have it."""
    best = {}
    for column in columns:
        badness = [column.badness(row[column.measure].mean) for row in rows]
        if min(badness) < max(badness):
            best[column.measure] = tuple(i for i, b in enumerate(badness) if b == min(badness))
    return best
