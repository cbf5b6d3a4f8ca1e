"""Bootstrap draws of the ECE, many at a time: of all inputs, and within each of many groups."""

import numpy as np
import torch
from scipy.sparse import csc_array, csr_array
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration._bootstrap import Bootstrap
from arcal.calibration._ece import ece
from arcal.calibration.bins import bin_of
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_classes, as_confidence, as_correct, as_weights
from arcal.calibration.clusters import Clusters, as_numbers
from arcal.calibration.draws import counts_within, drawn_counts, gathered
from arcal.calibration.weighted import widening


def bootstrap_ece(
    confidence: TensorLike,
    correct: TensorLike,
    bins: int = 15,
    *,
    weights: TensorLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> Bootstrap:
    """`bootstrap(ece, confidence, correct)` at 95 %, on the same draws in a fraction of the time.

    The samples agree up to rounding, also with `weights`. Errors are those of `ece` and of
    `bootstrap`.

    >>> confidence, correct = torch.linspace(0.5, 1, 200), torch.arange(200) % 4 > 0
    >>> low, high = bootstrap_ece(confidence, correct).outer
    >>> low < ece(confidence, correct) < high
    True
    """
    estimate = ece(confidence, correct, bins, weights=weights)
    confidence = as_confidence(confidence)
    N = len(confidence)
    residual = (as_correct(correct, N).double() - confidence)[:, None]
    everything = torch.zeros(N, dtype=torch.int64, device="cpu")
    error = _GroupedError(confidence, everything, 1, weights, bins, keeps_sizes=weights is None)
    samples = (error(residual, counts)[:, 0] for counts in drawn_counts(N, resamples, seed))
    wider = widening(as_weights(weights, N))
    return Bootstrap(estimate, gathered(samples, resamples), 0.95, wider)


def bootstrap_ece_by_group(
    confidence: TensorLike,
    correct: TensorLike,
    groups: TensorLike,
    G: int,
    *,
    weights: TensorLike | None = None,
    clusters: TensorLike | None = None,
    bins: int = 15,
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Tensor, Tensor]:
    """The ECE within each of `G` groups, and on draws that keep the size of every group.

    `groups` `(N,)` are 0 .. G-1. With `weights` `(N,)` each bin and the whole are weighted sums,
    sum_k |sum_{i in B_k} w_i (correct_i - conf_i)| / sum_i w_i; rows are drawn with equal chances,
    and each keeps its weight. `clusters` int64 `(N,)` are the numbers of inputs that belong
    together: whole clusters are then drawn, from all groups together, and a sample is nan if a draw
    has no row of a group. Returns the ECEs `(G,)` and their `(resamples,
    G)` samples, float64 and nan for an empty group. Many groups take as long as one. Errors are
    those of `by_level` and `bootstrap_ece`.

    >>> confidence, correct = torch.linspace(0.5, 1, 200), torch.arange(200) % 4 > 0
    >>> groups = torch.arange(200) // 100
    >>> value, samples = bootstrap_ece_by_group(confidence, correct, groups, 2, resamples=10)
    >>> value[1].item() == ece(confidence[100:], correct[100:]), samples.shape
    (True, torch.Size([10, 2]))
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    correct, groups = as_correct(correct, N), as_classes(groups, N, G, "groups")
    order = groups.argsort(stable=True)  # keeps the order within each group
    confidence, correct, groups = confidence[order], correct[order], groups[order]
    weights = None if weights is None else as_weights(weights, N)[order]
    keeps = weights is None and clusters is None
    error = _GroupedError(confidence, groups, G, weights, bins, keeps_sizes=keeps)
    residual = (correct.double() - confidence)[:, None]
    if clusters is None:
        drawn = counts_within(error.groups, G, resamples, seed)
    else:
        together = Clusters(as_numbers(clusters, N)[order], alike=0.0)  # draws need numbers only
        drawn = drawn_counts(N, resamples, seed, together)
    samples = gathered((error(residual, counts) for counts in drawn), resamples, G)
    return error(residual)[0], samples


def ece_by_chance(
    confidence: TensorLike | Chance,
    groups: TensorLike,
    G: int,
    *,
    weights: TensorLike | None = None,
    bins: int = 15,
    resamples: int = 1000,
    seed: int = 0,
) -> Tensor:
    """ECEs of each of `G` groups by chance alone, if every confidence is the chance of being right.

    Returns `(resamples, G)` float64 draws; without weights their mean is about `ece_if_calibrated`.
    The arguments are those of `bootstrap_ece_by_group`. If the confidences are given as a `Chance`,
    its own seed counts, and its draws are shared with other figures.

    >>> groups = torch.zeros(200, dtype=torch.int64)
    >>> draws = ece_by_chance(torch.full((200,), 0.75), groups, 1, resamples=2000)
    >>> round(draws.mean().item(), 3), (2 / torch.pi * 0.75 * 0.25 / 200) ** 0.5  # E|normal|
    (0.024, 0.0244...)
    """
    drawn = confidence if isinstance(confidence, Chance) else Chance(confidence, seed)
    error = _GroupedError(drawn.confidence, groups, G, weights, bins)
    return gathered(map(error, drawn.errors(resamples)), resamples, G)


class _GroupedError:
    """Computes the ECEs of groups `(b, G)` from residuals `(N, b)`, or `(N, 1)` and draws `(N, b)`.

    Draws are counts of how often each row is drawn, and are overwritten; `keeps_sizes` says that
    they keep the weight of every group. Sums go through the rows in order, column by column: bin by
    bin they would jump around in memory.
    """

    def __init__(
        self,
        confidence: Tensor,
        groups: TensorLike,
        G: int,
        weights: TensorLike | None = None,
        bins: int = 15,
        *,
        keeps_sizes: bool = True,
    ):
        N = len(confidence)
        self.groups, w = as_classes(groups, N, G, "groups"), as_weights(weights, N).numpy()
        cell = (self.groups * bins + bin_of(confidence, bins)).numpy()
        cells, cell = np.unique(cell, return_inverse=True)
        rows, C = np.arange(N), len(cells)
        self.cells = csc_array((w, (cell, rows)), shape=(C, N))
        whole = csr_array((w, (self.groups.numpy(), rows)), shape=(G, N))
        self.whole, self.sizes = whole.tocsc(), whole.sum(axis=1)[:, None]
        self.keeps_sizes = keeps_sizes
        self.joined = csr_array((np.ones(C), (cells // bins, np.arange(C))), shape=(G, C))

    def __call__(self, residuals: Tensor, counts: Tensor | None = None) -> Tensor:
        whole = self.sizes
        if counts is not None:
            if not self.keeps_sizes:
                whole = self.whole @ counts.numpy()
            residuals = counts.mul_(residuals)
        sums = self.joined @ abs(self.cells @ residuals.numpy())
        with np.errstate(invalid="ignore"):  # an empty group
            return torch.from_numpy((sums / whole).T)
