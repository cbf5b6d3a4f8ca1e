"""The confidence from which on a model may act alone."""

from dataclasses import dataclass

import torch
from scipy.special import betainc, betaincc
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
"""The most if inputs are in clusters: each test then sums over all inputs."""


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
    level: float = 0.95,
) -> Threshold | None:
    """The lowest confidence above which predictions are shown to be right often enough.

    Act on new inputs, drawn from the same distribution as these N, whose confidence is at least the
    threshold. Then the chance is at most 1 - `level` that the model is right on less than a share
    of `accuracy` of the inputs that it acts on. The result is None if no threshold passes the test.
    At an `accuracy` of 0.99 and a `level` of 0.95 this takes at least 459 inputs, all
    of them right.

    Thresholds are tested from the top down. If n inputs reach a threshold, and e of them are wrong,
    it passes if so few errors are unlikely at a lower accuracy,

        P(X <= e) <= (1 - level) / 5    for X ~ Binomial(n, 1 - accuracy).

    Tests begin at coverages of 5, 10, 20, 40 and 80 % and go on from each until one fails: fixed
    sequences with several starts, as in Learn then Test (Angelopoulos, Bates, Candès, Jordan and
    Lei, 2021). The chance of an error is that of the five starts together, however many thresholds
    there are. Given the confidences, the number of errors varies less than X if their chances are
    unequal (Hoeffding, 1956), so the test is conservative.

    With `weights` `(N,)`, 0 or more, each input counts by its weight. `clusters` int64 `(N,)` says
    which inputs belong together, by number: only clusters are then taken to be independent. The
    test is the same, with the effective number of inputs for n, and for e the same share of it as
    the errors have of the weight. The effective number allows for errors that come together but
    have not been seen yet: it is that of the inputs above the threshold and one more cluster, which
    is wrong throughout. With W_g the weight of cluster g above the threshold, E_g that of its
    errors, W and E their sums, and W* = sum W_g^2 / W the weight of that cluster,

        r* = (E + W*) / (W + W*)
        n = W (W + W*) r* (1 - r*) / [sum (E_g - r* W_g)^2 + (1 - r*)^2 W*^2]

    but at most W^2 / sum w_i^2. If few clusters are heavy, the inputs above a threshold may by
    chance come from none of them. With V_g the weight of all of cluster g, let S be the share of
    sum w_i V_g(i) that lies above the threshold, and k the share of a cluster's inputs that do, as
    a mean over the clusters. If S is below k, W* is at least sum V_g^3 / sum V_g^2, unless heavy
    clusters are shown to be less confident: unless P(X <= S m) is below (1 - `level`) / 5 for
    X ~ Binomial(m, k), with m = (sum V_g^2)^2 / sum V_g^4. Without clusters, each input is one.
    If all clusters have one size, and each is right or wrong throughout, n is their number, and the
    test is exact: at an accuracy of 0.99 it takes at least 459 of them.

    Other arguments as in `selective_accuracy`; `accuracy` and `level` lie within (0, 1).
    Anything else, and no inputs, raise `ArcalError`.

    >>> confidence = torch.linspace(0, 1, 5000)
    >>> correct = torch.rand(5000, generator=torch.Generator().manual_seed(0)) < confidence.sqrt()
    >>> threshold = act_above(confidence, correct, accuracy=0.9)
    >>> 0.6 < threshold.confidence < 0.8, threshold.share_right > 0.9
    (True, True)
    >>> patients = torch.arange(5000) % 500
    >>> threshold.coverage, act_above(confidence, correct, 0.9, clusters=patients).coverage
    (0.3412, 0.3...)
    """
    if not 0 < accuracy < 1 or not 0 < level < 1:
        raise ArcalError(
            f"accuracy and level must lie within (0, 1), not {accuracy} and {level}: "
            "0.99 and 0.95 are usual"
        )
    order, confidence, right, last = by_confidence(confidence, correct)
    w = as_weights(weights, len(order))[order]
    w = w / w.max()
    number = None if clusters is None else as_numbers(clusters, len(order))[order]
    whole, wrong = w.cumsum(0), (w * ~right).cumsum(0)
    last = last[whole[last].diff(prepend=whole.new_zeros(1)) > 0]
    last = last[evenly(whole[last], TESTED if number is None else TESTED_IN_CLUSTERS)]
    whole, wrong = whole[last], wrong[last]
    allowed = (1 - level) / len(STARTS)
    n = _effective_number(w, ~right, number, last, _unseen_weight(w, number, last, allowed))
    hits = n * (1 - wrong / whole)
    p = betainc(hits.clamp(min=1e-9).numpy(), (n - hits + 1).numpy(), accuracy)
    passes = torch.as_tensor(p <= allowed, device="cpu") & (hits > 0)
    lowest = -1
    for start in STARTS:
        first = int((whole < start * whole[-1]).sum())
        run = int(passes[first:].long().cumprod(0).sum())  # until one fails
        lowest = max(lowest, first + run - 1) if run else lowest
    if lowest < 0:
        return None
    coverage, share = (whole / whole[-1])[lowest].item(), (1 - wrong / whole)[lowest].item()
    reached = int((w > 0)[: last[lowest] + 1].sum())
    return Threshold(accuracy, confidence[last[lowest]].item(), coverage, reached, share)


def _unseen_weight(w: Tensor, number: Tensor | None, last: Tensor, allowed: float) -> Tensor:
    """The weight `(T,)` of a cluster that the inputs up to each place `last` may lack by chance.

    It is 0 where they have their share of the heavy clusters, or these are shown to come later.
    """
    there = (w > 0).double()
    V, size = w, there
    if number is not None:
        V, size = (torch.bincount(number, one)[number] for one in (w, there))
    heavy, part = w * V, there / size.clamp(min=1)
    share, k = (one.cumsum(0)[last] / one.sum() for one in (heavy, part))
    m = (heavy.sum().square() / (heavy * V.square()).sum()).item()
    hits = (share * m).clamp(max=m)
    as_few = betaincc(
        (hits + 1).numpy(), (m - hits).clamp(min=1e-9).numpy(), k.clamp(max=1).numpy()
    )
    lack = (share < (1 - 1e-9) * k) & torch.as_tensor(as_few > allowed, device="cpu")
    return torch.where(lack, (heavy * V).sum() / heavy.sum(), 0)


def _effective_number(
    w: Tensor, e: Tensor, number: Tensor | None, last: Tensor, unseen: Tensor
) -> Tensor:
    """The effective number of the inputs up to each place `last` `(T,)`, as in `act_above`.

    The cluster that is added has a weight of at least `unseen` `(T,)`.
    """
    W, E, squares = (one.cumsum(0)[last] for one in (w, w * e, w.square()))
    if number is None:
        WW, WE = squares, (w.square() * e).cumsum(0)[last]
        EE = WE
    else:
        products = []
        for k in (last + 1).tolist():
            W_g, E_g = (torch.bincount(number[:k], one[:k]) for one in (w, w * e))
            products.append(torch.stack([W_g @ W_g, W_g @ E_g, E_g @ E_g]))
        WW, WE, EE = torch.stack(products).unbind(1)
    more = torch.maximum(WW / W, unseen)  # the weight W* of the cluster that is added
    r = (E + more) / (W + more)
    variance = EE - 2 * r * WE + r.square() * WW + ((1 - r) * more).square()
    n, most = W * r * (1 - r) * (W + more) / variance, W.square() / squares
    return torch.where(n < (1 - 1e-9) * most, n, most)
