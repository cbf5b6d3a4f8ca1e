"""A figure with its 95 % interval and the number of inputs it rests on."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from arcal.auditing._acting import TARGETS, coverage_name
from arcal.calibration import Bootstrap, ece_by_chance, exact_interval
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import Clusters
from arcal.calibration.few_errors import ENOUGH, errors_of
from arcal.calibration.weighted import (
    effective_numbers,
    effective_of,
    weighted_mean,
)

RANGES = {
    "accuracy": (0.0, 1.0),
    "confidence": (0.0, 1.0),
    "gap": (-1.0, 1.0),
    "ece": (0.0, 1.0),
    "smooth_ece": (0.0, 1.0),
    "nll": (0.0, math.inf),
    "brier": (0.0, 2.0),
    "aurc": (0.0, 1.0),
    "positive.probability": (0.0, 1.0),
    "positive.frequency": (0.0, 1.0),
    **{coverage_name(target): (0.0, 1.0) for target in TARGETS},
    "difference.accuracy": (-1.0, 1.0),
    "difference.confidence": (-1.0, 1.0),
    "difference.frequency": (-1.0, 1.0),
    "difference.gap": (-2.0, 2.0),
    "difference.nll": (-math.inf, math.inf),
    "difference.brier": (-2.0, 2.0),
    "difference.aurc": (-1.0, 1.0),
    "difference.churn": (0.0, 1.0),
    "difference.negative_flips": (0.0, 1.0),
    "difference.positive_flips": (0.0, 1.0),
}
"""The range of each figure; a change counts as a difference."""

SIGNIFICANCE = 0.05
"""How often an interval may be wrong, or a verdict be given where there is nothing."""


@dataclass(frozen=True)
class Estimate:
    """A figure of a set of inputs, and its 95 % interval over random draws of such inputs.

    `n` is the number of inputs it rests on. For weighted inputs it is the effective number
    `(sum w)^2 / sum w^2`, rounded, or less for an accuracy that depends on a few heavy inputs that
    are unsure or wrong. An unknown value is nan, and so are the ends of an infinite value.

    >>> gap = Estimate(0.06, low=0.01, high=0.11, n=200)
    >>> gap.sign, Estimate(0.06, low=-0.04, high=0.16, n=50).sign
    (1, 0)
    """

    value: float
    low: float
    high: float
    n: int

    @property
    def sign(self) -> int:
        """1 if the whole interval is above 0, -1 if it is below, and 0 if it holds 0 or is nan."""
        return int(self.low > 0) - int(self.high < 0)

    @property
    def width(self) -> float:
        """The width of the interval."""
        return self.high - self.low

    def reaching(self, low: float, high: float) -> "Estimate":
        """The same figure, its interval extended to reach at least as far as these ends."""
        return replace(self, low=min(self.low, low), high=max(self.high, high))

    def named(self, name: str) -> dict[str, float]:
        """The value and the ends by their names in an audit: NAME, NAME.low, NAME.high."""
        return {name: self.value, f"{name}.low": self.low, f"{name}.high": self.high}


def from_draws(
    draws: Bootstrap, n: int, ends: tuple[float, float] | None = None, *, biased: bool = False
) -> Estimate:
    """A bootstrapped figure with its percentile interval, cut to the range `ends`.

    For a `biased` figure, such as an ECE, the interval is `outer`. A value outside the interval is
    large by chance, and the interval is stretched to it.
    """
    value = draws.estimate
    if not math.isfinite(value):
        return Estimate(value, math.nan, math.nan, n)
    least, most = ends or (-math.inf, math.inf)
    interval = draws.outer if biased else draws.percentile
    low, high = (min(max(end, least), most) for end in interval)
    return Estimate(value, low, high, n).reaching(value, value)


def estimates(
    draws: Mapping[str, Bootstrap], names: Iterable[str], n: int, *, cut: bool = True
) -> dict[str, Estimate]:
    """Figures with their intervals: outer for an ECE, percentile for others.

    They are cut to the range of each figure, unless `cut` is False, as it is for changes.
    """
    return {
        name: from_draws(draws[name], n, RANGES[name] if cut else None, biased="ece" in name)
        for name in names
    }


def ece_from(draws: Bootstrap, n: int, chance: float, gap: Estimate, wrong: float) -> Estimate:
    """A bootstrapped ECE, or smooth ECE: its outer interval, lowered if much of it may be chance.

    It is `stretched` to the `gap`. 95 % of a calibrated model's ECEs are below `chance`. Resampling
    adds less to the ECE of a calibrated model than the first sampling did, so its interval would
    exclude 0 in a third of all cases, and that of a smooth ECE in most. But an ECE is a distance:
    that of a sample exceeds the true one by at most the ECE of what chance alone adds to the bins.
    So if the ECE is at most twice `chance`, the interval begins at the ECE minus `chance`, or at 0.
    """
    estimate = stretched(from_draws(draws, n, (0, 1), biased=True), gap, wrong)
    if not estimate.value <= 2 * chance:
        return estimate
    return replace(estimate, low=max(min(estimate.low, estimate.value - chance), 0.0))


def stretched(ece: Estimate, gap: Estimate, wrong: float) -> Estimate:
    """A bootstrapped ECE, or smooth ECE, its interval stretched if few inputs are `wrong`.

    The draws contain no errors but those seen. An ECE is never less than the absolute gap, so if
    fewer than 100 inputs are wrong its interval reaches up as far as that of the gap.
    """
    return replace(ece, high=max(ece.high, -gap.low, gap.high)) if wrong < ENOUGH else ece


def ece_estimate(
    draws: Bootstrap,
    confidence: Tensor,
    correct: Tensor,
    n: int,
    *,
    weights: Tensor | None = None,
    clusters: Clusters | None = None,
    resamples: int,
) -> Estimate:
    """`ece_from` for inputs whose `confidence`, `correct` and `weights` are `(N,)`."""
    everything = torch.zeros(len(confidence), dtype=torch.int64, device="cpu")
    chance = Chance(confidence, clusters=clusters)
    by_chance = ece_by_chance(chance, everything, 1, weights=weights, resamples=resamples)
    w = as_weights(weights, len(confidence))
    gap = gap_of(confidence, correct, w, clusters)
    wrong = errors_of(correct, w, clusters)
    return ece_from(draws, n, by_chance.quantile(0.95).item(), gap, wrong)


def accuracies(right: Tensor, effective: Tensor) -> list[Estimate]:
    """Shares `right / effective` of groups `(G,)` with exact Clopper-Pearson intervals.

    With weighted inputs both may be fractions. An empty group is nan.
    """
    low, high = exact_interval(right, effective)
    ends = zip(right.tolist(), effective.tolist(), low.tolist(), high.tolist(), strict=True)
    return [
        Estimate(x / n, a, b, round(n)) if n else Estimate(math.nan, math.nan, math.nan, 0)
        for x, n, a, b in ends
    ]


def accuracy_from(share: float, effective: float) -> Estimate:
    """One accuracy with its exact interval."""
    right = min(share, 1.0) * effective  # two sums of the same weights may differ in the last bit
    pair = torch.tensor([[right], [effective]], dtype=torch.float64, device="cpu")
    (accuracy,) = accuracies(*pair)
    return accuracy


def farther(shares: Sequence[Estimate], significance: float) -> list[tuple[float, float]]:
    """By what factors the ends of exact intervals are farther from each share than at 5 %."""
    n = torch.tensor([one.n for one in shares], dtype=torch.float64, device="cpu")
    p = torch.tensor([one.value for one in shares], dtype=torch.float64, device="cpu").clamp(0, 1)
    usual, wanted = (exact_interval(p * n, n, 1 - one) for one in (SIGNIFICANCE, significance))
    factors = [
        torch.where(one != p, (end - p) / (one - p), 1)
        for one, end in zip(usual, wanted, strict=True)
    ]
    return list(zip(*(one.tolist() for one in factors), strict=True))


def jointly(shares: Sequence[Estimate]) -> list[Estimate]:
    """Shares of G groups with joint intervals: in 95 % of draws all of them hold at once.

    Each has the confidence 1 - 0.05 / G (Bonferroni), so it also holds for a group that was picked
    because it stands out. The interval of a single group stays as it is. Each group has one input
    or more.

    >>> one = accuracy_from(0.9, 100)
    >>> low, high = exact_interval(torch.tensor([90]), torch.tensor([100]), 1 - 0.05 / 2)
    >>> both = jointly([one, one])
    >>> round(both[0].low - low.item(), 9), round(both[0].high - high.item(), 9)
    (0.0, 0.0)
    """
    factors = farther(shares, SIGNIFICANCE / max(len(shares), 1))
    return [
        replace(
            one,
            low=one.value - below * (one.value - one.low),
            high=one.value + above * (one.high - one.value),
        )
        for one, (below, above) in zip(shares, factors, strict=True)
    ]


def gap_to(accuracy: Estimate, confidence: float) -> Estimate:
    """Confidence minus accuracy, the confidence taken as given."""
    value, low, high = (confidence - end for end in (accuracy.value, accuracy.high, accuracy.low))
    return Estimate(value, low, high, accuracy.n)


def gap_of(
    confidence: Tensor, correct: Tensor, weights: Tensor, clusters: Clusters | None = None
) -> Estimate:
    """The gap of inputs whose `confidence`, `correct` and `weights` are `(N,)`."""
    right, sure = (weighted_mean(one, weights).item() for one in (correct, confidence))
    n = effective_of(weights, confidence, correct, clusters)
    return gap_to(accuracy_from(right, n), sure)


def counted(
    confidence: Tensor,
    correct: Tensor,
    weights: Tensor,
    groups: Tensor,
    G: int,
    clusters: Clusters | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """How many inputs of each of G groups are right, of how many, and the mean confidence, `(G,)`.

    Last comes how many they are if the model is calibrated, which does not depend on what is right.
    Numbers are those of `effective_numbers`, which has the same arguments.
    """
    whole, right, sure = (
        torch.bincount(groups, weights=values, minlength=G).double()
        for values in (weights, weights * correct, weights * confidence)
    )
    given = weights, confidence, groups, G
    n_if_calibrated, n = (effective_numbers(*given, one, clusters) for one in (None, correct))
    share = (right / whole).nan_to_num(0).clamp(max=1)
    return share * n, n, sure / whole, n_if_calibrated
