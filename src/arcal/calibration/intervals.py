"""The interval of a share, such as the accuracy of a bin."""

import torch
from scipy.special import betaincinv
from torch import Tensor

from arcal.calibration._checks import as_integers
from arcal.errors import ArcalError


def clopper_pearson(successes: Tensor, count: Tensor, level: float = 0.95) -> tuple[Tensor, Tensor]:
    """Lower and upper ends of the exact interval of a probability, float64 of the given shape.

    From `successes` out of `count`, integers of one shape: `correct_sums` and `count` of a
    `Reliability`, say. It holds the true probability with at least `level`, at any count (Clopper
    and Pearson, 1934). No success starts it at 0, no failure ends it at 1, and a bin without rows
    rules nothing out: [0, 1]. More successes than rows, below 0, or a level not within (0, 1) raise
    `ArcalError`.
    """
    x, n = as_integers(successes, "successes"), as_integers(count, "count")
    if x.shape != n.shape:
        raise ArcalError(f"successes {tuple(x.shape)} and count {tuple(n.shape)} differ in shape")
    off = (x < 0) | (x > n)
    if off.any():
        raise ArcalError(f"{x[off][0]} successes of {n[off][0]}: pass 0 .. count of each")
    if not 0 < level < 1:
        raise ArcalError(f"level must lie within (0, 1), not {level}: the usual one is 0.95")
    tail = (1 - level) / 2
    low = torch.as_tensor(betaincinv(x.clamp(min=1).numpy(), (n - x + 1).numpy(), tail))
    high = torch.as_tensor(betaincinv((x + 1).numpy(), (n - x).clamp(min=1).numpy(), 1 - tail))
    return low.where(x > 0, 0), high.where(x < n, 1)
