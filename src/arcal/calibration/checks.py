"""Input checks shared by this package, for tensors, arrays and lists.

Most return their input as a tensor, detached and on the CPU, for exact sums. Whatever does not pass
raises `ArcalError`.
"""

import math
from numbers import Integral, Real

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_float64, as_tensor, has_float64, row_blocks
from arcal.errors import ArcalError, a_type

ROUNDING = 1e-6
"""Rounding can take a float32 softmax, or a mean of several, this far outside [0, 1]; clipped."""

UNNORMALISED = 1e-2
"""Probabilities of two decimals, or rounded to bfloat16, sum to 1 within this; sigmoids and logits
do not."""

SOFTMAX = "pass a softmax's output, not logits"

SURE = "numbers, not text: pass numbers from 0 to 1, with decimal points as in 0.93"
TRUTHS = (
    "True or False, not text: pass predictions == labels, or True for each yes and False for each "
    "no"
)
"""For error messages: what confidences must be, and what `correct` must be."""


def as_confidence(confidence: TensorLike) -> Tensor:
    """`(N,)` values in [0, 1] as float64."""
    confidence = as_tensor(confidence, "confidence", must_be=SURE)
    if confidence.ndim != 1:
        raise ArcalError(
            f"confidence must have shape (N,), not {tuple(confidence.shape)}: of probabilities "
            "(N, Z), pass `*confidence_and_correct(probabilities, labels)`"
        )
    return as_unit(confidence, "confidence")


def as_scores(values: TensorLike, name: str) -> Tensor:
    """`(N,)` real numbers as float64, which may be infinite but not nan."""
    values = as_tensor(values, name)
    if values.ndim != 1:
        raise ArcalError(
            f"{name} must be real numbers of shape (N,), not {values.dtype} of shape "
            f"{tuple(values.shape)}: flatten it"
        )
    values = values.detach().cpu().double().contiguous()  # else torch warns in searches
    if values.isnan().any():
        position = int(values.isnan().nonzero()[0])
        raise ArcalError(f"{name} is nan at {position}: look for predictions that are nan")
    return values


def as_correct(correct: TensorLike, n: int) -> Tensor:
    """`(N,)` booleans, so that labels or predictions passed by mistake are refused."""
    correct = as_tensor(correct, "correct", must_be=TRUTHS)
    if n == 0 and correct.shape == (0,):  # an empty list has no dtype of its own
        correct = correct.bool()
    if correct.dtype != torch.bool or correct.shape != (n,):
        raise ArcalError(
            f"correct must be {n} booleans, one for each input, not {correct.dtype} of shape "
            f"{tuple(correct.shape)}: pass predictions == labels"
        )
    return correct.detach().cpu()


def as_probabilities(
    probabilities: TensorLike, ndim: int = 2, name: str = "probabilities", remedy: str = SOFTMAX
) -> Tensor:
    """`(..., Z)` rows in [0, 1] that sum to 1, as float64."""
    probabilities = as_tensor(probabilities, name)
    if probabilities.ndim != ndim or probabilities.shape[-1] == 0:
        shape = "(N, Z)" if ndim == 2 else "(M, N, Z)"
        raise ArcalError(
            f"{name} must have shape {shape}, not {tuple(probabilities.shape)}: "
            "pass one row per input and one column per class"
        )
    probabilities = as_unit(probabilities, name, remedy)
    wrong = ~sum_to_one(probabilities)
    if wrong.any():
        position = tuple(wrong.nonzero()[0].tolist())
        raise ArcalError(f"{name} of input {position} do not sum to 1: {remedy}")
    return probabilities


def sum_to_one(rows: Tensor) -> Tensor:
    """Which rows `(..., Z)` sum to 1 up to rounding, from 0.99 to 1.01.

    In floats 1.01 - 1 is a little more than 0.01, and is allowed.
    """
    return (rows.sum(-1) - 1).abs() <= UNNORMALISED + ROUNDING


def check_log_probabilities(log_p: Tensor, name: str) -> None:
    """Refuse all but logarithms `(N, Z)` of rows that sum to 1, up to rounding in their dtype."""
    if log_p.ndim == 2 and all(_normal(log_p[some]) for some in row_blocks(*log_p.shape)):
        return
    log_p = log_p.detach().cpu()
    coarse = log_p.is_floating_point() and torch.finfo(log_p.dtype).bits < 32
    if coarse and log_p.ndim == 2:
        # A logarithm is off by up to eps |log p| / 2, so the sum by up to eps / 2 times the
        # entropy.
        rounding = torch.finfo(log_p.dtype).eps * math.log(max(log_p.shape[1], 2))
        if ((log_p.double().exp().sum(1) - 1).abs() <= UNNORMALISED + rounding).all():
            log_p = log_p.double().log_softmax(1)
    if log_p.ndim == 2 and log_p.isnan().any():
        raise ArcalError(
            f"{name} of input {int(log_p.isnan().any(1).nonzero()[0])} is nan: leave out inputs on "
            "which the model's output is not finite"
        )
    if log_p.ndim == 2 and log_p.numel() and log_p.min() >= 0 and sum_to_one(log_p.double()).all():
        raise ArcalError(f"{name} are probabilities: pass a log-softmax, such as their logarithm")
    as_probabilities(log_p.double().exp(), name=f"exp({name})", remedy="pass a log-softmax")


def _normal(rows: Tensor) -> bool:
    """Whether a check that takes little memory already shows that these rows are valid."""
    rows = rows.detach()
    p = (rows.double() if has_float64(rows.device) else rows.float()).exp()
    return bool((p <= 1).all() and sum_to_one(p).all())


def as_classes(values: TensorLike, n: int, Z: int, name: str = "labels") -> Tensor:
    """`(N,)` whole numbers 0 .. Z-1 as int64: labels, predictions or levels."""
    values = as_tensor(values, name)
    if values.shape != (n,):
        raise ArcalError(
            f"{name} must have shape ({n},), not {tuple(values.shape)}: pass one per input"
        )
    values = as_integers(values, name)
    wrong = (values < 0) | (values >= Z)
    if wrong.any():
        raise ArcalError(
            f"{name} must be 0 .. {Z - 1}, found {values[wrong][0]}: check the numbering"
        )
    return values


def as_counts(successes: TensorLike, count: TensorLike) -> tuple[Tensor, Tensor]:
    """Successes and trials as float64 of one shape, with 0 <= successes <= trials."""
    x, n = as_float64(successes, "successes"), as_float64(count, "count")
    if x.shape != n.shape:
        raise ArcalError(
            f"successes {tuple(x.shape)} and count {tuple(n.shape)} differ in shape: pass one of "
            "each for every probability"
        )
    wrong = ~((x >= 0) & (x <= n))  # true for nan
    if wrong.any():
        raise ArcalError(
            f"{x[wrong][0]:g} successes of {n[wrong][0]:g} are impossible: pass 0 .. count "
            "successes"
        )
    return x, n


def check_bins(bins: int) -> None:
    """Refuse anything but a whole number of bins, 1 or more."""
    if not isinstance(bins, Integral) or bins < 1:
        raise ArcalError(
            f"bins must be at least 1 and a whole number, not "
            f"{bins if isinstance(bins, Real) else a_type(bins)}: the usual number is 15"
            + ("" if isinstance(bins, Real) else "; weights are passed as weights=")
        )


def as_weights(weights: TensorLike | None, n: int) -> Tensor:
    """Weights of `(N,)` inputs as float64, all 1 if None; not negative, and not all 0.

    Intervals need their squares, so the largest weight must lie between 1e-100 and 1e100.
    """
    if weights is None:
        return torch.ones(n, dtype=torch.float64, device="cpu")
    weights = as_tensor(weights, "weights")
    if weights.shape != (n,):
        raise ArcalError(
            f"weights must be {n} numbers, one per input, not {weights.dtype} of shape "
            f"{tuple(weights.shape)}"
        )
    weights = weights.detach().cpu().double()
    wrong = ~((weights >= 0) & (weights < torch.inf))  # true for nan
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ArcalError(
            f"weights must be 0 or more, found {weights[row]:g} at {row}: give finite numbers"
        )
    if n and not weights.any():
        raise ArcalError("all weights are 0, so nothing counts: pass some above 0")
    if n and not 1e-100 < (largest := weights.max().item()) < 1e100:
        raise ArcalError(f"weights reach {largest:g}, whose square overflows: divide all by it")
    return weights


def as_integers(values: TensorLike, name: str) -> Tensor:
    """Integers of any width as int64."""
    values = as_tensor(values, name)
    if values.is_floating_point() or values.dtype == torch.bool:
        raise ArcalError(f"{name} must be integers, not {values.dtype}: pass class numbers")
    return values.detach().cpu().long()


def as_unit(values: TensorLike, name: str, remedy: str = SOFTMAX) -> Tensor:
    """Values of any shape in [0, 1], up to rounding, as float64."""
    values = as_float64(values, name)
    low, high = values.aminmax() if values.numel() else (0.0, 1.0)  # nan if any value is
    if low >= 0 and high <= 1:
        return values
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):
        inside = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
        position = tuple((~inside).nonzero()[0].tolist())
        where = f"in row {position[0]}" if len(position) == 1 else f"at {position}"
        raise ArcalError(f"{name} must lie in [0, 1], found {values[position]:g} {where}: {remedy}")
    return values.clamp(0, 1)
