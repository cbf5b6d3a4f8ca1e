"""Soft labels at any length of training: alpha by the epochs left, and one step for all levels.

Algorithm 1 has one alpha, found by hand for 200 epochs, and moves each level by itself. Here are
the two parts of a rule without anything to tune; `docs/choosing-alpha-and-R.md` derives them and
measures them. `arcal.smoothing` applies them.
"""

import numpy as np
import torch
from torch import Tensor

CAP = 0.5
"""The largest alpha: a network needs an epoch or so to answer a change of its labels."""

GAIN = 2.0
"""N of the epochs left; above 1 a steadily growing gap is closed when they are over."""


def alpha_by_epochs_left(epoch: int, epochs: int, full_rate: int) -> float:
    """Alpha after epoch number `epoch`, counted from 0, of `epochs` with `full_rate` at full rate.

    `min(CAP, GAIN / (full_rate - epoch))`: what is left of a gap is closed in the epochs that are
    left, so it does not matter how many there are. Over-confidence grows about linearly, by v an
    epoch, while a network overfits. A constant alpha follows such a ramp at the distance v / alpha;
    this one ends near v / CAP. After the decay of the learning rate networks follow
    less: alpha is spread evenly, `min(CAP, GAIN / (epochs - full_rate))`.
    """
    left = full_rate - epoch if epoch < full_rate else epochs - full_rate
    return min(CAP, GAIN / max(1, left))


def joint_step(
    soft_label: Tensor, gap: Tensor, variance: Tensor, alpha: float, low: float
) -> Tensor:
    """New soft labels `(R,)` in [low, 1] from the levels' gaps and the variances of those gaps.

    A network answers a move of all labels one to one, but a move of one level among others only
    as far as it can tell which level an input is of. So their mean follows Eq. 3, and a level's
    departure q_r from the mean label goes to the one-to-one answer to its gap's departure d_r from
    the mean gap, rather than adding up what will not go away:

        mean p <- mean p - alpha mean gap        q_r <- q_r + alpha (-B d_r - q_r)

    B, by `shared_signal`, is how much of the gaps' spread is no noise of a small validation set.
    Labels beyond 1 or `low` are cut and the others move so that the mean is kept, see `with_sum`:
    a level at its bound passes on what it cannot answer and winds nothing up. With R = 1 this is
    Eq. 3.
    """
    mean, mean_gap = soft_label.mean(), gap.mean()
    wanted = -shared_signal(gap, variance) * (gap - mean_gap)
    apart = soft_label - mean
    mean = mean - alpha * mean_gap
    return with_sum(mean + apart + alpha * (wanted - apart), float(mean) * len(gap), low)


def shared_signal(gap: Tensor, variance: Tensor) -> float:
    """The share in [0, 1] of the spread of R gaps that is not their noise, by empirical Bayes.

    `max(0, 1 - mean variance / variance between the gaps)`; 1 for R = 1.
    """
    if len(gap) == 1:
        return 1.0
    between = float(gap.var())
    return max(0.0, 1 - float(variance.mean()) / between) if between > 0 else 0.0


def with_sum(label: Tensor, total: float, low: float) -> Tensor:
    """The labels `(R,)` in [low, 1] nearest to `label` whose sum is `total`, or as near it as is
    possible.

    The Euclidean projection `clip(label + mu, low, 1)`. The sum is linear in mu between the points
    where a label meets a bound, so mu is interpolated between them.
    """
    meets = torch.cat([low - label, 1 - label]).sort().values
    sums = (label + meets.unsqueeze(1)).clamp(low, 1).sum(1)
    mu = np.interp(total, sums.tolist(), meets.tolist())
    return (label + float(mu)).clamp(low, 1)
