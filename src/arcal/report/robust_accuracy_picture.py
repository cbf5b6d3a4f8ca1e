"""The curve of robust accuracy: how many inputs are still right at each radius."""

from collections.abc import Mapping
from pathlib import Path

import torch
from matplotlib.figure import Figure

from arcal.calibration import RobustAccuracy
from arcal.errors import ArcalError
from arcal.printable import printable
from arcal.report.marks import INK, SPARE_MARKS
from arcal.report.plots import WIDTH, write_figure

LENGTHS = {"l2": "L2 norm of the change", "linf": "greatest change of any number (L-infinity)"}
COLOURS = (INK, "#0072B2", *(colour for colour, _ in SPARE_MARKS), "#E69F00", "#56B4E9")


def write_robust_accuracy(
    path: Path | str, curves: Mapping[str, RobustAccuracy], norm: str = "l2"
) -> Path:
    """Draw curves of robust accuracy, by the names of their models, to the file `path`.

    Each has its interval, and steps down at the distance of every input that the model gets right.
    The legend also says how many of these have no distance because the attack failed. `norm` is
    the norm of the distances, "l2" or "linf". No curve, another norm, or a file that does not end
    in .svg, .pdf or .png raises `ArcalError`. The same curves give the same bytes.

    >>> from arcal.calibration import robust_accuracy
    >>> curve = robust_accuracy(torch.tensor([0.1, 0.3]), torch.tensor([True, True]))
    >>> write_robust_accuracy("curve.svg", {"mine": curve}).name
    'curve.svg'
    """
    path = Path(path)
    if not curves:
        raise ArcalError("there is no curve of robust accuracy to draw: give one or more by name")
    if norm not in LENGTHS:
        raise ArcalError(f"norm is {norm!r}: give that of the distances, {' or '.join(LENGTHS)}")
    write_figure(path, "robust-accuracy", lambda: robust_accuracy_figure(curves, norm))
    return path


def robust_accuracy_figure(curves: Mapping[str, RobustAccuracy], norm: str) -> Figure:
    """The curves, and their intervals as bands."""
    figure = Figure(figsize=(WIDTH * 0.6, 3.6), layout="constrained")
    axes = figure.subplots()
    ends = torch.cat([curve.radii for curve in curves.values()])
    right = 1.04 * float(ends.max()) or 1.0
    for i, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        x = [*curve.radii.tolist(), right]
        y, low, high = (
            [*end.tolist(), float(end[-1])] for end in (curve.accuracy, curve.low, curve.high)
        )
        axes.fill_between(x, low, high, step="post", color=colour, alpha=0.14, lw=0)
        failed = curve.without_distance
        label = f"{printable(name)}, {curve.n[0]:,.0f} inputs"
        label += f", {failed:,} without a distance" * bool(failed)
        axes.step(x, y, where="post", color=colour, label=label)
    axes.set_xlim(0, right)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"radius: {LENGTHS[norm]}")
    axes.set_ylabel("robust accuracy")
    axes.legend(loc="upper right")
    return figure
