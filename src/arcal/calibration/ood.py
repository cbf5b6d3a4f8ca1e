"""Out-of-distribution data (section 5.5): predictive entropy, its histogram (Figure 4), AUROC.

In-distribution inputs are the positive class: a *score* here is larger for inputs that appear to be
in-distribution. Confidence is such a score, and so is the negative entropy.
"""

import math

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration.checks import as_scores, as_weights, check_log_probabilities
from arcal.calibration.weighted import weighted_mean
from arcal.errors import ArcalError

ROUNDING = 1e-6
"""How far rounding may take an entropy out of [0, log Z], relative to log Z."""


def entropy(log_probabilities: TensorLike) -> Tensor:
    """Predictive entropy -sum_z p_z log p_z in nats, `(N,)` float64 in [0, log Z].

    `log_probabilities` `(N, Z)` are the log-softmax of a model's logits or the `average` of an
    ensemble; with probabilities instead, the entropy of a nearly certain prediction would be lost
    to rounding. A logarithm of -inf contributes exactly 0. Anything that is not a log-softmax
    raises `ArcalError`.

    >>> entropy(torch.tensor([[0.5, 0.5], [1.0, 0.0]]).log())
    tensor([0.6931, 0.0000], dtype=torch.float64)
    """
    log_probabilities = as_tensor(log_probabilities, "log_probabilities")
    check_log_probabilities(log_probabilities, "log_probabilities")
    log_probabilities = log_probabilities.detach().cpu().double()
    p = log_probabilities.exp()
    terms = torch.where(p > 0, -p * log_probabilities, 0.0)
    return terms.sum(1).clamp(0, math.log(p.shape[1]))  # rounding may leave the interval


def auroc(
    scores_in: TensorLike, scores_out: TensorLike, *, weights: TensorLike | None = None
) -> float:
    """Area under the ROC curve, in [0, 1]: P(in > out) + P(in = out) / 2 over all pairs.

    `scores_in` `(N,)` and `scores_out` `(M,)` are larger for inputs that appear in-distribution: 1
    is perfect separation, 0.5 none. Ties, which are frequent where confidence saturates at 1.0,
    count half; scores may be infinite. Pairs are counted in integers, so the result is rounded only
    once. `weights` `(N,)`, 0 or more, are those of `scores_in`. Empty scores, nan or a wrong shape
    raise `ArcalError`.

    >>> auroc(torch.tensor([0.75, 1.0]), torch.tensor([0.5, 0.75]))
    0.875
    """
    inside, outside = _as_scores(scores_in, "scores_in"), _as_scores(scores_out, "scores_out")
    outside = outside.sort().values
    below = torch.searchsorted(outside, inside)
    not_above = torch.searchsorted(outside, inside, right=True)
    wins, w = below + not_above, as_weights(weights, len(inside))
    if weights is None:
        return int(wins.sum()) / (2 * len(inside) * len(outside))
    return (weighted_mean(wins, w) / (2 * len(outside))).item()


def entropy_shares(
    entropy: TensorLike, Z: int, bins: int = 50, *, weights: TensorLike | None = None
) -> Tensor:
    """The share of entropies `(N,)` in each of K = `bins` bins of [0, log Z] nats, float64 `(K,)`.

    The bins are of equal width; the last one includes log Z. With `weights` `(N,)`, 0 or more, they
    are shares of the total weight. Without entropies they are nan. An entropy that is nan or
    outside the interval by more than rounding, a wrong shape, fewer than two classes or no bins
    raise `ArcalError`.

    >>> entropy_shares(torch.tensor([0.0, 0.25, 0.5, 1.0]), Z=3, bins=2)
    tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    if Z < 2 or bins < 1:
        raise ArcalError(f"a histogram needs Z >= 2 classes and bins >= 1, not {Z} and {bins}")
    largest = math.log(Z)
    values = as_scores(entropy, "entropy")
    wrong = (values < -ROUNDING * largest) | (values > (1 + ROUNDING) * largest)
    if wrong.any():
        raise ArcalError(
            f"entropy must lie in [0, log {Z}] = [0, {largest:.4f}], found {values[wrong][0]:g}: "
            "pass entropies in nats, and the number of classes Z"
        )
    edges = torch.linspace(0, largest, bins + 1, dtype=torch.float64, device="cpu")
    k = torch.bucketize(values, edges[1:-1], right=True)
    w = as_weights(weights, len(values))
    return torch.bincount(k, weights=w, minlength=bins) / w.sum()


def _as_scores(scores: TensorLike, name: str) -> Tensor:
    scores = as_tensor(scores, name)
    if scores.numel() == 0:
        raise ArcalError(f"{name} is empty: pass at least one score")
    return as_scores(scores, name)
