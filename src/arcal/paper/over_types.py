"""Figures 3 and 6: a measure over types of corruption, by intensity, as boxes and as numbers."""

from collections.abc import Sequence

from arcal.auditing import INTENSITIES, Subject, means
from arcal.errors import ArcalError
from arcal.paper.result import Cell, Table
from arcal.report.plots import Boxes, Mark

READ = (
    "A box spans the quartiles over types of corruption, its line is the median, its whiskers end "
    "at the least and the greatest; the clean test set is one value, a marker. The tables have the "
    "mean ± standard deviation over types; the JSON file has every type's value."
)


def boxes(subject: Subject, measure: str, mark: Mark, *, ensemble: bool = False) -> Boxes:
    """Means over the runs, or of the runs' averaged predictions: of a lockstep run its own."""
    values = means(subject, measure, ensemble=ensemble and len(subject.seeds) > 1)
    if values is None:
        raise ArcalError(f"{subject.name} has one run, and so no {measure}: train several seeds")
    return Boxes(mark, values, strong=ensemble)


def box_table(title: str, subjects: Sequence[tuple[str, Boxes]]) -> Table:
    """A row a subject; the clean test set over its runs, each intensity over types."""
    columns = ["clean", *(f"intensity {intensity}" for intensity in INTENSITIES)]
    rows = []
    for name, one in subjects:
        spreads = [one.means.clean, *map(one.over_types, INTENSITIES)]
        rows.append((name, [Cell(None, spread) for spread in spreads]))
    return Table(f"{title}, ×10⁻²", columns, rows)
