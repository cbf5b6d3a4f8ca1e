"""A subject: one classifier, or the runs of one training method, and what is known about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import places_of
from arcal.auditing._measures import (
    CLEAN,
    EvaluationSet,
    Measures,
    ece_interval,
    measure,
)
from arcal.auditing._other_data import OutOfDistribution
from arcal.auditing._predictions import Predictions
from arcal.errors import ArcalError
from arcal.ranks import levels, mean_rank
from arcal.robustness import Robustness

R = 10
"""The default number of robustness levels."""


@dataclass(frozen=True)
class Method:
    """How a subject was trained: a method of `arcal.methods` by name, with all its settings.

    `members` is the number of members of each run; `posthoc` is the calibration after training, a
    key of `POSTHOC`; `details` tell the subject from others with the same method and settings.

    >>> Method("ar-adals", {"alpha": 0.2, "R": 10}, posthoc="temperature").label
    'ar-adals (alpha 0.2, R 10) + temperature'
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1
    posthoc: str | None = None
    details: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """All of it in one line, such as `ar-adals (alpha 0.2, R 10) + temperature`."""
        words = [f"{name} {_words(v)}" for name, v in self.settings.items() if v is not None]
        if self.members > 1:
            words.append(f"{self.members} members")
        label = self.name + (f" ({', '.join(words)})" if words else "")
        label += f" [{', '.join(self.details)}]" if self.details else ""
        return label + (f" + {self.posthoc}" if self.posthoc else "")


def _words(value: Any) -> str:
    if isinstance(value, Mapping):  # a schedule: each value by its first epoch
        return " then ".join(f"{v} from epoch {first}" for first, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@dataclass(frozen=True)
class Provenance:
    """Where one run comes from: its name, and facts to show by title.

    >>> Provenance("vanilla-s0", {"Network": "resnet20"}).facts["Network"]
    'resnet20'
    """

    name: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Subject:
    """One classifier, or n runs of one method that differ only in their seeds.

    `seeds`, `robustness`, `provenance`, and the entries of `predictions` and `measures` for each
    set, have one entry per run in the same order. `predictions` are there for the clean test set,
    and for other sets if they were kept; `measures` are there for every set that was evaluated.
    `robustness` is that of the clean test set, by each run's own model, and empty if nothing was
    scored. `soft_labels` float64 `(epochs + 1, R)` are the soft labels of the correct class after
    each epoch, mean over the runs.

    >>> sure = Predictions(torch.arange(2), torch.tensor([0, 1]), 9 * torch.eye(2)[None])
    >>> subject = Subject.from_predictions("mine", {CLEAN: [sure, sure]}, seeds=[(0,), (7,)])
    >>> subject.seeds, len(subject.clean)
    ([(0,), (7,)], 2)
    """

    name: str
    predictions: Mapping[EvaluationSet, Sequence[Predictions]]
    measures: Mapping[EvaluationSet, Measures]
    seeds: Sequence[tuple[int, ...]]
    robustness: Sequence[Robustness] = ()
    ood: Sequence[OutOfDistribution] = ()
    method: Method | None = None
    soft_labels: Tensor | None = None
    provenance: Sequence[Provenance] = ()

    @classmethod
    def from_predictions(
        cls,
        name: str,
        predictions: Mapping[EvaluationSet, Sequence[Predictions]],
        *,
        seeds: Sequence[int | tuple[int, ...]] | None = None,
        robustness: Sequence[Robustness] = (),
        R: int = R,
        **about: Any,
    ) -> "Subject":
        """A subject whose figures are computed from its n runs' predictions on every set.

        Without `seeds` the runs are numbered from 0. The other arguments are those of the class. If
        the number of runs is not the same for all sets and the seeds, `ArcalError` is raised.

        >>> sure = Predictions(torch.arange(2), torch.tensor([0, 1]), 9 * torch.eye(2)[None])
        >>> Subject.from_predictions("mine", {CLEAN: [sure]}).measures[CLEAN].runs[0]["accuracy"]
        1.0
        """
        counts = {where.name: len(runs) for where, runs in predictions.items()}
        if seeds is not None:
            counts["seeds"] = len(seeds)
        if len(set(counts.values())) != 1 or 0 in counts.values():
            has = ", ".join(f"{n} of {what}" for what, n in counts.items()) or "no predictions"
            raise ArcalError(f"{name} has {has}: give those of each run, and one seed per run")
        measures = {
            where: measure_set(where, runs, robustness, R) for where, runs in predictions.items()
        }
        if seeds is None:
            seeds = range(next(iter(counts.values())))
        numbers = [(seed,) if isinstance(seed, int) else tuple(seed) for seed in seeds]
        return cls(name, predictions, measures, numbers, robustness, **about)

    @property
    def clean(self) -> Sequence[Predictions]:
        """Each run's predictions on the clean test set; empty if they were not kept."""
        return self.predictions.get(CLEAN, ())


def measure_set(
    where: EvaluationSet,
    runs: Sequence[Predictions],
    robustness: Sequence[Robustness] = (),
    R: int = R,
    known: Sequence[Mapping[str, float]] = (),
) -> Measures:
    """The figures of a subject's runs on one set; on the clean set with each ECE's interval.

    `known` has other values for each run on the clean set, such as its `smoothing`.

    There is a stability by level if the test images have been scored and there are at least `R` of
    them. All runs then share the levels of their mean rank.

    >>> sure = Predictions(torch.arange(2), torch.tensor([0, 1]), 9 * torch.eye(2)[None])
    >>> measures = measure_set(CLEAN, [sure], known=[{"smoothing": 0.1}])
    >>> measures.runs[0]["accuracy"], measures.runs[0]["smoothing"], "ece_low" in measures.runs[0]
    (1.0, 0.1, True)
    """
    scored = robustness and where.part == CLEAN.part and len(runs[0].ids) >= R
    cut = shared_levels(robustness, R, runs[0].ids) if scored and len(runs) > 1 else None
    measures = measure(runs, cut, R)
    if where != CLEAN:
        return measures
    alone = tuple(
        {**run, **ece_interval(predictions), **more}
        for run, predictions, more in zip(
            measures.runs, runs, known or [{}] * len(runs), strict=True
        )
    )
    return replace(measures, runs=alone)


def shared_levels(robustness: Sequence[Robustness], R: int, ids: Tensor | None = None) -> Tensor:
    """The levels int64 `(N,)` of the test images by the mean rank of all runs.

    With `ids` `(N,)` only these images are ranked and cut into levels, in the order of `ids`. An
    image without a score, and fewer images than levels, raise `ArcalError`.
    """
    scored = robustness[0].ids
    ids = scored if ids is None else ids
    if len(ids) < R:
        raise ArcalError(
            f"{len(ids)} test images cannot be cut into {R} levels, as a report does: use more"
        )
    positions = places_of(ids, scored)
    if (positions < 0).any():
        raise ArcalError("not all of these images have been scored: score the whole test set")
    distances = torch.stack([run.robustness[positions] for run in robustness])
    return levels(mean_rank(distances, ids), ids, R)
