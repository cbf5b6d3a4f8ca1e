"""Two methods over the same seeds: how much a figure differs, and whether by chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from scipy.special import stdtr, stdtrit

from arcal.auditing._measures import CLEAN, EvaluationSet
from arcal.auditing._predictions import check_same_inputs
from arcal.auditing._shift import Spread, on_set, over_shift
from arcal.auditing._subject import Subject
from arcal.calibration import holm
from arcal.errors import ArcalError

TESTED = ("accuracy", "ece", "nll", "brier")
"""The measures that are compared by default."""

ROUNDING = 1e-12
"""Differences no farther apart count as equal: figures are sums of up to millions of numbers."""


@dataclass(frozen=True)
class PairedDifference:
    """One figure of a method minus that of another, seed by seed.

    `ours` and `other` have the figures of n seeds in the same order, `mean` is the mean of their
    differences, and `low` to `high` its 95 % interval by Student's t. `p` is the two-sided p-value
    of the paired t-test, and `corrected` the same after Holm's correction for all measures that
    were compared. If all differences are the same and not 0, the interval is nan and `p` is that of
    the sign test. `lower` counts the seeds for which ours is lower. All this is about other seeds
    on the same data; for other test inputs see the intervals of `difference`. Made by
    `paired_differences`.
    """

    ours: Spread
    other: Spread
    mean: float
    low: float
    high: float
    p: float
    corrected: float
    lower: int


def paired_differences(
    subject: Subject,
    other: Subject,
    measures: Sequence[str] = TESTED,
    *,
    where: EvaluationSet | Literal["shift"] = CLEAN,
) -> dict[str, PairedDifference]:
    """Compare two methods by each of `measures`, over the seeds that both have.

    `where` is a set that both were evaluated on, or "shift" for the mean over all corrupted sets.
    The p-values of all `measures` are corrected as one family. Fewer than two common seeds, and
    different inputs, raise `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> sure = [[[z, 0.0]] * 4 for z in (3.0, 4.0, 5.0)]  # of three seeds
    >>> runs = [as_predictions(logits=one, labels=[0, 0, 0, 1]) for one in sure]
    >>> mild = [as_predictions(logits=torch.tensor(one) / 2, labels=[0, 0, 0, 1]) for one in sure]
    >>> plain, mine = (Subject.from_predictions("", {CLEAN: some}) for some in (runs, mild))
    >>> by = paired_differences(mine, plain)
    >>> round(by["nll"].mean, 3), round(by["nll"].p, 3), by["nll"].lower
    (-0.389, 0.055, 3)
    >>> by["accuracy"].mean, by["accuracy"].p
    (0.0, 1.0)
    """
    places = [{seed: i for i, seed in enumerate(one.seeds)} for one in (subject, other)]
    shared = [seed for seed in subject.seeds if seed in places[1]]
    if len(shared) < 2:
        raise ArcalError(
            f"{subject.name} and {other.name} share {len(shared)} seeds, and a paired test needs "
            "two or more: give runs of the same seeds, and seeds= where these are not 0, 1, ..."
        )
    for one in subject.predictions.keys() & other.predictions.keys():
        check_same_inputs([subject.predictions[one][0], other.predictions[one][0]])

    def values(one: Subject, place: dict[tuple[int, ...], int], measure: str) -> torch.Tensor:
        every = over_shift(one, measure) if where == "shift" else on_set(one, where, measure)
        if len(every) != len(place):
            raise ArcalError(f"{measure} is one figure of all runs: name one that each run has")
        return every[[place[seed] for seed in shared]]

    pairs = [(values(subject, places[0], m), values(other, places[1], m)) for m in measures]
    tests = [paired_t(ours - theirs) for ours, theirs in pairs]
    corrected = holm([p for *_, p in tests])
    compared = {}
    for name, (ours, theirs), test, adjusted in zip(measures, pairs, tests, corrected, strict=True):
        mean, low, high, p = test
        compared[name] = PairedDifference(
            ours=Spread.from_tensor(ours),
            other=Spread.from_tensor(theirs),
            mean=mean,
            low=low,
            high=high,
            p=p,
            corrected=adjusted,
            lower=int((ours < theirs).sum()),
        )
    return compared


def paired_t(differences: torch.Tensor) -> tuple[float, float, float, float]:
    """The mean of differences `(n,)`, the ends of its 95 % interval, and the two-sided p-value.

    If all differences are the same, up to rounding, they do not show how much they vary; this is
    common for two or three accuracies on the same few inputs. The ends are then nan, and the
    p-value is that of the sign test, 2^(1 - n). If all are 0, so are the ends, and the p-value is
    1.

    >>> [round(x, 3) for x in paired_t(torch.tensor([1.0, 2.0, 3.0]))]
    [2.0, -0.484, 4.484, 0.074]
    >>> paired_t(torch.tensor([0.5, 0.5, 0.5]))
    (0.5, nan, nan, 0.25)
    """
    n, d = len(differences), differences.double()
    mean = float(d.mean())
    if float(d.max() - d.min()) <= ROUNDING:
        if abs(mean) <= ROUNDING:
            return 0.0, 0.0, 0.0, 1.0
        return mean, math.nan, math.nan, 2.0 ** (1 - n)
    error = float(d.std(correction=1)) / n**0.5
    half = float(stdtrit(n - 1, 0.975)) * error
    return mean, mean - half, mean + half, float(2 * stdtr(n - 1, -abs(mean) / error))
