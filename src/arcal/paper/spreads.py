"""Figures of evaluated runs as the tables show them: a value a run, or one of their ensemble."""

from collections.abc import Sequence

from arcal.auditing import CLEAN, Spread, Subject, on_set, over_shift

NO_ENSEMBLE = "one seed has no ensemble"


def clean(subject: Subject, measure: str) -> Spread:
    """A measure of every run on the clean test set."""
    return Spread.from_tensor(on_set(subject, CLEAN, measure))


def shifted(subject: Subject, measure: str, types: Sequence[str] | None = None) -> Spread:
    """The mean of every run's measure over all corrupted sets, or over those of some types."""
    return Spread.from_tensor(over_shift(subject, measure, types))


def clean_ensemble(subject: Subject, measure: str) -> Spread | None:
    """The measure of the runs' averaged predictions, of lockstep ones; None for a single model."""
    if is_single(subject):
        return None
    return Spread.from_tensor(on_set(subject, CLEAN, measure, ensemble=len(subject.seeds) > 1))


def shifted_ensemble(
    subject: Subject, measure: str, types: Sequence[str] | None = None
) -> Spread | None:
    """The mean of the averaged predictions' measure over corrupted sets, as `shifted`."""
    if is_single(subject):
        return None
    return Spread.from_tensor(over_shift(subject, measure, types, ensemble=len(subject.seeds) > 1))


def is_single(subject: Subject) -> bool:
    """Whether there is no more than one model, of which nothing can be averaged."""
    return len(subject.seeds) == 1 and len(subject.seeds[0]) == 1
