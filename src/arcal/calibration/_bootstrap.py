"""How far a figure moves from one draw of test inputs to the next: the bootstrap."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A figure, and what it was on `samples` `(B,)` float64, of rows drawn with replacement."""

    estimate: float
    """On the rows as given."""
    samples: Tensor
    level: float

    @property
    def percentile(self) -> tuple[float, float]:
        """The interval that holds the middle `level` of the samples, as they are."""
        tail = (1 - self.level) / 2
        low, high = self.samples.quantile(torch.tensor([tail, 1 - tail], dtype=torch.float64))
        return low.item(), high.item()

    @property
    def basic(self) -> tuple[float, float]:
        """The percentile interval mirrored at the estimate, which turns a bias round."""
        low, high = self.percentile
        return 2 * self.estimate - high, 2 * self.estimate - low

    @property
    def shifted(self) -> tuple[float, float]:
        """The percentile interval moved by -`bias`, so that the samples' mean is the estimate."""
        low, high = self.percentile
        return low - self.bias, high - self.bias

    @property
    def bias(self) -> float:
        """Mean of the samples minus the estimate."""
        return self.samples.mean().item() - self.estimate


def bootstrap(
    measure: Callable[..., float],
    *arrays: Tensor,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """`measure(*arrays)` on B = `resamples` draws of N of the N rows (Efron and Tibshirani, 1993).

    Any measure of arrays `(N, ...)` that does not care for the order of rows. One draw is in memory
    at a time; the same `seed` gives the same draws, and more of them begin with the same ones.

        bootstrap(ece, confidence, correct).basic
        bootstrap(class_wise_ece, probabilities, labels).basic
        debiased = lambda *rows: debiased_squared(Reliability().update(*rows))
        bootstrap(debiased, confidence, correct).shifted

    An ECE, whichever its bins, is biased upward, since chance opens gaps; a draw from the draw adds
    about as much again. So its `percentile` interval lies too high, by up to twice the bias: it all
    but never holds 0, and may leave out the truth and even the estimate. `basic` takes two such
    steps back, and is the one to show for an ECE. Near calibration the second step is shorter than
    the first, so there it is still too high: compare with `ece_if_calibrated`. `debiased_squared`
    has no bias but picks one up in the draws, which `shifted` takes off.

    No rows, unequal lengths, a level not within (0, 1), or a measure that is nan: `ArcalError`.
    """
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ArcalError(
            f"arrays to resample have {sorted(lengths)} rows: pass one length above 0 for all"
        )
    if not 0 < level < 1 or resamples < 1:
        raise ArcalError(
            f"level {level} must lie within (0, 1) and resamples {resamples} be at least 1"
        )
    (N,) = lengths
    estimate = measure(*arrays)
    generator = torch.Generator().manual_seed(seed)
    samples = torch.empty(resamples, dtype=torch.float64)
    for b in range(resamples):
        rows = torch.randint(N, (N,), generator=generator)
        samples[b] = measure(*(array[rows] for array in arrays))
    if samples.isnan().any():
        raise ArcalError("the measure is nan on resampled rows: pass more of them")
    return Bootstrap(estimate, samples, level)
