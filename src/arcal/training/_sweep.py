"""Choosing one setting of a method on the validation set (section 4.1, appendix A)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from arcal.methods import method_class
from arcal.training.many import train_all
from arcal.training.run import Run


@dataclass(frozen=True)
class Sweep:
    """What was tried: validation ECE after the final epoch, by value of the setting."""

    setting: str
    ece: dict[float, float]

    @property
    def best(self) -> float:
        """The value with the lowest validation ECE; of equal ones the first."""
        return min(self.ece, key=lambda value: self.ece[value])


def sweep(
    run: Run,
    root: Path,
    setting: str,
    values: Sequence[float],
    *,
    extend: bool = False,
    **options: Any,
) -> Sweep:
    """Train `run` with each of the ascending `values` of a setting.

    With `extend` the grid goes on upward by its last step while its best value is its last, within
    the setting's bounds, so that a grid that ends too early does not choose for the method.
    `options` are those of `train_all`.
    """
    ece: dict[float, float] = {}
    values = list(values)
    while values:
        folders = train_all(tries(run, setting, values), root, **options)
        ece |= {value: f.epochs()[-1]["ece"] for value, f in zip(values, folders, strict=True)}
        tried = list(ece)
        best = Sweep(setting, ece).best
        goes_on = extend and best == tried[-1] and len(tried) > 1
        further = [round(2 * tried[-1] - tried[-2], 10)] if goes_on else []
        values = [value for value in further if _within_bounds(run, setting, value)]
    return Sweep(setting, ece)


def _within_bounds(run: Run, setting: str, value: float) -> bool:
    declared = {one.name: one for one in method_class(run.method).settings()}
    return declared[setting].contains(value)


def tries(run: Run, setting: str, values: Sequence[float]) -> list[Run]:
    """The runs that a sweep starts with."""
    return [replace(run, settings=run.settings | {setting: value}) for value in values]
