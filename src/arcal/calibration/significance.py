"""Whether an accuracy differs from its confidence by more than chance, of many groups at once."""

from collections.abc import Sequence

import torch
from scipy.special import betainc, betaincc
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_counts, as_unit
from arcal.errors import ArcalError


def binomial_p(successes: TensorLike, count: TensorLike, probability: TensorLike) -> Tensor:
    """Two-sided p-values, float64, of `successes` out of `count` trials at a `probability`.

    Twice the smaller of P(X <= successes) and P(X >= successes), at most 1: below 0.05 exactly
    where `clopper_pearson` at 95 % leaves the probability out. If the chances of the trials differ
    and `probability` is their mean, as a mean confidence is, the p-value errs on the large side
    (Hoeffding, 1956). All three have one shape; counts may be fractions, such as effective numbers,
    for which the incomplete beta function stands for the sums. Without trials it is 1.

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
    at_least = torch.as_tensor(betainc(some, (n - x + 1).numpy(), p.numpy())).where(x > 0, 1)
    at_most = torch.as_tensor(betaincc((x + 1).numpy(), missed, p.numpy())).where(x < n, 1)
    return (2 * torch.minimum(at_least, at_most)).clamp(max=1)


def holm(p: Sequence[float]) -> list[float]:
    """p-values corrected by Holm's step-down method for how many they are, in the same order.

    Whatever is true and however they depend on each other, the chance that any true hypothesis ends
    below 0.05 is at most 0.05 (Holm, 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, highest = [1.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = highest
    return corrected
