"""Figures 1 and 2: what they show of a subject by level of robustness, as numbers."""

from arcal.auditing import LevelFigures, Spread, Subject, figures_by_level
from arcal.paper.result import Cell, Table

R = 10
RANKED = (
    "Each run's images are cut into ten levels by its own model's robustness; the variance over "
    "runs is by one ranking for all, the mean of their ranks, and sums over the classes."
)


def ten_levels(subject: Subject) -> LevelFigures:
    """The subject's figures on the clean test set in ten levels."""
    return figures_by_level(subject, R, subject.clean[0].classes)


def level_table(title: str, levels: LevelFigures) -> Table:
    """A row a quantity and a column a level, over the runs."""
    rows = {"accuracy": levels.accuracy, "confidence": levels.confidence, "ECE": levels.ece}
    if levels.variance is not None:
        rows["variance"] = levels.variance[None]
    columns = [f"level {r}" for r in range(1, R + 1)]
    cells = [
        (name, [Cell(None, Spread(tuple(level))) for level in values.T.tolist()])
        for name, values in rows.items()
    ]
    return Table(f"{title}, ×10⁻², level 1 is the least robust", columns, cells)
