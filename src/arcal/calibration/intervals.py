"""Intervals and tests for a probability, such as the accuracy in a bin, and for many at once."""

import math

import torch
from scipy.special import betainc, betaincc, betaincinv, ndtri
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_counts, as_integers, as_unit
from arcal.errors import ArcalError


def clopper_pearson(
    successes: TensorLike, count: TensorLike, level: float = 0.95
) -> tuple[Tensor, Tensor]:
    """The exact confidence interval of a probability (Clopper and Pearson, 1934).

    `successes` out of `count` trials are integer tensors of one shape, such as `correct_sums` and
    `count` of a `Reliability`. Returns the lower and upper ends, float64 of that shape. For any
    count, the interval contains the true probability with a probability of at least `level`.
    It starts at 0 without successes, ends at 1 without failures, and is [0, 1] without trials.
    Successes outside 0 .. count, or a `level` outside (0, 1), raise `ArcalError`.

    >>> clopper_pearson(torch.tensor([0, 1]), torch.tensor([0, 2]))
    (tensor([0.0000, 0.0126], dtype=torch.float64), tensor([1.0000, 0.9874], dtype=torch.float64))
    """
    x, n = as_integers(successes, "successes"), as_integers(count, "count")
    return exact_interval(x, n, level)


def exact_interval(
    successes: TensorLike, count: TensorLike, level: float = 0.95
) -> tuple[Tensor, Tensor]:
    """`clopper_pearson` for counts that may be fractions, such as effective numbers of inputs.

    For N rows with weights w the effective number is (sum w)^2 / sum w^2 (Kish, 1965), and the
    successes are the same share of it as their weights are of all weights (Korn and Graubard,
    1998).

    >>> exact_interval(torch.tensor(1.5), torch.tensor(3.0))
    (tensor(0.0387, dtype=torch.float64), tensor(0.9613, dtype=torch.float64))
    """
    x, n = as_counts(successes, count)
    _check_level(level)
    tail = (1 - level) / 2
    low = torch.as_tensor(
        betaincinv(x.where(x > 0, 1).numpy(), (n - x + 1).numpy(), tail), device="cpu"
    )
    high = torch.as_tensor(
        betaincinv((x + 1).numpy(), (n - x).where(x < n, 1).numpy(), 1 - tail), device="cpu"
    )
    return low.where(x > 0, 0), high.where(x < n, 1)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ArcalError(f"level must lie within (0, 1), not {level}: the usual one is 0.95")


def tango(
    only_first: float, only_second: float, N: float, level: float = 0.95
) -> tuple[float, float]:
    """The score interval of the difference of two accuracies on the same N inputs (Tango, 1998).

    Only the first model gets c = `only_first` of the N inputs right, and only the second b =
    `only_second`; the difference, second minus first, is (b - c) / N. Returns the ends, in [-1, 1],
    of all differences d that are not rejected, which are those with

        |b - c - N d| <= z sqrt(N (2 q + d (1 - d)))

    where z is the normal quantile for the `level`, within (0, 1), and q the maximum likelihood
    estimate, given d, of the share of inputs that only the first model gets right. At d = 0 the
    test is McNemar's. If both models are right on the same inputs, the interval is not a point but
    [-z^2, z^2] / (N + z^2). Counts may be fractions for weighted inputs. Negative counts, counts
    above N, and no inputs raise `ArcalError`.

    >>> low, high = tango(only_first=20, only_second=40, N=1000)
    >>> round(low, 4), round(high, 4)
    (0.005, 0.036)
    """
    whole = N * (1 + 1e-9)  # shares of weighted inputs are rounded
    if min(only_first, only_second) < 0 or only_first + only_second > whole or N <= 0:
        raise ArcalError(
            f"only one model cannot be right on {only_first} and {only_second} of {N} inputs: give "
            "two counts, 0 or more, whose sum is at most the number of inputs"
        )
    _check_level(level)
    z = float(ndtri((1 + level) / 2))
    high = -_lowest_difference(only_second, only_first, N, z)
    return _lowest_difference(only_first, only_second, N, z), high


def _lowest_difference(c: float, b: float, N: float, z: float) -> float:
    """The lower end of `tango`, by bisection between -1 and the difference itself."""
    low, high = -1.0, (b - c) / N
    while low < (d := (low + high) / 2) < high:
        B, C = (2 * N - b + c) * d - b - c, -c * d * (1 - d)
        q = (math.sqrt(max(B * B - 8 * N * C, 0)) - B) / (4 * N)
        if b - c - N * d > z * math.sqrt(max(N * (2 * q + d * (1 - d)), 0)):
            low = d
        else:
            high = d
    return low


def binomial_p(successes: TensorLike, count: TensorLike, probability: TensorLike) -> Tensor:
    """Two-sided p-values, float64, of `successes` out of `count` trials at a `probability`.

    Twice the smaller of P(X <= successes) and P(X >= successes), at most 1: below 0.05 exactly
    where `clopper_pearson` at 95 % excludes the probability. If the chances of the trials differ
    and `probability` is their mean, as a mean confidence is, the p-value is conservative
    (Hoeffding, 1956). All three have one shape. Counts may be fractions, such as effective numbers:
    the sums are incomplete beta functions, which take them. Without trials the p-value is 1.

    >>> binomial_p(torch.tensor([9, 7]), torch.tensor([10, 10]), torch.tensor([0.5, 0.5]))
    tensor([0.0215, 0.3438], dtype=torch.float64)
    """
    x, n = as_counts(successes, count)
    p = as_unit(probability, "probability", "pass probabilities")
    if p.shape != x.shape:
        raise ArcalError(
            f"probability {tuple(p.shape)} and count {tuple(x.shape)} differ in shape: pass one of "
            "each for every test"
        )
    some, missed = x.where(x > 0, 1).numpy(), (n - x).where(x < n, 1).numpy()
    at_least = torch.as_tensor(betainc(some, (n - x + 1).numpy(), p.numpy()), device="cpu").where(
        x > 0, 1
    )
    at_most = torch.as_tensor(betaincc((x + 1).numpy(), missed, p.numpy()), device="cpu").where(
        x < n, 1
    )
    return (2 * torch.minimum(at_least, at_most)).clamp(max=1)


def holm(p: TensorLike) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the same order.

    Whichever hypotheses are true and however the tests depend on each other, the chance that any
    true hypothesis ends below 0.05 is at most 0.05 (Holm, 1979). Numbers outside [0, 1], and nan,
    raise `ArcalError`.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = as_unit(p, "p", "leave out tests that tell nothing")
    if values.ndim != 1:
        raise ArcalError(f"p has shape {tuple(values.shape)}: give one p-value per test, (n,)")
    order, n = values.argsort(stable=True), len(values)
    each = (torch.arange(n, 0, -1, device="cpu") * values[order]).clamp(max=1)
    corrected = torch.empty_like(values)
    corrected[order] = each.cummax(0).values
    return corrected.tolist()
