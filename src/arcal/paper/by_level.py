"""Figures 1 and 2: calibration and variance of a method by level of robustness."""

import numpy as np
from matplotlib.axes import Axes
from torch import Tensor

from arcal.evaluation import MethodRuns
from arcal.paper.looks import Look, line
from arcal.paper.result import Cell, Table
from arcal.report.drawing import INK, OVER, UNDER, level_axis
from arcal.report.levels import LevelFigures, levels_of
from arcal.report.tables import Spread

R = 10
RANKED = (
    "Each run's images are cut into ten levels by its own model's robustness; the variance over "
    "runs is by one ranking for all, the mean of their ranks, and sums over the classes."
)
CONFIDENCE, ACCURACY = Look("confidence", OVER, "s"), Look("accuracy", INK, "o")


def by_level(runs: MethodRuns) -> LevelFigures:
    """The runs' figures on the clean test set in ten levels."""
    return levels_of(runs, R, runs.predictions[0].logits.shape[2])


def accuracy_and_confidence(axes: Axes, found: LevelFigures) -> None:
    """Both by level; between them is tinted by which is the higher."""
    at = range(1, found.R + 1)
    accuracy = found.accuracy.mean(dim=0).numpy()
    confidence = found.confidence.mean(dim=0).numpy()
    for tint, where in ((OVER, confidence >= accuracy), (UNDER, confidence <= accuracy)):
        axes.fill_between(
            at, accuracy, confidence, where=where, interpolate=True, color=tint, alpha=0.14
        )
    line(axes, at, found.confidence, CONFIDENCE, "--")
    line(axes, at, found.accuracy, ACCURACY)
    axes.set_ylim(0, 1.02)


def lines_by_level(axes: Axes, values: Tensor, look: Look, style: str = "-") -> None:
    """`(n, R)` over the levels; one row has no bars."""
    line(axes, range(1, values.shape[1] + 1), values, look, style)
    axes.set_ylim(bottom=0)


def finish(axes: Axes) -> None:
    """The axis of levels, in words that fit a narrow panel."""
    level_axis(axes, R, narrow=True)


def table_of(title: str, rows: dict[str, Tensor]) -> Table:
    """Values `(n, R)` over n runs, a row a name and a column a level."""
    columns = [f"level {r}" for r in range(1, R + 1)]
    cells = {name: [Cell(None, Spread(tuple(c))) for c in v.T.tolist()] for name, v in rows.items()}
    return Table(f"{title}, ×10⁻², level 1 is the least robust", columns, list(cells.items()))


def rows_of(found: LevelFigures) -> dict[str, Tensor]:
    """What is drawn of a method, `(n, R)` each."""
    rows = {"accuracy": found.accuracy, "confidence": found.confidence, "ECE": found.ece}
    return rows if found.variance is None else rows | {"variance": found.variance[None]}


def means(values: Tensor) -> np.ndarray:
    """`(R,)`: means over the runs."""
    return values.mean(dim=0).numpy()
