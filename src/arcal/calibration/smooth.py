"""Smooth calibration error: no bins, and a bandwidth set by the data itself."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.chance import Chance
from arcal.calibration.checks import as_confidence, as_correct, as_weights
from arcal.errors import ArcalError

CELLS = 4096
"""Cells of the grid on [0, 1]: each confidence is divided between the two nodes beside it."""

TOGETHER = 64
"""Columns whose fixed points are found together."""
FINENESS = 10
"""The fewest nodes per bandwidth s: they are enough for a function that is smoothed by s."""
TOLERANCE = 1e-8
NOTHING = 1e-12
STEPS = 60
GONE = 9
"""If the frequency of a cosine times s is more than this, smoothing leaves less than 1e-17."""

Array = NDArray[np.float64]


def smooth_ece(
    confidence: TensorLike, correct: TensorLike, *, weights: TensorLike | None = None
) -> float:
    """Smooth calibration error smECE, in [0, 1] (Blasiok and Nakkiran, 2024).

    With the residuals correct - confidence smoothed by a kernel of bandwidth s,

        r_s(t) = sum_i w_i K_s(t, conf_i) (correct_i - conf_i),    sum_i w_i = 1,

    smECE_s is the integral of |r_s| over [0, 1]. K_s is the normal density, reflected at 0 and 1
    into the interval. smECE_s never rises with s, so there is exactly one s with smECE_s = s, and
    this s is the smECE. Unlike an ECE it moves little when a confidence moves little.

    `confidence` `(N,)` is in [0, 1] and `correct` `(N,)` bool; `weights` `(N,)` are those of the
    inputs, by default equal. The smECE is computed on a grid by cosine transforms, and is exact to
    about 1e-6 if it is 1e-3 or more. Bad input, and no inputs, raise `ArcalError`.

    >>> import torch
    >>> right = torch.arange(1000) % 4 > 0  # an accuracy of 0.75, at whatever confidence
    >>> for confidence in (0.75, 0.799, 0.801):  # 0.8 is the edge of a bin, which does not matter
    ...     round(smooth_ece(torch.full((1000,), confidence, dtype=torch.float64), right), 6)
    0.0
    0.049
    0.051
    """
    confidence = as_confidence(confidence)
    N = len(confidence)
    correct, weights = as_correct(correct, N), as_weights(weights, N)
    if N == 0:
        raise ArcalError("the smooth ECE of no inputs is undefined: pass at least one confidence")
    residual = weights * (correct.double() - confidence) / weights.sum()
    return float(fixed_point(grid(confidence, residual).sum(axis=1)[None])[0])


def smooth_ece_by_chance(
    confidence: TensorLike | Chance,
    *,
    weights: TensorLike | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> Tensor:
    """Smooth calibration errors by chance alone, if every confidence is the chance of being right.

    `(resamples,)` float64; `confidence` and `weights` as in `smooth_ece`, with the same errors. If
    the confidences are given as a `Chance`, its own seed counts, and its draws are shared with
    other figures.

    >>> draws = smooth_ece_by_chance(torch.full((200,), 0.75))
    >>> round(draws.mean().item(), 2), (2 / torch.pi * 0.75 * 0.25 / 200) ** 0.5  # E|normal|
    (0.02, 0.0244...)
    """
    drawn = confidence if isinstance(confidence, Chance) else Chance(confidence, seed)
    weights = as_weights(weights, len(drawn.confidence))
    nodes = grid(drawn.confidence, weights / weights.sum()).tocsc()  # see `resampled_scores`
    errors = FixedPoints()
    for residuals in drawn.errors(resamples):
        errors.add(np.asarray(nodes @ residuals.numpy()))
    return torch.tensor(errors.values(), dtype=torch.float64, device="cpu")


def grid(confidence: Tensor, amounts: Tensor) -> csr_array:
    """The `amounts` `(N,)`, each split between the nodes beside its confidence, `(CELLS + 1, N)`.

    The weighted mean position of the two parts is the confidence.
    """
    position = confidence.numpy() * CELLS
    left = np.minimum(position.astype(np.int64), CELLS - 1)
    beyond, rows = position - left, np.arange(len(position))
    entries = np.concatenate([(1 - beyond) * amounts.numpy(), beyond * amounts.numpy()])
    where = np.concatenate([left, left + 1]), np.concatenate([rows, rows])
    return csr_array((entries, where), shape=(CELLS + 1, len(position)))


class FixedPoints:
    """The `fixed_point` of columns that arrive a few at a time, solved for many together."""

    def __init__(self) -> None:
        self._waiting, self._n = np.empty((TOGETHER, CELLS + 1)), 0
        self._values: list[float] = []  # as numbers: see `gathered`

    def add(self, columns: Array) -> None:
        b = columns.shape[1]
        if self._n + b > TOGETHER:
            self._find()
        if b > TOGETHER:
            self._values += fixed_point(columns.T).tolist()
        else:
            self._waiting[self._n : self._n + b] = columns.T
            self._n += b

    def values(self) -> list[float]:
        self._find()
        return self._values

    def _find(self) -> None:
        if self._n:
            self._values += fixed_point(self._waiting[: self._n]).tolist()
        self._n = 0


def fixed_point(residuals: Array) -> Array:
    """The s with smECE_s = s of each row of residuals on the nodes `(b, CELLS + 1)`: `(b,)`.

    Smoothing multiplies each cosine by its own factor. The search is the secant method in the
    logarithm of s, within a bracket (the Illinois algorithm), with a bisection every fourth step. A
    row is done once its s is known to `TOLERANCE`.
    """
    halved = residuals / 2  # a cosine transform of type 1 counts the first and the last once
    halved[:, [0, -1]] *= 2
    cosines = _cosines(halved)

    def excess(log_s: Array, rows: NDArray[np.int64]) -> Array:
        """Log smECE_s - log s, which falls by at least as much as log s rises."""
        return np.log(np.maximum(_smoothed(cosines, np.exp(log_s), rows), NOTHING)) - log_s

    # |mean residual| <= smECE_s <= the sum of absolute values on the nodes; and if smECE_s < s, the
    # fixed point lies between the two.
    low = np.log(np.maximum(np.abs(residuals.sum(axis=1)), NOTHING))
    high = np.log(np.maximum(np.abs(residuals).sum(axis=1), NOTHING))
    rest = np.arange(len(low))
    below = excess(high, rest)
    low = np.minimum(np.maximum(low, high + below), high)
    above = excess(low, rest)
    high = np.where(above <= NOTHING, low, high)
    last = np.zeros(len(low))
    for step in range(STEPS):
        rest = rest[np.exp(high[rest]) - np.exp(low[rest]) >= TOLERANCE]
        if not len(rest):
            break
        lower, upper = above[rest], below[rest]
        share = lower / np.maximum(lower - upper, NOTHING) if step % 4 < 3 else 0.5
        new = low[rest] + (high[rest] - low[rest]) * np.clip(share, 0, 1)
        value = excess(new, rest)
        up = value > 0
        above[rest] = np.where(up, value, np.where(last[rest] == -1, lower / 2, lower))
        below[rest] = np.where(up, np.where(last[rest] == 1, upper / 2, upper), value)
        near = np.exp(new) * np.abs(value) < TOLERANCE
        low[rest] = np.where(up | near, new, low[rest])
        high[rest] = np.where(up & ~near, high[rest], new)
        last[rest] = np.where(up, 1, -1)
    return np.where(high > math.log(NOTHING), np.exp(high), 0.0)


def _cosines(rows: Array) -> Array:
    """The cosine transform of type 1 of each row."""
    from scipy.fft import dct  # takes a twentieth of a second to import

    return np.asarray(dct(rows, type=1, axis=1))


def _smoothed(cosines: Array, s: Array, rows: NDArray[np.int64]) -> Array:
    """The integral of |r_s| of these rows of cosines, each with its s: `(b,)`.

    The wider the kernel, the fewer cosines are left and the fewer nodes are needed.
    """
    integrals = np.empty(len(s))
    powers = np.ceil(np.log2(np.clip(FINENESS / s, 1, CELLS)))
    for power in np.unique(powers):
        some = powers == power
        M = 2 ** int(power)
        left = min(M, math.ceil(GONE / (math.pi * s[some].min()))) + 1
        frequency = math.pi * np.arange(left)
        shrunk = np.zeros((np.count_nonzero(some), M + 1))
        shrunk[:, :left] = np.exp(-((s[some, None] * frequency) ** 2) / 2)
        shrunk[:, :left] *= cosines[rows[some], :left]
        integrals[some] = _integral_of_size(_cosines(shrunk))
    return integrals


def _integral_of_size(values: Array) -> Array:
    """The integral over [0, 1] of the absolute value of smooth rows, from equally spaced nodes.

    This is the trapezoidal rule, minus, for each cell in which a row changes sign from a to -b,

        h (a b / (a + b) - (a + b) / 6),

    with h the width of the cell: the rule's error at a kink, by the Euler-Maclaurin formula.
    """
    size, negative = np.abs(values), values < 0
    total = size.sum(axis=1) - (size[:, 0] + size[:, -1]) / 2
    row, cell = np.nonzero(negative[:, 1:] != negative[:, :-1])
    a, b = size[row, cell], size[row, cell + 1]
    excess = a * b / np.maximum(a + b, np.finfo(float).tiny) - (a + b) / 6
    return (total - np.bincount(row, excess, len(total))) / (values.shape[1] - 1)
