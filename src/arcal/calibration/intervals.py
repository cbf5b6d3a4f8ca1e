"""Confidence intervals of a probability, such as the accuracy in a bin."""

import torch
from scipy.special import betaincinv
from torch import Tensor

from arcal.calibration._checks import as_integers
from arcal.errors import ArcalError


def clopper_pearson(
    successes: Tensor, count: Tensor, confidence: float = 0.95
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
    if x.shape != n.shape:
        raise ArcalError(
            f"successes {tuple(x.shape)} and count {tuple(n.shape)} differ in shape: pass one of "
            "each for every probability"
        )
    wrong = (x < 0) | (x > n)
    if wrong.any():
        raise ArcalError(
            f"{x[wrong][0]} successes of {n[wrong][0]} are impossible: pass 0 .. count successes"
        )
    if not 0 < confidence < 1:
        raise ArcalError(
            f"confidence must lie within (0, 1), not {confidence}: the usual one is 0.95"
        )
    tail = (1 - confidence) / 2
    low = torch.as_tensor(betaincinv(x.clamp(min=1).numpy(), (n - x + 1).numpy(), tail))
    high = torch.as_tensor(betaincinv((x + 1).numpy(), (n - x).clamp(min=1).numpy(), 1 - tail))
    return low.where(x > 0, 0), high.where(x < n, 1)
