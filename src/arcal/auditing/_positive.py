"""The probability of one class against its frequency: the calibration of a rare class, as a curve.

Confidence pools both classes of a binary classifier, so a few positives are hidden by thousands of
sure negatives. Here each input counts with its probability of one class, whatever is predicted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing._estimate import (
    Estimate,
    accuracies,
    accuracy_from,
    counted,
    ece_from,
    gap_to,
)
from arcal.auditing._groups import MISCALIBRATED, Verdict, verdicts
from arcal.auditing._predictions import Predictions
from arcal.calibration import Bootstrap, bootstrap_ece_by_group, ece_by_chance
from arcal.calibration.bins import ROUNDING
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_confidence, as_correct, as_weights, check_bins
from arcal.calibration.clusters import as_clusters
from arcal.calibration.draws import usual_resamples
from arcal.calibration.few_errors import errors_of
from arcal.calibration.weighted import (
    effective_of,
    weighted_mean,
    widening,
)
from arcal.errors import ArcalError
from arcal.printable import first_few, printable

BINS = 15


@dataclass(frozen=True)
class ProbabilityBin:
    """The `n` inputs whose probability of a class is in (`low`, `high`].

    `probability` is its mean, and `frequency` the share of them that belong to the class, with an
    exact 95 % interval. `verdict` is "over-confident" if the probability is too high, and
    "under-confident" if it is too low, as in a `Group`. Made by `calibration_curve`.
    """

    low: float
    high: float
    n: int
    probability: float
    frequency: Estimate
    verdict: Verdict

    @property
    def gap(self) -> Estimate:
        """The mean probability minus the frequency, the probabilities taken as given."""
        return gap_to(self.frequency, self.probability)


def calibration_curve(
    probability: TensorLike,
    positive: TensorLike,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    bins: int = BINS,
    binning: Literal["mass", "width"] = "mass",
) -> tuple[ProbabilityBin, ...]:
    """How often inputs belong to a class, by the `probability` `(N,)` in [0, 1] it was given.

    `positive` `(N,)` bool says which inputs belong to the class; N is at least 1. The K = `bins`
    bins are of equal mass: each has about N/K of the inputs, or 1/K of their weight. The
    probabilities of a rare class are nearly all near 0, so bins of equal width would put nearly all
    inputs into the first and leave too few for a verdict in the others. With `binning="width"` the
    bins are (k/K, (k+1)/K]. Equal probabilities share a bin, and empty bins are left out. Verdicts
    are corrected for the number of bins. With `weights` `(N,)`, 0 or more, sums are weighted and
    the interval is that of the effective number of inputs; `clusters` as in `overall`.

    Means and frequencies are those of scikit-learn's `calibration_curve`. Its "uniform" is width;
    its "quantile" is mass if K divides N, and otherwise may put inputs on an edge into the next
    bin. Other values, and no inputs, raise `ArcalError`.

    >>> probability, positive = torch.tensor([0.1, 0.2, 0.3, 0.8]), [False, False, True, True]
    >>> curve = calibration_curve(probability, torch.tensor(positive), bins=2)
    >>> [(round(one.probability, 2), one.frequency.value) for one in curve]
    [(0.15, 0.0), (0.55, 1.0)]
    """
    p, positives, w = _checked(probability, positive, weights)
    high = _upper_ends(p, w, bins, binning)
    k = _bin_numbers(p, high)
    together = as_clusters(clusters, p, positives, w)
    right, n, mean, calibrated = counted(p, positives, w, k, len(high), together)
    said, _ = verdicts(right, n, mean, calibrated)
    return _curve(k, high, bins if binning == "width" else None, right, n, mean, said)


@dataclass(frozen=True)
class ClassProbability:
    """The probability of class `z` against its frequency, over `n` inputs, with 95 % intervals.

    `frequency` is the share of the inputs that belong to the class, with an exact interval. `gap`
    is the mean `probability` minus the frequency: calibration in the large. `ece` is the class's
    part of the class-wise ECE (Kull et al., 2019), with 15 bins of equal width; with two classes it
    equals the class-wise ECE. `ece_if_calibrated` is what chance alone would give, see `Overall`.

    `bins` is the `calibration_curve` by equal mass, and `bins_of_equal_width` that by equal width.
    `verdict` is that of the gap, "over-confident" if the mean probability is too high. It is
    corrected together with those of `bins`. `miscalibrated` says whether any of them finds a
    miscalibration, which for a calibrated model has a chance of at most 5 %. Made by
    `class_probability`.
    """

    z: int
    n: int
    probability: float
    frequency: Estimate
    gap: Estimate
    ece: Estimate
    ece_if_calibrated: Estimate
    verdict: Verdict
    bins: tuple[ProbabilityBin, ...]
    bins_of_equal_width: tuple[ProbabilityBin, ...]

    @property
    def miscalibrated(self) -> bool:
        return any(one.verdict in MISCALIBRATED for one in (self, *self.bins))

    def bins_of(self, predictions: Predictions) -> Tensor:
        """The bin of each input in `bins` and in `bins_of_equal_width`, int64 `(N, 2)`."""
        p = probability_of(predictions, self.z)
        curves = (self.bins, self.bins_of_equal_width)
        ends = (p.new_tensor([one.high for one in bins]) for bins in curves)
        return torch.stack([_bin_numbers(p, high) for high in ends], dim=1)


def class_probability(
    predictions: Predictions,
    z: int = 1,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    resamples: int | None = None,
) -> ClassProbability:
    """How the probability of class `z` compares with its frequency, overall and by bin.

    `weights`, `clusters` and `resamples` as in `overall`. A class that does not exist raises
    `ArcalError`.

    >>> from arcal.auditing import as_predictions
    >>> rare = torch.tensor([[0.98, 0.02]] * 900 + [[0.4, 0.6]] * 100)
    >>> predictions = as_predictions(probabilities=rare, labels=[0] * 970 + [1] * 30)
    >>> one = class_probability(predictions)
    >>> [(round(one.probability, 2), one.frequency.value) for one in one.bins], one.verdict
    ([(0.02, 0.0), (0.6, 0.3)], 'over-confident')
    """
    if not 0 <= z < predictions.classes:
        raise ArcalError(f"z must be a class, 0 .. {predictions.classes - 1}, not {z}")
    p, positives, w = _checked(probability_of(predictions, z), predictions.labels == z, weights)
    N, everything = len(p), torch.zeros(len(p), dtype=torch.int64, device="cpu")
    mean, share = (weighted_mean(one, w).item() for one in (p, positives))
    together = as_clusters(clusters, p, positives, w)
    frequency = accuracy_from(share, effective_of(w, p, positives, together))
    gap = gap_to(frequency, mean)
    options = {
        "weights": None if weights is None else w,
        "resamples": usual_resamples(N) if resamples is None else resamples,
    }
    value, samples = bootstrap_ece_by_group(
        p, positives, everything, 1, clusters=clusters, **options
    )
    chance = ece_by_chance(Chance(p, clusters=together), everything, 1, **options)
    calibrated = Estimate(chance.mean().item(), 0.0, chance.quantile(0.95).item(), frequency.n)
    draws = Bootstrap(value.item(), samples[:, 0], 0.95, widening(w, together))
    rarer = min(errors_of(one, w, together) for one in (~positives, positives))
    high = _upper_ends(p, w, BINS, "mass")
    k = _bin_numbers(p, high)
    right, n, means, n_if_calibrated = (
        torch.cat([whole, parts])
        for whole, parts in zip(
            counted(p, positives, w, everything, 1, together),
            counted(p, positives, w, k, len(high), together),
            strict=True,
        )
    )
    (said, *by_bin), _ = verdicts(right, n, means, n_if_calibrated)
    return ClassProbability(
        z=z,
        n=N,
        probability=mean,
        frequency=frequency,
        gap=gap,
        ece=ece_from(draws, frequency.n, calibrated.high, gap, rarer),
        ece_if_calibrated=calibrated,
        verdict=said,
        bins=_curve(k, high, None, right[1:], n[1:], means[1:], by_bin),
        bins_of_equal_width=calibration_curve(
            p, positives, weights=weights, clusters=clusters, binning="width"
        ),
    )


def positive_class(name: str | None, classes: Sequence[str]) -> int | None:
    """The number of the class called `name`; without a name, the second of two, else None.

    A name that no class or more than one class has raises `ArcalError`.

    >>> positive_class("fraud", ["fraud", "legitimate"]), positive_class(None, ["no", "yes"])
    (0, 1)
    """
    if name is None:
        return 1 if len(classes) == 2 else None
    numbers = [z for z, one in enumerate(classes) if one == name]
    if len(numbers) == 1:
        return numbers[0]
    if numbers:
        raise ArcalError(
            f"positive is {printable(name)}, and {len(numbers)} classes have that name: give the "
            "classes names of their own"
        )
    near = get_close_matches(name, classes, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"the classes are {first_few(classes)}"
    raise ArcalError(f"positive is {printable(name)}, and there is no such class: {remedy}")


def probability_of(predictions: Predictions, z: int) -> Tensor:
    """The probability of class `z`, float64 `(N,)`."""
    return torch.cat([log_p[:, z].exp() for _, log_p in predictions.blocks()])


def _bin_numbers(probability: Tensor, high: Tensor) -> Tensor:
    """The bin of each probability by the ascending upper ends `(K,)` of bins, int64 `(N,)`.

    A probability that is above an end only by rounding counts as on it.
    """
    return torch.bucketize(probability.contiguous(), high[:-1] * (1 + ROUNDING), right=False)


def _checked(
    probability: TensorLike, positive: TensorLike, weights: TensorLike | None
) -> tuple[Tensor, Tensor, Tensor]:
    p = as_confidence(probability)
    if not len(p):
        raise ArcalError("there are no inputs: pass at least one probability")
    return p, as_correct(positive, len(p)), as_weights(weights, len(p))


def _upper_ends(p: Tensor, w: Tensor, bins: int, binning: str) -> Tensor:
    """The upper ends of the bins that hold inputs, the last of them 1."""
    check_bins(bins)
    if binning not in ("mass", "width"):
        raise ArcalError(f"binning must be 'mass' or 'width', not {binning!r}")
    inner = torch.arange(1, bins, dtype=torch.float64, device="cpu") / bins
    if binning == "mass":
        p_ascending, order = p.sort()
        reached = w[order].cumsum(0)
        # the lowest probability up to which there is this much weight; sums may be rounded
        first = torch.searchsorted(reached, inner * reached[-1] * (1 - ROUNDING))
        inner = p_ascending[first]
    high = torch.cat([inner, torch.ones(1, dtype=torch.float64, device="cpu")])
    high = high[_bin_numbers(p, high).unique()]
    high[-1] = 1 if binning == "mass" else high[-1]
    return high


def _curve(
    k: Tensor,
    high: Tensor,
    width: int | None,
    right: Tensor,
    n: Tensor,
    mean: Tensor,
    said: Sequence[Verdict],
) -> tuple[ProbabilityBin, ...]:
    sizes, ends = torch.bincount(k, minlength=len(high)).tolist(), high.tolist()
    lows = [0.0, *ends[:-1]] if width is None else [round(width * e - 1) / width for e in ends]
    columns = zip(lows, ends, sizes, mean.tolist(), accuracies(right, n), said, strict=True)
    return tuple(ProbabilityBin(*column) for column in columns)
