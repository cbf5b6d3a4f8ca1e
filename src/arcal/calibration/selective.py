"""Selective prediction: accuracy on the most confident inputs.

A model *acts* only on inputs of at least some confidence and leaves the others to somebody else.
Its coverage is the share of inputs that it acts on.
"""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.bins import differ
from arcal.calibration.checks import as_confidence, as_correct, as_scores, as_weights
from arcal.calibration.clusters import Clusters, as_clusters, summed
from arcal.calibration.few_errors import ENOUGH, errors_of, few_errors_interval
from arcal.calibration.intervals import exact_interval
from arcal.calibration.weighted import effective_number, weighted_mean, widening
from arcal.errors import ArcalError

NORMAL = 1.959964
"""95 % of a normal distribution lie within this many standard deviations."""


@dataclass(frozen=True)
class SelectiveAccuracy:
    """The accuracy on the inputs whose confidence reaches each of T thresholds.

    `threshold` descends; `coverage` is the share of inputs that reach it; `accuracy` is their
    accuracy, `low` and `high` are the ends of its exact 95 % interval, and `n` is their number,
    with weights the effective one. All are float64 `(T,)`.

    >>> confidence = torch.tensor([0.5, 0.75, 0.75, 1.0])
    >>> curve = selective_accuracy(confidence, torch.tensor([False, True, False, True]))
    >>> curve.threshold.tolist(), curve.coverage.tolist(), curve.accuracy[0].item()
    ([1.0, 0.75, 0.5], [0.25, 0.75, 1.0], 1.0)
    """

    threshold: Tensor
    coverage: Tensor
    accuracy: Tensor
    low: Tensor
    high: Tensor
    n: Tensor


def selective_accuracy(
    confidence: TensorLike,
    correct: TensorLike,
    points: int | None = None,
    *,
    weights: TensorLike | None = None,
) -> SelectiveAccuracy:
    """The curve of accuracy over coverage: the complement of the risk-coverage curve.

    `confidence` `(N,)` may be any score that is larger where the model is surer, such as a distance
    to the boundary, and may be infinite; `correct` bool `(N,)` says which predictions are right.
    The thresholds are all different confidences, or at most `points` of them at about equally
    spaced coverages, of which the last is 1. Inputs of equal confidence, up to a relative rounding
    of 2**-46, are accepted together. With `weights` `(N,)`, 0 or more, coverage and accuracy are
    shares of the weight, and intervals are those of the effective number (sum w)^2 / sum w^2. No
    inputs, nan, and wrong shapes or types raise `ArcalError`.

    >>> confidence, correct = torch.linspace(0.5, 1, 101), torch.arange(101) > 50
    >>> curve = selective_accuracy(confidence, correct, points=2)
    >>> curve.coverage, curve.accuracy
    (tensor([0.5050, 1.0000], dtype=torch.float64), tensor([0.9804, 0.4950], dtype=torch.float64))
    """
    order, confidence, right, last = by_confidence(confidence, correct)
    w = as_weights(weights, len(order))[order]
    w = w / w.max()
    whole, hits, squares = (one.cumsum(0) for one in (w, w * right, w.square()))
    last = last[whole[last].diff(prepend=whole.new_zeros(1)) > 0]
    if points is not None:
        last = last[evenly(whole[last], points)]
    whole, hits, per = whole[last], hits[last], whole[last] / squares[last]
    low, high = exact_interval(hits * per, whole * per)
    share = hits / whole
    return SelectiveAccuracy(confidence[last], whole / whole[-1], share, low, high, whole * per)


def aurc(
    confidence: TensorLike, correct: TensorLike, *, weights: TensorLike | None = None
) -> float:
    """Area under the risk-coverage curve (Geifman and El-Yaniv, 2017), in [0, 1]; lower is better.

        AURC = sum_i w_i r(c_i) / sum_i w_i,   r(t) = sum_{c_j >= t} w_j e_j / sum_{c_j >= t} w_j

    where e is 1 for a wrong prediction, else 0: the mean over inputs of the error rate among all
    inputs that are at least as confident. It is 0 if all are right and 1 if all are wrong. It falls
    as the model becomes more accurate and as its confidence ranks its errors better; a confidence
    that ranks them at random has the error rate as its AURC. Arguments as in `selective_accuracy`;
    `weights` `(N,)` are 0 or more.

    >>> aurc([0.9, 0.8, 0.7, 0.6], torch.tensor([True, True, True, False]))
    0.0625
    """
    return aurc_parts(confidence, correct, weights).value


def aurc_interval(
    confidence: TensorLike,
    correct: TensorLike,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
) -> tuple[float, float]:
    """The ends of a 95 % interval of the `aurc` over draws of inputs.

    It is normal in the logit of the AURC, with the variance that `aurc_parts` gives, so it
    stays within [0, 1], and reaches further up than down if errors are few. Unequal weights widen
    it (`arcal.calibration.weighted.widening`). With fewer than 100 errors it also allows for one
    more error at any input (`arcal.calibration.few_errors`). If all inputs are right, or all wrong,
    it is the exact interval of the error rate, which is the AURC of a confidence that ranks errors
    at random. Arguments are those of `aurc`.

    `clusters` int64 `(N,)` are the numbers of inputs that belong together. The variance is then
    that of the influence summed over each cluster. How much the errors of a cluster come together
    is estimated from the confidences (`arcal.calibration.clusters.as_clusters`), which must be in
    [0, 1].

    >>> confidence, correct = torch.linspace(0.5, 1, 100), torch.arange(100) % 10 > 0
    >>> [round(end, 3) for end in aurc_interval(confidence, correct)], aurc(confidence, correct)
    ([0.029, 0.176], 0.0811...)
    """
    if clusters is None:
        return interval_of_aurc(confidence, correct, weights)
    p = as_confidence(confidence)
    right, w = as_correct(correct, len(p)), as_weights(weights, len(p))
    return interval_of_aurc(p, right, weights, as_clusters(clusters, p, right, w))


def interval_of_aurc(
    confidence: TensorLike,
    correct: TensorLike,
    weights: TensorLike | None = None,
    clusters: Clusters | None = None,
) -> tuple[float, float]:
    """`aurc_interval` where the `Clusters` are known already.

    >>> interval_of_aurc([0.5], [True])
    (0.0, 0.975)
    """
    value, influence, cost = aurc_parts(confidence, correct, weights)
    w, right = as_weights(weights, len(cost)), as_correct(correct, len(cost))
    if value in (0, 1):
        n = effective_number(w, clusters)
        low, high = exact_interval([value * n], [n])
        return low.item(), high.item()
    log_odds = torch.tensor(value, dtype=torch.float64, device="cpu").logit()
    variance = summed(influence, clusters).square().sum().item()
    reach = widening(w, clusters) * NORMAL * math.sqrt(variance) / (value * (1 - value))
    low, high = (log_odds - reach).sigmoid().item(), (log_odds + reach).sigmoid().item()
    if errors_of(right, w, clusters) < ENOUGH:
        few = few_errors_interval(
            ~right * cost, cost, ~right, weights=w, variance=variance, clusters=clusters
        )
        low, high = min(low, few[0]), min(max(high, few[1]), 1.0)
    return low, high


def by_confidence(
    confidence: TensorLike, correct: TensorLike
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The descending order `(N,)`, both arguments in it, and the last place of each confidence."""
    confidence = as_scores(confidence, "confidence")
    right = as_correct(correct, len(confidence))
    if not len(confidence):
        raise ArcalError("selective accuracy of no inputs is undefined: pass at least one")
    order = confidence.argsort(descending=True, stable=True)
    confidence = confidence[order]
    last = F.pad(differ(confidence), (0, 1), value=True)
    return order, confidence, right[order], last.nonzero()[:, 0]


def evenly(whole: Tensor, points: int) -> Tensor:
    """Where ascending `whole` `(T,)` first reaches each of `points` equal shares of its last."""
    if not isinstance(points, Integral) or points < 1:
        raise ArcalError(f"points must be a whole number, 1 or more, not {points}")
    wanted = torch.arange(1, points + 1, dtype=torch.float64, device="cpu") / points * whole[-1]
    return torch.searchsorted(whole, wanted).clamp(max=len(whole) - 1).unique()


class AURC(NamedTuple):
    """The AURC, the influence of each input on it, and the cost of an error there, both `(N,)`."""

    value: float
    influence: Tensor
    costs: Tensor


def aurc_parts(
    confidence: TensorLike, correct: TensorLike, weights: TensorLike | None = None
) -> AURC:
    """The `aurc` with what its interval needs. Arguments are those of `aurc`.

    The influence is how much each input would raise the AURC if it counted more, the derivative
    with respect to how often input k is counted, float64 with the sum 0. In the notation of `aurc`,

        U_k = w_k / W [r(c_k) - AURC + sum_{c_i <= c_k} w_i (e_k - r(c_i)) / W(c_i)]

    where `W(t) = sum_{c_j >= t} w_j` and W is the sum of all. By the infinitesimal jackknife
    (Jaeckel, 1972) sum_k U_k^2 is the variance of the AURC over draws of inputs, and for two scores
    of the same inputs sum_k (U_k - V_k)^2 is that of the difference.

    The AURC is also the weighted mean of e_k cost_k, with cost_k = sum_{c_i <= c_k} w_i / W(c_i),
    which is largest where the model is sure.

    >>> confidence, correct = torch.linspace(0.5, 1, 100), torch.arange(100) % 10 > 0
    >>> aurc_parts(confidence, correct).influence.square().sum().sqrt()  # the standard error
    tensor(0.0335, dtype=torch.float64)
    """
    order, _, right, last = by_confidence(confidence, correct)
    w, e = as_weights(weights, len(order))[order], (~right).double()
    block = torch.searchsorted(last, torch.arange(len(order), device="cpu"))  # equal confidences
    total, wrong = w.cumsum(0)[last][block], (w * e).cumsum(0)[last][block]
    risk = (wrong / total).nan_to_num(0)  # before any weight
    value = weighted_mean(risk, w)
    first = F.pad(last[:-1] + 1, (1, 0))[block]
    share = (w / total).nan_to_num(0)
    below, below_risk = (one.flip(0).cumsum(0).flip(0)[first] for one in (share, share * risk))
    influence, cost = torch.empty_like(w), torch.empty_like(w)
    influence[order] = w / w.sum() * (risk - value + e * below - below_risk)
    cost[order] = below
    return AURC(value.item(), influence, cost)
