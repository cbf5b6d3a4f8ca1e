"""Figures of runs as the items show them: on a set, by level, over types of corruption."""

from collections.abc import Iterable, Sequence

from arcal.auditing import (
    CLEAN,
    INTENSITIES,
    LevelFigures,
    Spread,
    Subject,
    figures_by_level,
    means,
    on_set,
    over_shift,
    over_types,
    without_extra,
)
from arcal.errors import ArcalError
from arcal.paper.result import Cell, Table
from arcal.report.marks import Mark
from arcal.report.plots import Boxes

NO_ENSEMBLE = "one seed has no ensemble"


def clean(subject: Subject, measure: str) -> Spread:
    """A measure of every run on the clean test set."""
    return Spread.from_tensor(on_set(subject, CLEAN, measure))


def shifted(subject: Subject, measure: str, types: Sequence[str] | None = None) -> Spread:
    """The mean of every run's measure over all corrupted sets, or over those of some types."""
    return Spread.from_tensor(over_shift(subject, measure, types))


def standard_types(subject: Subject) -> list[str]:
    """The types of corruption it was evaluated under, but for the four extra ones: up to 15."""
    return without_extra(list(over_types(subject, "ece")))


def clean_ensemble(subject: Subject, measure: str) -> Spread | None:
    """The measure of predictions averaged over runs, or lockstep members; None for one model."""
    if is_single(subject):
        return None
    return Spread.from_tensor(on_set(subject, CLEAN, measure, ensemble=len(subject.seeds) > 1))


def shifted_ensemble(
    subject: Subject, measure: str, types: Sequence[str] | None = None
) -> Spread | None:
    """The mean of the averaged predictions' measure over corrupted sets, as in `shifted`."""
    if is_single(subject):
        return None
    return Spread.from_tensor(over_shift(subject, measure, types, ensemble=len(subject.seeds) > 1))


def is_single(subject: Subject) -> bool:
    """Whether there is only one model, so that nothing can be averaged."""
    return len(subject.seeds) == 1 and len(subject.seeds[0]) == 1


R = 10
RANKED = (
    "Each run's images are cut into ten levels by its own model's robustness; the variance over "
    "runs uses one ranking for all runs, by the mean of their ranks, and is summed over the "
    "classes."
)


def ten_levels(subject: Subject) -> LevelFigures:
    """The subject's figures on the clean test set in ten levels."""
    return figures_by_level(subject, R, subject.clean[0].classes)


def level_table(title: str, levels: LevelFigures) -> Table:
    """A row per quantity and a column per level, over the runs."""
    rows = {"accuracy": levels.accuracy, "confidence": levels.confidence, "ECE": levels.ece}
    if levels.variance is not None:
        rows["variance"] = levels.variance[None]
    columns = [f"level {r}" for r in range(R)]
    cells = [
        (name, [Cell(None, Spread(tuple(level))) for level in values.T.tolist()])
        for name, values in rows.items()
    ]
    return Table(f"{title}, ×10⁻², level 0 is the least robust", columns, cells)


READ = (
    "A box spans the quartiles over types of corruption; its line is the median, and its whiskers "
    "reach to the smallest and the largest value. The clean test set has one value, shown as a "
    "marker. The tables have the mean ± standard deviation over types; the JSON file has every "
    "type's value."
)


def boxes(subject: Subject, measure: str, mark: Mark, *, ensemble: bool = False) -> Boxes:
    """Means over the runs or, of an `ensemble`, of averaged predictions: a lockstep run's own."""
    values = means(subject, measure, ensemble=ensemble and len(subject.seeds) > 1)
    if values is None:
        raise ArcalError(f"{subject.name} has one run, and so no {measure}: train several seeds")
    return Boxes(mark, values, strong=ensemble)


def box_table(title: str, subjects: Iterable[Boxes]) -> Table:
    """A row per subject; the clean test set over its runs, each intensity over types."""
    columns = ["clean", *(f"intensity {intensity}" for intensity in INTENSITIES)]
    rows = []
    for one in subjects:
        spreads = [one.means.clean, *map(one.over_types, INTENSITIES)]
        rows.append((one.mark.name, [Cell(None, spread) for spread in spreads]))
    return Table(f"{title}, ×10⁻²", columns, rows)
