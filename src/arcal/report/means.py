"""A measure on the clean test set, and its means over types of corruption."""

from dataclasses import dataclass, replace

from torch import Tensor

from arcal.evaluation import (
    CLEAN,
    MethodRuns,
    by_intensity,
    on_set,
    over_shift,
    over_types,
    without_extra,
)
from arcal.evaluation.sets import INTENSITIES
from arcal.report.tables import Spread

SHOWN = ("ece", "accuracy")
"""The measures whose means the report shows."""
BOXED = 3
"""Types that a box plot needs at an intensity: a quartile of fewer says nothing."""


@dataclass(frozen=True)
class Means:
    """One measure of a method's runs (a value each), or of all of them together (one value).

    `by_intensity` has five entries, None where no type was evaluated. `overall` is over all
    corrupted sets, and `standard` over those of the types that are not extra; None if there are no
    sets, or none to tell apart. `by_type` `(5,)` are means over runs, nan where not evaluated.
    """

    clean: Spread
    by_intensity: list[Spread | None]
    overall: Spread | None
    standard: Spread | None
    by_type: dict[str, Tensor]


def means_of(
    runs: MethodRuns, measures: tuple[str, ...], *, ensemble: bool = False
) -> dict[str, Means]:
    """By measure its means; empty for what a single run does not have."""
    found = {}
    for measure in measures:
        clean = on_set(runs, CLEAN, measure, ensemble=ensemble)
        if len(clean) == 0:
            continue
        types = over_types(runs, measure, ensemble=ensemble)
        found[measure] = Means(
            clean=_spread(clean),
            by_intensity=[None] * len(INTENSITIES),
            overall=None,
            standard=None,
            by_type={type: values.mean(dim=0) for type, values in types.items()},
        )
        if types:
            found[measure] = _under_shift(found[measure], runs, measure, ensemble)
    return found


def _under_shift(found: Means, runs: MethodRuns, measure: str, ensemble: bool) -> Means:
    means = by_intensity(runs, measure, ensemble=ensemble)
    standard = without_extra(list(found.by_type))
    tells = 0 < len(standard) < len(found.by_type)
    return replace(
        found,
        by_intensity=[None if one.isnan().any() else _spread(one) for one in means.T],
        overall=_spread(over_shift(runs, measure, ensemble=ensemble)),
        standard=_spread(over_shift(runs, measure, standard, ensemble=ensemble)) if tells else None,
    )


def types_at(means: Means) -> list[int]:
    """How many types were evaluated at each of the five intensities."""
    return [
        sum(not values[i].isnan() for values in means.by_type.values())
        for i in range(len(means.by_intensity))
    ]


def boxed(means: Means) -> list[int]:
    """The intensities 1 to 5 of a box plot: those with three types or more; two, or it has none."""
    found = [i for i, types in enumerate(types_at(means), 1) if types >= BOXED]
    return found if len(found) > 1 else []


def _spread(values: Tensor) -> Spread:
    return Spread(tuple(values.tolist()))
