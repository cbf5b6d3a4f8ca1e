"""All figures of a set of predictions at once, each with its bootstrap samples."""

from collections.abc import Iterable
from itertools import chain

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from arcal.arrays import TensorLike, as_float64, as_tensor
from arcal.calibration._bootstrap import Bootstrap
from arcal.calibration._ece import bin_of, confidence_and_correct
from arcal.calibration.checks import as_weights
from arcal.calibration.smooth import fixed_point, grid
from arcal.errors import ArcalError

BINS = 15


def resampled(
    log_probabilities: TensorLike,
    labels: TensorLike,
    draws: Iterable[Tensor],
    *,
    weights: TensorLike | None = None,
    smooth: bool = True,
) -> dict[str, Bootstrap]:
    """The figures of N inputs by name, with what they are on draws of the inputs.

    The names are accuracy, confidence, gap (confidence minus accuracy), ece, nll, brier, and
    smooth_ece if `smooth`. `log_probabilities` `(N, Z)` and `labels` `(N,)` are those of `nll`, and
    `draws` blocks `(N, b)` of how often each input is drawn, as `drawn_counts` gives them: the same
    draws for two sets of predictions of the same inputs make their samples paired. With `weights`
    `(N,)` each input counts as much in every sum and mean. No inputs, and what `nll` refuses, raise
    `ArcalError`.

    >>> from arcal.calibration.draws import drawn_counts
    >>> log_p = torch.tensor([[0.75, 0.25]]).log().expand(100, 2)
    >>> labels = (torch.arange(100) >= 60).long()
    >>> figures = resampled(log_p, labels, drawn_counts(100, resamples=1000, seed=0))
    >>> round(figures["gap"].estimate, 4), figures["gap"].samples.shape
    (0.15, torch.Size([1000]))
    """
    log_p = as_float64(log_probabilities, "log_probabilities")
    p = log_p.exp()
    confidence, correct = confidence_and_correct(p, labels)
    N = len(confidence)
    if N == 0:
        raise ArcalError("the figures of no inputs are undefined: pass at least one")
    labels = as_tensor(labels, "labels").detach().cpu().long()[:, None]
    w = as_weights(weights, N)
    loss = -log_p.gather(1, labels)[:, 0]
    impossible = loss.isinf()
    brier = p.square().sum(1) - 2 * p.gather(1, labels)[:, 0] + 1
    columns = [torch.ones_like(w), correct.double(), confidence, brier]
    columns += [torch.where(impossible, 0, loss), impossible.double()]
    means, residual = w * torch.stack(columns), w * (correct.double() - confidence)
    cell = bin_of(confidence, BINS).numpy(), np.arange(N)
    bins = csr_array((residual.numpy(), cell), shape=(BINS, N))
    nodes = grid(confidence, residual) if smooth else None

    samples: dict[str, list[float]] = {}
    everything = torch.ones(N, 1)  # all inputs once: the figures
    for counts in chain([everything], draws):
        counts = counts.double()
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
            scattered = nodes @ counts.numpy() / whole.numpy()
            figures["smooth_ece"] = torch.from_numpy(fixed_point(np.asarray(scattered)))
        for name, some in figures.items():  # as numbers: see `gathered`
            samples.setdefault(name, []).extend(some.tolist())
    return {
        name: Bootstrap(value, torch.tensor(rest, dtype=torch.float64), 0.95)
        for name, (value, *rest) in samples.items()
    }
