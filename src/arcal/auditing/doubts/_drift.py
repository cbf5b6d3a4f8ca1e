"""Whether inputs without labels seem to differ from those with labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.auditing.doubts._order_and_scale import FEWEST, SIGNIFICANCE
from arcal.calibration.clusters import as_numbers, design_effect


def suspect_drift(
    labelled: Tensor,
    others: Tensor,
    classes: Sequence[str],
    *,
    clusters: Sequence[TensorLike | None] = (None, None),
) -> str | None:
    """A sentence if a model's probabilities are distributed differently on other inputs, or None.

    `labelled` `(N, Z)` and `others` `(M, Z)` are the log-probabilities of one model, `classes` the
    Z names. The probability of each class is compared by a Kolmogorov-Smirnov test, and the
    sentence names the class that differs most. Without a drift, fewer than one comparison in a
    thousand gives a sentence, corrected for the number of classes. A drift that does not show in
    the probabilities goes unnoticed, and so does any with fewer than 30 inputs on either side.
    `clusters` number the inputs that belong together, int64 `(N,)` and `(M,)`, where this is known:
    each side then counts as many inputs as are as certain without clusters. Other numbers raise
    `ArcalError`.

    >>> import torch
    >>> p = torch.linspace(0.01, 0.5, 300)
    >>> january = torch.stack([1 - p, p], dim=1).log()
    >>> suspect_drift(january, january[::2], ["well", "ill"]) is None
    True
    >>> suspect_drift(january, january[200:], ["well", "ill"])
    'these differ from the labelled inputs by more than chance: the probability of ill is \
distributed differently (mean 41.9 %, on the labelled inputs 25.5 %), so what was found on those \
may not hold for these'
    """
    numbers = [
        None if one is None else as_numbers(one, len(log_p))
        for one, log_p in zip(clusters, (labelled, others), strict=True)
    ]
    if min(len(labelled), len(others)) < FEWEST:
        return None
    from scipy.stats import ks_2samp, kstwo  # takes a second to import

    Z = labelled.shape[1]
    columns = [1] if Z == 2 else range(Z)  # with two classes, one is enough

    def probabilities(z: int) -> list[Tensor]:
        return [log_p[:, z].double().exp().cpu() for log_p in (labelled, others)]

    def chance_of(z: int) -> float:
        before, after = probabilities(z)
        result: Any = ks_2samp(before.numpy(), after.numpy(), method="asymp")
        if all(number is None for number in numbers):
            return result.pvalue
        n, m = map(_independent, (before, after), numbers)
        return float(kstwo.sf(result.statistic, max(round(n * m / (n + m)), 1)))

    chance = {z: chance_of(z) for z in columns}
    most = min(columns, key=chance.__getitem__)
    if chance[most] * len(columns) >= SIGNIFICANCE:
        return None
    there, here = (100 * float(p.mean()) for p in probabilities(most))
    return (
        "these differ from the labelled inputs by more than chance: the probability of "
        f"{classes[most]} is distributed differently (mean {here:.3g} %, on the labelled inputs "
        f"{there:.3g} %), so what was found on those may not hold for these"
    )


def _independent(values: Tensor, number: Tensor | None) -> float:
    """The number of independent inputs whose distribution is as certain as that of these `(N,)`.

    A test of distributions compares shares of values below a limit, and these may be less certain
    than the mean, as where patients differ in how sure the model is of any class. So the largest
    design effect of those below a decile counts.
    """
    if number is None:
        return len(values)
    one = torch.ones_like(values)
    deciles = np.quantile(values.numpy(), np.arange(0.1, 0.95, 0.1), method="inverted_cdf")
    below = (values[:, None] <= torch.from_numpy(deciles)).to(values)
    below = below[:, below.min(0).values < 1]
    every = below.T if below.shape[1] else values[None]
    return len(values) / max(design_effect(some, one, number) for some in every)
