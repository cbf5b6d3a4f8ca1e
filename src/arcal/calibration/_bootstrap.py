"""Bootstrap intervals: how much a figure varies between random draws of the test inputs."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.calibration.checks import as_weights
from arcal.calibration.weighted import widening
from arcal.errors import ArcalError, a_type


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """A figure, its bootstrap samples, and four confidence intervals from them.

    >>> samples = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    >>> result = Bootstrap(estimate=0.25, samples=samples, level=0.5)
    >>> result, result.bias
    (Bootstrap(estimate=0.25, level=0.5), 0.25)
    >>> result.percentile, result.basic, result.shifted, result.outer
    ((0.375, 0.625), (-0.125, 0.125), (0.125, 0.375), (-0.125, 0.375))
    """

    estimate: float
    """The figure on the rows as given."""
    samples: Tensor = field(repr=False)
    """`(B,)` float64: the figure on B draws of the rows with replacement. A draw without a figure,
    such as one of rows without weight, is nan and does not count."""
    level: float
    """The level of confidence of the intervals, within (0, 1)."""
    widening: float = field(default=1.0, repr=False)
    """The factor by which the ends of the samples' interval are moved away from the estimate."""

    def __sub__(self, other: "Bootstrap") -> "Bootstrap":
        """The difference from another figure on the same draws, draw by draw."""
        return Bootstrap(
            self.estimate - other.estimate,
            self.samples - other.samples,
            self.level,
            self.widening,
        )

    @cached_property
    def percentile(self) -> tuple[float, float]:
        """The percentile interval: the middle share `level` of the samples.

        It is stretched about the estimate by `widening`.
        """
        tail = (1 - self.level) / 2
        tails = torch.tensor([tail, 1 - tail], dtype=torch.float64, device="cpu")
        ends = self.samples.nanquantile(tails)
        if ends.isnan().any():  # nan is between two of inf
            above = self.samples.nanquantile(tails, interpolation="higher")
            ends = ends.where(~ends.isnan(), above)
        if self.widening != 1:
            ends = self.estimate + self.widening * (ends - self.estimate)
        low, high = ends.tolist()
        return low, high

    @property
    def basic(self) -> tuple[float, float]:
        """The basic interval: the percentile interval reflected at the estimate.

        If the samples are biased upward, it lies as far below the estimate as they lie above.
        """
        low, high = self.percentile
        return 2 * self.estimate - high, 2 * self.estimate - low

    @property
    def shifted(self) -> tuple[float, float]:
        """The percentile interval minus `bias`, as if the samples' mean were the estimate."""
        low, high = self.percentile
        return low - self.bias, high - self.bias

    @property
    def outer(self) -> tuple[float, float]:
        """The interval that spans `basic` and `shifted`: the one to use for an ECE.

        `basic` assumes that the estimate is as biased as its samples, `shifted` that it is not
        biased.
        """
        (low, high), (other_low, other_high) = self.basic, self.shifted
        return min(low, other_low), max(high, other_high)

    @cached_property
    def bias(self) -> float:
        """The mean of the samples minus the estimate."""
        return self.samples.nanmean().item() - self.estimate


def bootstrap(
    measure: Callable[..., float],
    *arrays: TensorLike,
    weights: TensorLike | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """Evaluate `measure` on B = `resamples` bootstrap draws (Efron and Tibshirani, 1993).

    `arrays` are tensors `(N, ...)` with one row per input; a draw is N of the N rows with
    replacement, the same rows of each array. `measure(*arrays)` may be any number that does not
    depend on the order of the rows. One draw is in memory at a time. A `seed` always gives the same
    draws, and a larger B adds further draws after them. With `weights` `(N,)`, 0 or more, rows are
    drawn with equal chances and keep their weights, `measure(*arrays, weights=...)` is evaluated,
    and intervals are wider by `arcal.calibration.weighted.widening`.

    >>> from arcal.calibration import debiased_squared, ece
    >>> confidence = torch.linspace(0.5, 1, 200)
    >>> correct = torch.arange(200) % 4 > 0  # an accuracy of 0.75 at every confidence
    >>> result = bootstrap(ece, confidence, correct, resamples=50)
    >>> round(result.estimate, 1), result.bias > 0
    (0.1, True)
    >>> low, high = result.outer
    >>> low < result.estimate < high
    True

    Which interval to use: an ECE is biased upward, because chance alone opens gaps between accuracy
    and confidence, and resampling adds about as much again. Its `percentile` interval is therefore
    too high by up to twice the bias: it almost never contains 0, and it may miss the true value and
    even the estimate. `basic` subtracts the bias twice. Resampling adds more than the first
    sampling did if a model is slightly miscalibrated, and less if it is calibrated, so the upper
    end of `basic` may be too low, and its lower end too high. `outer` corrects the upper end, and
    is the interval to show for an ECE; to judge the lower end, compare the ECE with
    `ece_if_calibrated`. `debiased_squared` is unbiased, but its samples are not; use `shifted`:

    >>> low, high = bootstrap(debiased_squared, confidence, correct, resamples=50).shifted

    No rows, arrays of different lengths, no resamples, a `level` outside (0, 1), or a measure
    that takes other arguments, is not a number, or is nan on some draw, raises `ArcalError`.
    """
    columns = [as_tensor(array) for array in arrays]
    lengths = {len(array) if array.ndim else 0 for array in columns}
    if len(lengths) != 1 or lengths == {0}:
        raise ArcalError(
            f"the arrays to resample have {sorted(lengths)} rows: pass arrays of one length, at "
            "least 1"
        )
    if not 0 < level < 1 or resamples < 1:
        raise ArcalError(
            f"level must lie within (0, 1) and resamples be at least 1, not {level} and "
            f"{resamples}: the usual level is 0.95"
        )
    (N,) = lengths
    w = None if weights is None else as_weights(weights, N)
    _check_arguments(measure, columns, w)

    def value(some: list[Tensor], w: Tensor | None) -> float:
        if w is None:
            return _number(measure(*some))
        return _number(measure(*some, weights=w)) if w.any() else math.nan

    estimate = value(columns, w)
    generator = torch.Generator().manual_seed(seed)
    samples = torch.empty(resamples, dtype=torch.float64, device="cpu")
    for b in range(resamples):
        rows = torch.randint(N, (N,), generator=generator, device="cpu")
        drawn = None if w is None else w[rows]
        samples[b] = value([array[rows] for array in columns], drawn)
        if samples[b].isnan() and (drawn is None or drawn.any()):
            raise ArcalError("the measure is nan on some draw of the rows: pass more rows")
    return Bootstrap(estimate, samples, level, 1.0 if w is None else widening(w))


def _check_arguments(
    measure: Callable[..., object], columns: list[Tensor], weights: Tensor | None
) -> None:
    """Refuse a measure that cannot be called with these arrays, and with weights if given."""
    named = {} if weights is None else {"weights": weights}
    try:
        inspect.signature(measure).bind(*columns, **named)
    except ValueError:  # one that does not tell what it takes
        return
    except TypeError as error:
        raise ArcalError(
            f"the measure does not take {len(columns)} arrays{' and weights' if named else ''} "
            f"({error}): pass a function that does, such as a lambda"
        ) from None


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise ArcalError(
            f"the measure gives {a_type(value)}, not a number: pass a function that gives one"
        ) from None
