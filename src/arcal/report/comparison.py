"""Everything the report knows of its subjects, computed once."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from arcal.auditing import (
    CLEAN,
    OTHER_ECE,
    STABILITY,
    LevelFigures,
    Means,
    OutOfDistribution,
    Spread,
    Subject,
    ensemble_reliability,
    figures_by_level,
    means,
    reliability_by_run,
)
from arcal.calibration import Reliability
from arcal.errors import ArcalError
from arcal.report.names import Name, Where, name_subjects
from arcal.report.tables import Rows, check_comparable, measures_by_set

SHOWN = ("ece", "accuracy")
"""The measures whose means under shift the report shows."""
BOXED = 3
"""Types that a box plot needs at an intensity: a quartile of fewer says nothing."""


@dataclass(frozen=True, eq=False)
class Compared:
    """One subject's name, seeds and figures.

    `measures` are by set, the clean test set first; `calibration_errors` are the ECE, its interval
    and the other errors, on the clean test set; `means` are over corrupted sets. `ensemble`
    (on the clean test set), `ensemble_means`, `ensemble_reliability` and `stability` are of all
    runs together: empty or None if there is one. `reliability` has an entry a run.
    """

    name: Name
    subject: Subject
    measures: dict[Where, Rows]
    calibration_errors: Rows
    ensemble: Rows
    means: dict[str, Means]
    ensemble_means: dict[str, Means]
    stability: dict[str, Means]
    levels: LevelFigures
    reliability: list[Reliability]
    ensemble_reliability: Reliability | None

    @property
    def seeds(self) -> Sequence[tuple[int, ...]]:
        return self.subject.seeds

    @property
    def ood(self) -> Sequence[OutOfDistribution]:
        return self.subject.ood

    @property
    def soft_labels(self) -> Tensor | None:
        return self.subject.soft_labels


@dataclass(frozen=True)
class Comparison:
    """All subjects, compared on the same images. `R` levels, cut by `order`."""

    subjects: list[Compared]
    R: int
    order: str

    @property
    def reference(self) -> Compared:
        """The subject that shows what is wrong: vanilla with nothing added, or else the first."""
        vanilla = [
            (one, method.settings)
            for one in self.subjects
            if (method := one.subject.method) and method.name == "vanilla" and not method.posthoc
        ]
        plain = [
            one for one, settings in vanilla if all(given is None for given in settings.values())
        ]
        return (plain or [one for one, _ in vanilla] or self.subjects)[0]

    @property
    def others(self) -> list[Compared]:
        """All subjects but the reference."""
        return [one for one in self.subjects if one is not self.reference]

    @property
    def several(self) -> list[Compared]:
        """The subjects of two runs or more: those with an ensemble, and a variance over runs."""
        return [one for one in self.subjects if len(one.seeds) > 1]

    @property
    def sets(self) -> list[Where]:
        return list(self.subjects[0].measures)

    @property
    def boxed(self) -> list[int]:
        """The intensities of a box plot: those with three types or more; two, or it has none."""
        types = self.subjects[0].means["ece"].types
        enough = [i for i, n in enumerate(types, 1) if n >= BOXED]
        return enough if len(enough) > 1 else []

    def rows(self, where: Where) -> list[Rows]:
        """Each subject's measures on one set."""
        return [one.measures[where] for one in self.subjects]


def compare(subjects: Sequence[Subject], R: int, Z: int) -> Comparison:
    """Compute all figures of subjects that were evaluated on the same images of Z classes."""
    check_comparable(subjects)
    compared = [
        Compared(
            name=name,
            subject=subject,
            measures=measures_by_set(subject),
            calibration_errors=_calibration_errors(subject),
            ensemble={m: Spread((v,)) for m, v in subject.measures[CLEAN].ensemble.items()},
            means=_means(subject, SHOWN),
            ensemble_means=_means(subject, SHOWN, ensemble=True),
            stability=_means(subject, STABILITY),
            levels=figures_by_level(subject, R, Z),
            reliability=reliability_by_run(subject),
            ensemble_reliability=ensemble_reliability(subject),
        )
        for name, subject in zip(name_subjects(subjects), subjects, strict=True)
    ]
    orders = {scores.order for subject in subjects for scores in subject.robustness}
    if len(orders) != 1:
        raise ArcalError(f"images were ranked by {', '.join(sorted(orders))}: use one order")
    return Comparison(compared, R, orders.pop())


def _means(
    subject: Subject, measures: Sequence[str], *, ensemble: bool = False
) -> dict[str, Means]:
    """By measure its means; empty for what a single run does not have."""
    by_measure = {measure: means(subject, measure, ensemble=ensemble) for measure in measures}
    return {measure: one for measure, one in by_measure.items() if one is not None}


def _calibration_errors(subject: Subject) -> Rows:
    """What there is of the ECE, the ends of its interval, and the other errors."""
    clean = subject.measures[CLEAN].runs
    names = [name for name in ("ece", "ece_low", "ece_high", *OTHER_ECE) if name in clean[0]]
    return {name: Spread(tuple(run[name] for run in clean)) for name in names}
