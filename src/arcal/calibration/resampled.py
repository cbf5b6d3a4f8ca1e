"""All figures of a set of predictions at once, each with its bootstrap samples."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from scipy.sparse import csc_array
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration._bootstrap import Bootstrap
from arcal.calibration.bins import bin_of
from arcal.calibration.checks import as_classes, as_probabilities, as_weights
from arcal.calibration.clusters import Clusters
from arcal.calibration.smooth import FixedPoints, grid
from arcal.calibration.weighted import widening
from arcal.errors import ArcalError

BINS = 15


@dataclass(frozen=True, eq=False)
class Scores:
    """The values of N inputs that figures need, whatever the number of classes.

    `predicted` int64, `correct` bool, and float64 `confidence`, `loss` (the log-loss in nats, inf
    if the label has probability 0) and `brier` (in [0, 2]), all `(N,)`. Made by `scores_of`.
    """

    predicted: Tensor
    correct: Tensor
    confidence: Tensor
    loss: Tensor
    brier: Tensor


def predicted_of(log_p: Tensor, answers: bool = False) -> Tensor:
    """The most probable class of each row `(n, Z)`, the first of equal ones, int64 `(n,)`.

    For `answers` it is class 0, that the answer is right, whatever its probability.

    >>> predicted_of(torch.tensor([[0.25, 0.75]]).log())
    tensor([1])
    >>> predicted_of(torch.tensor([[0.25, 0.75]]).log(), answers=True)
    tensor([0])
    """
    if answers:
        return torch.zeros(len(log_p), dtype=torch.int64, device=log_p.device)
    return log_p.argmax(1)


def scores_of(
    log_probabilities: Iterable[Tensor], labels: TensorLike, *, answers: bool = False
) -> Scores:
    """The scores of N inputs, whose log-probabilities come as blocks of rows `(n, Z)`, in order.

    `labels` are `(N,)`, and `answers` as for `predicted_of`. What `nll` refuses raises
    `ArcalError`.

    >>> scores_of([torch.tensor([[0.75, 0.25]]).log()], [1]).brier  # 0.75^2 + 0.75^2
    tensor([1.1250], dtype=torch.float64)
    """
    labels, N = as_tensor(labels, "labels"), 0
    parts: list[tuple[Tensor, ...]] = []
    for log_p in log_probabilities:
        p = as_probabilities(log_p.exp())
        n, Z = p.shape
        own = as_classes(labels[N : N + n], n, Z)[:, None]
        predicted = predicted_of(p, answers)
        confidence = p.gather(1, predicted[:, None])[:, 0]
        brier = p.square().sum(1) - 2 * p.gather(1, own)[:, 0] + 1
        parts.append(
            (predicted, predicted == own[:, 0], confidence, -log_p.gather(1, own)[:, 0], brier)
        )
        N += n
    if N == 0:
        raise ArcalError("the figures of no inputs are undefined: pass at least one")
    if len(labels) > N:
        raise ArcalError(f"there are {len(labels)} labels for {N} inputs: pass one per input")
    return Scores(*map(torch.cat, zip(*parts, strict=True)))


def resampled_scores(
    scores: Scores,
    draws: Iterable[Tensor],
    *,
    weights: TensorLike | None = None,
    clusters: Clusters | None = None,
    smooth: bool = True,
) -> dict[str, Bootstrap]:
    """The figures of N inputs by name, with their values on draws of the inputs.

    The names are accuracy, confidence, gap (confidence minus accuracy), ece, nll, brier, and
    smooth_ece if `smooth`. `draws` are blocks `(N, b)` of how often each input is drawn, as
    `drawn_counts` gives them: if two models' predictions of the same inputs get the same draws,
    their samples are paired. With `weights` `(N,)` every sum and mean is weighted, and intervals
    are wider by the `arcal.calibration.weighted.widening` of these and of `clusters`; on a draw
    without any weight all figures are nan. Draws of another number of inputs raise `ArcalError`.

    >>> from arcal.calibration.draws import drawn_counts
    >>> scores = scores_of([torch.tensor([[0.75, 0.25]]).log()], [1])
    >>> resampled_scores(scores, drawn_counts(1, resamples=2, seed=0))["confidence"].estimate
    0.75
    """
    confidence, right, N = scores.confidence, scores.correct.double(), len(scores.confidence)
    w, impossible = as_weights(weights, N), scores.loss.isinf()
    columns = [torch.ones_like(w), right, confidence, scores.brier]
    columns += [torch.where(impossible, 0, scores.loss), impossible.double()]
    means, residual = w * torch.stack(columns), w * (right - confidence)
    cell = bin_of(confidence, BINS).numpy(), np.arange(N)
    # by columns, so that the draws are read in order
    bins = csc_array((residual.numpy(), cell), shape=(BINS, N))
    nodes = grid(confidence, residual).tocsc() if smooth else None

    samples: dict[str, list[float]] = {}
    smooth_errors, memory = FixedPoints(), torch.empty(0, dtype=torch.float64, device="cpu")
    everything = torch.ones(N, 1, device="cpu")  # all inputs once: the figures
    for block in chain([everything], draws):
        if len(block) != N:
            raise ArcalError(f"draws of {len(block)} inputs for {N}: pass `drawn_counts({N}, ...)`")
        if memory.shape != block.shape:
            memory = torch.empty(block.shape, dtype=torch.float64, device="cpu")
        counts = memory.copy_(block)
        whole, right, sure, squares, losses, infinite = means @ counts
        figures = {
            "accuracy": right / whole,
            "confidence": sure / whole,
            "gap": (sure - right) / whole,
            "ece": torch.from_numpy(abs(bins @ counts.numpy()).sum(axis=0)) / whole,
            "nll": torch.where(infinite > 0, torch.inf, losses / whole),
            "brier": squares / whole,
        }
        if nodes is not None:
            share = torch.where(whole > 0, whole, 1).numpy()  # 0 in a draw without weight
            smooth_errors.add(np.asarray(nodes @ counts.numpy() / share))
        for name, some in figures.items():  # as numbers: see `gathered`
            samples.setdefault(name, []).extend(some.tolist())
    if nodes is not None:
        known = zip(smooth_errors.values(), samples["accuracy"], strict=True)
        samples["smooth_ece"] = [math.nan if math.isnan(other) else one for one, other in known]
    wider = widening(w, clusters)
    return {
        name: Bootstrap(value, torch.tensor(rest, dtype=torch.float64, device="cpu"), 0.95, wider)
        for name, (value, *rest) in samples.items()
    }
