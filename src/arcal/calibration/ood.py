"""Out-of-distribution data (section 5.5): predictive entropy, its histogram (Figure 4), AUROC.

One convention throughout: a *score* is larger for what looks in-distribution, which is the positive
class. Confidence is such a score, and so is minus the entropy.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from arcal.calibration._checks import as_probabilities
from arcal.errors import ArcalError

ROUNDING = 1e-6  # by which an entropy may leave [0, log Z], relative to log Z


def entropy(log_probabilities: Tensor) -> Tensor:
    """Predictive entropy -sum_z p_z log p_z in nats, `(N,)` float64 in [0, log Z].

    It takes logarithms `(N, Z)`, the log-softmax of logits or an `average` of members, so that
    that of a nearly certain prediction does not vanish; a probability of 0 (a logarithm of -inf)
    adds exactly 0. Anything that is no log-softmax raises `ArcalError`.
    """
    log_probabilities = log_probabilities.detach().cpu().double()
    p = as_probabilities(
        log_probabilities.exp(), name="exp(log_probabilities)", remedy="pass a log-softmax"
    )
    terms = torch.where(p > 0, -p * log_probabilities, 0.0)
    return terms.sum(1).clamp(0, math.log(p.shape[1]))  # both ends to within rounding


def auroc(scores_in: Tensor, scores_out: Tensor) -> float:
    """Area under the ROC curve in [0, 1]: P(in > out) + P(in = out) / 2 over all pairs.

    `scores_in` `(N,)` and `scores_out` `(M,)` are larger for what looks in-distribution: 1 is
    perfect separation, 0.5 none. Ties, which are many where confidence saturates at 1.0, and
    infinities count as they are; the pairs are counted in integers and divided once. No scores, nan
    or another shape raise `ArcalError`.
    """
    inside, outside = _as_scores(scores_in, "scores_in"), _as_scores(scores_out, "scores_out")
    outside = outside.sort().values
    below = torch.searchsorted(outside, inside)
    not_above = torch.searchsorted(outside, inside, right=True)
    return int((below + not_above).sum()) / (2 * len(inside) * len(outside))


def fpr_at_95_tpr(scores_in: Tensor, scores_out: Tensor) -> float:
    """Share of out-of-distribution inputs taken for in-distribution, in [0, 1]; lower is better.

    Taken are those whose score is at least the largest threshold that takes 95 % of the
    in-distribution inputs, `scores_in` `(N,)`. Scores and errors are those of `auroc`.
    """
    inside, outside = _as_scores(scores_in, "scores_in"), _as_scores(scores_out, "scores_out")
    taken = (95 * len(inside) + 99) // 100  # at least 95 %, in integers
    threshold = inside.sort(descending=True).values[taken - 1]
    return (outside >= threshold).double().mean().item()


@dataclass(frozen=True, eq=False)
class EntropyHistogram:
    """How many inputs have which entropy; those of batches or processes add up by `+`."""

    edges: Tensor
    """`(K + 1,)` float64, equally spaced from 0 to log Z nats."""
    count: Tensor
    """`(K,)` int64. Bin k holds [edges[k], edges[k + 1]); log Z itself is in the last bin."""

    @property
    def share(self) -> Tensor:
        """`(K,)` float64, sums to 1; nan where there was no input."""
        return self.count.double() / self.count.sum()

    @property
    def density(self) -> Tensor:
        """`(K,)` float64 in 1/nat: the share by the width of its bin."""
        return self.share / self.edges.diff()

    def __add__(self, other: Self) -> Self:
        if not torch.equal(self.edges, other.edges):
            raise ArcalError("histograms of different Z or bins do not add up: use one of each")
        return type(self)(self.edges, self.count + other.count)


def entropy_histogram(entropy: Tensor, Z: int, bins: int = 50) -> EntropyHistogram:
    """The histogram of entropies `(N,)` in [0, log Z] nats; N may be 0.

    Nan, another shape, or what lies outside by more than rounding raises `ArcalError`.
    """
    if Z < 2 or bins < 1:
        raise ArcalError(f"a histogram needs Z >= 2 classes and bins >= 1, not {Z} and {bins}")
    largest = math.log(Z)
    values = _as_vector(entropy, "entropy")
    off = (values < -ROUNDING * largest) | (values > (1 + ROUNDING) * largest)
    if off.any():
        raise ArcalError(
            f"entropy must lie in [0, log {Z}] = [0, {largest:.4f}], found {values[off][0]:g}: "
            "pass entropies in nats, and the Z they are over"
        )
    edges = torch.linspace(0, largest, bins + 1, dtype=torch.float64)
    k = torch.bucketize(values, edges[1:-1], right=True)
    return EntropyHistogram(edges, torch.bincount(k, minlength=bins))


def _as_scores(scores: Tensor, name: str) -> Tensor:
    if scores.numel() == 0:
        raise ArcalError(f"{name} is empty: pass at least one score of each kind")
    return _as_vector(scores, name)


def _as_vector(values: Tensor, name: str) -> Tensor:
    """`(N,)` without nan, as float64."""
    if values.ndim != 1 or values.is_complex():
        raise ArcalError(
            f"{name} must be real of shape (N,), not {values.dtype} of {tuple(values.shape)}"
        )
    values = values.detach().cpu().double()
    if values.isnan().any():
        at = int(values.isnan().nonzero()[0])
        raise ArcalError(f"{name} is nan at {at}: look for predictions that are nan")
    return values
