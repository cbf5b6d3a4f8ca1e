"""Alpha without tuning: alpha from the number of epochs left, and one joint step for all levels.

Algorithm 1 has one alpha, chosen by hand for 200 epochs, and moves each level independently. Here
are two alternatives with nothing to tune, for training of any length: `alpha_by_epochs_left` and
`joint_step`. `docs/choosing-alpha-and-R.md` derives and measures them; `arcal.smoothing` applies
them.
"""

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcal.errors import ArcalError

CAP = 0.5
"""The largest alpha: a network needs about one epoch to follow a change of its labels."""

GAIN = 2.0
"""Alpha times the number of epochs left; above 1, a steadily growing gap is closed in time."""


def alpha_by_epochs_left(epoch: int, epochs: int, full_rate: int) -> float:
    """Alpha after epoch number `epoch` (from 0) of `epochs`, the first `full_rate` at full rate.

    `min(CAP, GAIN / (full_rate - epoch))`: the rest of a gap is closed in the epochs that are left,
    however many there are. While a network overfits, its over-confidence grows about linearly, by
    v an epoch. A constant alpha lags behind such a ramp by v / alpha; this one ends near v / CAP.
    After the learning rate has decayed, networks follow their labels less, and alpha is constant:
    `min(CAP, GAIN / (epochs - full_rate))`.

    >>> [alpha_by_epochs_left(epoch, epochs=30, full_rate=12) for epoch in (0, 7, 11)]
    [0.16666666666666666, 0.4, 0.5]
    """
    left = full_rate - epoch if epoch < full_rate else epochs - full_rate
    return min(CAP, GAIN / max(1, left))


def alpha_by_first_epoch(alpha: Any) -> dict[int, float]:
    """The schedule `{first epoch: alpha}`; a positive number becomes `{0: alpha}`.

    Epochs may be strings, as JSON stores them; anything else raises `ArcalError`.

    >>> alpha_by_first_epoch(torch.tensor(0.5)), alpha_by_first_epoch({"0": 0.25, "60": 0.5})
    ({0: 0.5}, {0: 0.25, 60: 0.5})
    """
    by_epoch: dict[Any, Any] = {
        first: a.item() if isinstance(a, Tensor | np.ndarray) and a.ndim == 0 else a
        for first, a in (alpha.items() if isinstance(alpha, Mapping) else [(0, alpha)])
    }
    schedule = {int(first): a for first, a in by_epoch.items() if str(first).isdecimal()}
    positive = all(isinstance(a, Real) and 0 < float(a) < math.inf for a in by_epoch.values())
    if not positive or len(schedule) < len(by_epoch) or 0 not in schedule:
        raise ArcalError(
            f"alpha is {alpha!r}: give a positive number, a schedule of positive numbers that "
            "starts at epoch 0, or 'auto'"
        )
    return schedule


def joint_step(
    soft_label: Tensor, gap: Tensor, variance: Tensor, alpha: float, low: float
) -> Tensor:
    """New soft labels `(R,)` in [low, 1], from each level's gap and the variance of that gap.

    `soft_label`, `gap` and `variance` are float64 `(R,)`; a gap is confidence minus accuracy.

    When all labels move together, a network's confidence follows one to one. When one level moves
    alone, it follows only as far as the network can tell which level an input belongs to, and a gap
    that does not close would accumulate epoch after epoch. So only the mean label follows Eq. 3.
    The deviation q_r of a level's label from the mean label approaches a target instead: minus the
    deviation d_r of the level's gap from the mean gap, shrunk by B:

        mean p <- mean p - alpha mean gap        q_r <- q_r + alpha (-B d_r - q_r)

    B is `shared_signal`, the part of the gaps' spread that is not the noise of a small validation
    set. Labels beyond 1 or `low` are clipped, and the others shift to preserve the mean
    (`with_sum`): they absorb what a level at its bound cannot, and nothing accumulates. With R = 1
    this is Eq. 3.

    >>> labels, gap = torch.tensor([0.5, 0.75]), torch.tensor([0.25, -0.25])
    >>> joint_step(labels, gap, variance=torch.zeros(2), alpha=0.5, low=0.1)
    tensor([0.4375, 0.8125])
    """
    mean, mean_gap = soft_label.mean(), gap.mean()
    target = -shared_signal(gap, variance) * (gap - mean_gap)
    deviation = soft_label - mean
    mean = mean - alpha * mean_gap
    return with_sum(mean + deviation + alpha * (target - deviation), float(mean) * len(gap), low)


def shared_signal(gap: Tensor, variance: Tensor) -> float:
    """The share in [0, 1] of the spread of R gaps that is not noise, by empirical Bayes.

    `max(0, 1 - mean variance / variance between the gaps)`, from gaps and their variances `(R,)`;
    1 for R = 1.

    >>> shared_signal(torch.tensor([-0.5, 0.5]), variance=torch.tensor([0.125, 0.125]))
    0.75
    """
    if len(gap) == 1:
        return 1.0
    between = float(gap.var())
    return max(0.0, 1 - float(variance.mean()) / between) if between > 0 else 0.0


def with_sum(label: Tensor, total: float, low: float) -> Tensor:
    """The labels `(R,)` in [low, 1] nearest to `label` whose sum is, or comes closest to, `total`.

    The Euclidean projection `clip(label + mu, low, 1)`. The sum is piecewise linear in mu, with
    breakpoints where a label reaches a bound, so mu is interpolated between them.

    >>> with_sum(torch.tensor([0.5, 0.75, 1.25]), total=2.5, low=0.1)
    tensor([0.6250, 0.8750, 1.0000])
    """
    breakpoints = torch.cat([low - label, 1 - label]).sort().values
    sums = (label + breakpoints.unsqueeze(1)).clamp(low, 1).sum(1)
    mu = np.interp(total, sums.tolist(), breakpoints.tolist())
    return (label + float(mu)).clamp(low, 1)
