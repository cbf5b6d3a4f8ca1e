"""Figures of several runs; under shift, means over types of corruption (Tables 3 and 5).

Figures are computed on each set and then averaged over sets; sets are never pooled. `measure` is
one of `MEASURES`, with a value for each of n runs, or one for their `ensemble` (n is 1); or one of
`STABILITY`, with one value for all runs together. A single run has no ensemble and no stability: n
is 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.auditing._measures import CLEAN, INTENSITIES, STABILITY, EvaluationSet, without_extra
from arcal.auditing._subject import Subject
from arcal.errors import ArcalError


@dataclass(frozen=True)
class Spread:
    """One figure of n runs, in the order of their seeds.

    >>> Spread((1.0, 3.0)).mean
    2.0
    """

    values: tuple[float, ...]

    @classmethod
    def from_tensor(cls, values: Tensor) -> "Spread":
        """The figures of a tensor `(n,)`."""
        return cls(tuple(values.tolist()))

    @property
    def mean(self) -> float:
        return torch.tensor(self.values, dtype=torch.float64, device="cpu").mean().item()

    @property
    def deviation(self) -> float | None:
        """The standard deviation over runs, with n - 1 in the denominator; None for one run."""
        if len(self.values) < 2:
            return None
        return torch.tensor(self.values, dtype=torch.float64, device="cpu").std(correction=1).item()


def on_set(
    subject: Subject, where: EvaluationSet, measure: str, *, ensemble: bool = False
) -> Tensor:
    """The measure on one set, float64 `(n,)`; an unknown measure raises `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> right, wrong = (as_predictions(probabilities=[[0.75, 0.25]], labels=[y]) for y in (0, 1))
    >>> foggy = EvaluationSet(corruption="fog", intensity=3)
    >>> subject = Subject.from_predictions("mine", {CLEAN: [right], foggy: [wrong]})
    >>> on_set(subject, CLEAN, "accuracy").item(), on_set(subject, foggy, "accuracy").item()
    (1.0, 0.0)
    """
    measures = subject.measures[where]
    if measure in STABILITY:
        values = [measures.stability[measure]] if measures.stability else []
    else:
        alone = [measures.ensemble] if measures.ensemble else []
        figures = alone if ensemble else measures.runs
        if unlike := next((run for run in figures if measure not in run), None):
            raise ArcalError(
                f"{subject.name} has no measure {measure!r} on {where.name}: choose from "
                f"{', '.join([*unlike, *STABILITY])}"
            )
        values = [run[measure] for run in figures]
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def over_types(subject: Subject, measure: str, *, ensemble: bool = False) -> dict[str, Tensor]:
    """The measure at intensities 1 to 5 by type of corruption, float64 `(n, 5)`.

    It is nan where a set was not evaluated. A type without any evaluated set has no entry.

    >>> from arcal.auditing import as_predictions
    >>> right, wrong = (as_predictions(probabilities=[[0.75, 0.25]], labels=[y]) for y in (0, 1))
    >>> foggy = EvaluationSet(corruption="fog", intensity=3)
    >>> subject = Subject.from_predictions("mine", {CLEAN: [right], foggy: [wrong]})
    >>> over_types(subject, "accuracy")
    {'fog': tensor([[nan, nan, 0., nan, nan]], dtype=torch.float64)}
    """
    by_type: dict[str, Tensor] = {}
    for where in subject.measures:
        if where.corruption is None or not where.is_shifted:
            continue
        values = on_set(subject, where, measure, ensemble=ensemble)
        nothing = torch.full(
            (len(values), len(INTENSITIES)), torch.nan, dtype=torch.float64, device="cpu"
        )
        by_type.setdefault(where.corruption, nothing)[:, where.intensity - 1] = values
    return by_type


def by_intensity(subject: Subject, measure: str, *, ensemble: bool = False) -> Tensor:
    """The mean at each intensity over all types that were evaluated, float64 `(n, 5)`.

    It is nan at an intensity without any evaluated type. A subject without corrupted sets raises
    `ArcalError`.

    >>> from arcal.auditing import as_predictions, shift_sets
    >>> right, wrong = (as_predictions(probabilities=[[0.75, 0.25]], labels=[y]) for y in (0, 1))
    >>> fog, darker = shift_sets(["fog-3", "contrast-3"])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [right], fog: [wrong], darker: [right]})
    >>> by_intensity(subject, "accuracy").tolist()
    [[nan, nan, 0.5, nan, nan]]
    """
    return _stacked(subject, measure, None, ensemble).nanmean(dim=0)


def over_shift(
    subject: Subject, measure: str, types: Sequence[str] | None = None, *, ensemble: bool = False
) -> Tensor:
    """The mean over all types and intensities that were evaluated, float64 `(n,)`.

    Every set has the same weight. For the measure `ece` it is the mean corruption ECE. A type that
    was not evaluated at all raises `ArcalError`, and so does a subject without corrupted sets.

    >>> from arcal.auditing import as_predictions, shift_sets
    >>> right, wrong = (as_predictions(probabilities=[[0.75, 0.25]], labels=[y]) for y in (0, 1))
    >>> fog, darker = shift_sets(["fog-3", "contrast-3"])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [right], fog: [wrong], darker: [right]})
    >>> over_shift(subject, "accuracy").item(), over_shift(subject, "accuracy", ["fog"]).item()
    (0.5, 0.0)
    """
    return _stacked(subject, measure, types, ensemble).nanmean(dim=(0, 2))


def _stacked(subject: Subject, measure: str, types: Sequence[str] | None, ensemble: bool) -> Tensor:
    """`(types, n, 5)`."""
    by_type = over_types(subject, measure, ensemble=ensemble)
    types = list(by_type) if types is None else types
    missing = [type for type in types if type not in by_type]
    if missing or not types:
        raise ArcalError(
            f"{subject.name} was not evaluated under {', '.join(missing) or 'any shift'}: "
            "evaluate it with --shift"
        )
    return torch.stack([by_type[type] for type in types])


@dataclass(frozen=True)
class Means:
    """One measure of a subject's runs (a value each), or of all of them together (one value).

    `by_intensity` has five entries, None where no type was evaluated. `overall` is the mean over
    all corrupted sets, None without any. `standard` is the mean over those of the types that are
    not extra, None if there are no extra types or nothing else. `by_type` has means over runs
    `(5,)`, nan where not evaluated. Made by `means`.
    """

    clean: Spread
    by_intensity: list[Spread | None]
    overall: Spread | None
    standard: Spread | None
    by_type: dict[str, Tensor]

    @property
    def types(self) -> list[int]:
        """How many types were evaluated at each of the five intensities."""
        return [
            sum(not values[i].isnan() for values in self.by_type.values())
            for i in range(len(self.by_intensity))
        ]


def means(subject: Subject, measure: str, *, ensemble: bool = False) -> Means | None:
    """The measure on the clean set and its means under shift; None if one run does not have it.

    >>> from arcal.auditing import as_predictions, shift_sets
    >>> right, wrong = (as_predictions(probabilities=[[0.75, 0.25]], labels=[y]) for y in (0, 1))
    >>> fog, darker = shift_sets(["fog-3", "contrast-3"])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [right], fog: [wrong], darker: [right]})
    >>> both = means(subject, "accuracy")
    >>> both.clean.mean, both.overall.mean
    (1.0, 0.5)
    >>> means(subject, "churn")
    """
    clean = on_set(subject, CLEAN, measure, ensemble=ensemble)
    if len(clean) == 0:
        return None
    types = over_types(subject, measure, ensemble=ensemble)
    standard = without_extra(list(types))
    nothing = torch.full((1, len(INTENSITIES)), torch.nan, device="cpu")
    strengths = by_intensity(subject, measure, ensemble=ensemble) if types else nothing

    def over(some: Sequence[str]) -> Spread | None:
        if not some:
            return None
        return Spread.from_tensor(over_shift(subject, measure, some, ensemble=ensemble))

    return Means(
        clean=Spread.from_tensor(clean),
        by_intensity=[
            None if one.isnan().any() else Spread.from_tensor(one) for one in strengths.T
        ],
        overall=over(list(types)),
        standard=over(standard if len(standard) < len(types) else ()),
        by_type={type: values.mean(dim=0) for type, values in types.items()},
    )
