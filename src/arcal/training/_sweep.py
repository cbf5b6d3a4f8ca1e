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
    """The result of a sweep: the validation ECE after the final epoch, by value of the setting.

    >>> Sweep("alpha", {0.1: 0.04, 0.2: 0.02, 0.4: 0.03}).best
    0.2
    """

    setting: str
    """The name of the setting, such as "alpha"."""
    ece: dict[float, float]
    """Validation ECE in [0, 1], by value."""

    @property
    def best(self) -> float:
        """The value with the lowest validation ECE, the first of equal ones."""
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
    """Choose one setting of a method on the validation set (section 4.1, appendix A).

    Trains `run` in `root` with each of the ascending `values` of the setting. With `extend`, the
    grid continues upwards with its last step size for as long as its largest value is the best and
    within the setting's bounds, so that the choice is not limited by where the grid happens to end.
    `options` are those of `train_all`.

    >>> from arcal.training import RECIPES
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(method="label-smoothing", recipe=RECIPES["small"].shortened(1), **size)
    >>> result = sweep(run, Path("runs"), "epsilon", [0.1, 0.2])
    >>> list(result.ece)
    [0.1, 0.2]
    >>> result.best in (0.1, 0.2)
    True
    """
    declared = next(one for one in method_class(run.method).settings() if one.name == setting)
    ece: dict[float, float] = {}
    values = list(values)
    while values:
        folders = train_all(tries(run, setting, values), root, **options)
        ece |= {value: f.epochs()[-1]["ece"] for value, f in zip(values, folders, strict=True)}
        tried = list(ece)
        best = Sweep(setting, ece).best
        goes_on = extend and best == tried[-1] and len(tried) > 1
        further = [round(2 * tried[-1] - tried[-2], 10)] if goes_on else []
        values = [value for value in further if declared.contains(value)]
    return Sweep(setting, ece)


def tries(run: Run, setting: str, values: Sequence[float]) -> list[Run]:
    """The runs of a sweep: `run` with each of the `values` of a setting.

    >>> [run.settings for run in tries(Run(method="label-smoothing"), "epsilon", [0.1, 0.2])]
    [{'epsilon': 0.1}, {'epsilon': 0.2}]
    """
    return [replace(run, settings=run.settings | {setting: value}) for value in values]
