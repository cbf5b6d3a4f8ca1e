"""The confidence from which on a model may act alone."""

import math
from dataclasses import dataclass
from functools import cache

import torch
from scipy.special import betainc
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_weights
from arcal.calibration.clusters import as_numbers
from arcal.calibration.selective import by_confidence, evenly
from arcal.errors import ArcalError

STARTS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""The coverages at which `act_above` begins to test thresholds."""

TESTED = 1000
"""The most thresholds that `act_above` tests, at about equally spaced coverages."""

TESTED_IN_CLUSTERS = 100
"""The most if inputs have weights or clusters: each test then sums over all inputs."""

BETS = (0.5, *(1 / 12,) * 6)
"""p_k: what is bet on lambda_k, which is lambda_0 / 2^k."""


@dataclass(frozen=True)
class Threshold:
    """A confidence from which on a model reaches an `accuracy`: see `act_above`.

    `coverage` is the share of inputs that reach it, by weight if they have weights, `n` their
    number, and `share_right` the share of these that are right.

    >>> act_above(torch.ones(1000), torch.arange(1000) > 0, accuracy=0.99).share_right
    0.999
    """

    accuracy: float
    confidence: float
    coverage: float
    n: int
    share_right: float


def act_above(
    confidence: TensorLike,
    correct: TensorLike,
    accuracy: float,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    significance: float = 0.05,
) -> Threshold | None:
    """The lowest confidence above which predictions are shown to be right often enough.

    Act on new inputs, drawn from the same distribution as these N, whose confidence is at least the
    threshold. Then the chance is at most `significance` that the model is right on less than a
    share of `accuracy` of the inputs that it acts on. The result is None if no threshold passes the
    test. At an `accuracy` of 0.99 and a `significance` of 0.05 this takes at least 459 inputs, all
    of them right.

    Thresholds are tested from the top down. If n inputs reach a threshold, and e of them are wrong,
    it passes if so few errors are unlikely at a lower accuracy,

        P(X <= e) <= significance / 5    for X ~ Binomial(n, 1 - accuracy).

    Tests begin at coverages of 5, 10, 20, 40 and 80 % and go on from each until one fails: fixed
    sequences with several starts, as in Learn then Test (Angelopoulos, Bates, Candès, Jordan and
    Lei, 2021). The chance of an error is that of the five starts together, however many thresholds
    there are. Given the confidences, the number of errors varies less than X if their chances are
    unequal (Hoeffding, 1956), so the test is conservative.

    With `weights` `(N,)`, 0 or more and not all equal, or `clusters` int64 `(N,)`, the number of
    the cluster of each input, only clusters are taken to be independent, and their errors may come
    together in any way; without clusters each input is one. The excess of errors in cluster g is

        D_g = sum_{i in g, c_i >= t} w_i (e_i - (1 - accuracy)),    e_i = 1 for an error, else 0

    If the model were right too rarely, the D_g would be 0 or more in the mean, and so, by the
    inequality of the arithmetic and the geometric mean, the expectation of

        E = sum_k p_k prod_g (1 - lambda_k D_g),    lambda_k max_g (largest possible D_g) = 2^-k

    would be at most 1: E is an e-value (Vovk and Wang, 2021), the gain of bets that the model is
    right often enough. A threshold passes if E >= 5 / significance, which is at most as likely as
    significance / 5 (Markov). At an accuracy of 0.99 this takes at least 528 clusters of one size,
    all of them right. This holds for inputs with these weights, and clusters of these sizes.

    Other arguments as in `selective_accuracy`; `accuracy` and `significance` lie within (0, 1).
    Anything else, and no inputs, raise `ArcalError`.

    >>> confidence = torch.linspace(0, 1, 5000)
    >>> correct = torch.rand(5000, generator=torch.Generator().manual_seed(0)) < confidence.sqrt()
    >>> threshold = act_above(confidence, correct, accuracy=0.9)
    >>> 0.6 < threshold.confidence < 0.8, threshold.share_right > 0.9
    (True, True)
    >>> patients = torch.arange(5000) % 500
    >>> 0.7 < act_above(confidence, correct, accuracy=0.9, clusters=patients).confidence < 0.9
    True
    """
    if not 0 < accuracy < 1 or not 0 < significance < 1:
        raise ArcalError(
            f"accuracy and significance must lie within (0, 1), not {accuracy} and {significance}: "
            "0.99 and 0.05 are usual"
        )
    order, confidence, right, last = by_confidence(confidence, correct)
    w = as_weights(weights, len(order))[order]
    w = w / w.max()
    number = None if clusters is None else as_numbers(clusters, len(order))[order]
    independent = number is None and bool((w[w > 0] == 1).all())
    whole, hits = w.cumsum(0), (w * right).cumsum(0)
    last = last[whole[last].diff(prepend=whole.new_zeros(1)) > 0]
    last = last[evenly(whole[last], TESTED if independent else TESTED_IN_CLUSTERS)]
    whole, hits = whole[last], hits[last]
    excess = w * ((~right).double() - (1 - accuracy))

    @cache
    def passes(i: int) -> bool:
        if independent:
            n, right = whole[i].item(), hits[i].item()
            return right > 0 and betainc(right, n - right + 1, accuracy) <= each
        rows = slice(int(last[i]) + 1)
        D = excess[rows] if number is None else torch.bincount(number[rows], excess[rows])
        size = w[rows] if number is None else torch.bincount(number[rows], w[rows])
        return _gain(D, accuracy * size.max().item()) >= -math.log(each)

    each, lowest = significance / len(STARTS), -1
    for start in STARTS:
        i = int((whole < start * whole[-1]).sum())
        while i < len(last) and passes(i):
            lowest, i = max(lowest, i), i + 1
    if lowest < 0:
        return None
    coverage, share = (whole / whole[-1])[lowest].item(), (hits / whole)[lowest].item()
    n = int((w > 0)[: last[lowest] + 1].sum())
    return Threshold(accuracy, confidence[last[lowest]].item(), coverage, n, share)


def _gain(D: Tensor, most: float) -> float:
    """The logarithm of E for excesses D `(G,)` of errors, none of which can exceed `most`.

    >>> _gain(torch.full((3,), -0.1, dtype=torch.float64), 0.9)  # three right, at 90 %
    0.2002...
    """
    p = torch.tensor(BETS, dtype=torch.float64, device="cpu")
    lambdas = [0.5**k / most for k in range(len(BETS))]
    gains = [torch.log1p(-(one * D).clamp(max=1)).sum() for one in lambdas]
    return torch.logsumexp(torch.stack(gains) + p.log(), 0).item()
