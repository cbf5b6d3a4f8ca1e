"""Figures of runs as the items show them: on a set, by level, over types of corruption."""

from collections.abc import Iterable

from arcal.auditing import INTENSITIES, STABILITY, LevelFigures, Spread
from arcal.errors import ArcalError
from arcal.paper.figures import Figures
from arcal.paper.result import Cell, Table
from arcal.paper.rows import SHIFT, TEST, R
from arcal.report.marks import Mark
from arcal.report.plots import Boxes

NO_ENSEMBLE = "one seed has no ensemble"


def clean(figures: Figures, measure: str) -> Spread:
    """A measure of every run on the clean test set."""
    return _known(figures.runs(TEST, measure), measure)


def shifted(figures: Figures, measure: str, where: str = SHIFT) -> Spread:
    """The mean of every run's measure over all corrupted sets, or over some of them."""
    return _known(figures.runs(where, measure), measure)


def _known(spread: Spread | None, measure: str) -> Spread:
    if spread is None:
        raise ArcalError(f"there is no {measure} of every run: evaluate the runs again")
    return spread


def clean_ensemble(figures: Figures, measure: str) -> Spread | None:
    """The measure of predictions averaged over runs, or lockstep members; None for one model."""
    return figures.together(TEST, measure)


def shifted_ensemble(figures: Figures, measure: str, where: str = SHIFT) -> Spread | None:
    """The mean of the averaged predictions' measure over corrupted sets, as in `shifted`."""
    return figures.together(where, measure)


RANKED = (
    "Each run's images are cut into ten levels by its own model's robustness; the variance over "
    "runs uses one ranking for all runs, by the mean of their ranks, and is summed over the "
    "classes."
)


def ten_levels(figures: Figures) -> LevelFigures:
    """The figures on the clean test set in ten levels."""
    if figures.levels is None:
        raise ArcalError("there are no figures by level of robustness: evaluate the runs again")
    return figures.levels


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
    "marker. The tables have the mean ± standard deviation over types; figures.csv has the value "
    "of every type."
)


def boxes(figures: Figures, measure: str, mark: Mark, *, ensemble: bool = False) -> Boxes:
    """Means over the runs, or the figures of all of them together: of an `ensemble`, a variance."""
    values = figures.means(measure, together=ensemble or measure in STABILITY)
    if values is None:
        raise ArcalError(f"one run has no {measure}: train several seeds")
    return Boxes(mark, values, strong=ensemble)


def box_table(title: str, subjects: Iterable[Boxes]) -> Table:
    """A row per subject; the clean test set over its runs, each intensity over types."""
    columns = ["clean", *(f"intensity {intensity}" for intensity in INTENSITIES)]
    rows = []
    for one in subjects:
        spreads = [one.means.clean, *map(one.over_types, INTENSITIES)]
        rows.append((one.mark.name, [Cell(None, spread) for spread in spreads]))
    return Table(f"{title}, ×10⁻²", columns, rows)
