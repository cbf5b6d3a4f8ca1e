"""Under shift: means over types of corruption, by intensity and over all (Tables 3 and 5).

A figure is of one set, and the mean is over sets: never the figure of their pool. `measure` is one
of `MEASURES`, with a value for each of n runs, or for their `ensemble`, then n is 1; or one of
`STABILITY`, a value for all runs together. Of a single run there is neither: n is 0.
"""

import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.evaluation.collect import CLEAN, MethodRuns
from arcal.evaluation.figures import STABILITY
from arcal.evaluation.sets import INTENSITIES
from arcal.evaluation.tidy import where
from arcal.transforms.corruptions import EXTRA


def on_set(runs: MethodRuns, name: str, measure: str, *, ensemble: bool = False) -> Tensor:
    """The measure on the set of this name, float64 `(n,)`."""
    if measure in STABILITY or ensemble:
        by_set = runs.stability if measure in STABILITY else runs.ensemble
        found = [by_set[name]] if name in by_set else []
    else:
        found = runs.figures[name]
    return torch.tensor([figures[measure] for figures in found], dtype=torch.float64)


def over_types(runs: MethodRuns, measure: str, *, ensemble: bool = False) -> dict[str, Tensor]:
    """By type of corruption the measure at intensities 1 to 5, float64 `(n, 5)`.

    nan where a set was not evaluated; no entry for a type of which none was.
    """
    found: dict[str, Tensor] = {}
    for name in runs.figures:
        at = where(name)
        if at["set"] != CLEAN or at["type"] is None:
            continue
        values = on_set(runs, name, measure, ensemble=ensemble)
        nothing = torch.full((len(values), len(INTENSITIES)), torch.nan, dtype=torch.float64)
        found.setdefault(at["type"], nothing)[:, at["intensity"] - 1] = values
    return found


def by_intensity(
    runs: MethodRuns, measure: str, types: list[str] | None = None, *, ensemble: bool = False
) -> Tensor:
    """The mean over types, over all that were evaluated unless given, float64 `(n, 5)`.

    nan where none was evaluated at an intensity. A type that was not evaluated at all raises
    `ArcalError`, and so do runs without corrupted sets.
    """
    return _stacked(runs, measure, types, ensemble).nanmean(dim=0)


def over_shift(
    runs: MethodRuns, measure: str, types: list[str] | None = None, *, ensemble: bool = False
) -> Tensor:
    """The mean over all types and intensities that were evaluated, every set alike, float64 `(n,)`.

    Of the measure `ece` it is the mean corruption ECE. Errors are those of `by_intensity`.
    """
    return _stacked(runs, measure, types, ensemble).nanmean(dim=(0, 2))


def without_extra(types: list[str]) -> list[str]:
    """The types but the four that settings are chosen with, on validation images."""
    return [type for type in types if type not in EXTRA]


def _stacked(runs: MethodRuns, measure: str, types: list[str] | None, ensemble: bool) -> Tensor:
    """`(types, n, 5)`."""
    found = over_types(runs, measure, ensemble=ensemble)
    types = list(found) if types is None else types
    missing = [type for type in types if type not in found]
    if missing or not types:
        raise ArcalError(
            f"{runs.label} was not evaluated under {', '.join(missing) or 'any shift'}: "
            "evaluate it with --shift"
        )
    return torch.stack([found[type] for type in types])
