"""Confidence intervals of a probability, such as the accuracy in a bin."""

import torch
from scipy.special import betaincinv
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_counts, as_integers
from arcal.errors import ArcalError


def clopper_pearson(
    successes: TensorLike, count: TensorLike, confidence: float = 0.95
) -> tuple[Tensor, Tensor]:
    """The exact confidence interval of a probability (Clopper and Pearson, 1934).

    From `successes` out of `count` trials, integer tensors of one shape, such as `correct_sums` and
    `count` of a `Reliability`. Returns the lower and upper ends, float64 of that shape. For any
    count, the interval contains the true probability with a probability of at least `confidence`.
    It starts at 0 without successes, ends at 1 without failures, and is [0, 1] without trials.
    Successes outside 0 .. count, or a `confidence` outside (0, 1), raise `ArcalError`.

    >>> clopper_pearson(torch.tensor([0, 1]), torch.tensor([0, 2]))
    (tensor([0.0000, 0.0126], dtype=torch.float64), tensor([1.0000, 0.9874], dtype=torch.float64))
    """
    x, n = as_integers(successes, "successes"), as_integers(count, "count")
    return exact_interval(x, n, confidence)


def exact_interval(
    successes: TensorLike, count: TensorLike, confidence: float = 0.95
) -> tuple[Tensor, Tensor]:
    """`clopper_pearson` of counts that may be fractions, such as the effective numbers of weights.

    Of N rows with weights w the effective number is (sum w)^2 / sum w^2 (Kish, 1965), and the
    successes are as large a share of it as their weights are of all (Korn and Graubard, 1998).

    >>> exact_interval(torch.tensor(1.5), torch.tensor(3.0))
    (tensor(0.0387, dtype=torch.float64), tensor(0.9613, dtype=torch.float64))
    """
    x, n = as_counts(successes, count)
    if not 0 < confidence < 1:
        raise ArcalError(
            f"confidence must lie within (0, 1), not {confidence}: the usual one is 0.95"
        )
    tail = (1 - confidence) / 2
    low = torch.as_tensor(betaincinv(x.where(x > 0, 1).numpy(), (n - x + 1).numpy(), tail))
    high = torch.as_tensor(betaincinv((x + 1).numpy(), (n - x).where(x < n, 1).numpy(), 1 - tail))
    return low.where(x > 0, 0), high.where(x < n, 1)
