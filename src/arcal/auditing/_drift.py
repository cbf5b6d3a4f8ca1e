"""Whether inputs without labels seem to be others than those with labels."""

from collections.abc import Sequence
from typing import Any

from scipy.stats import ks_2samp
from torch import Tensor

from arcal.auditing._suspect_order import FEWEST, SIGNIFICANCE


def suspect_drift(labelled: Tensor, others: Tensor, classes: Sequence[str]) -> str | None:
    """A sentence if a model's probabilities are distributed otherwise on other inputs, or None.

    `labelled` `(N, Z)` and `others` `(M, Z)` are the log-probabilities of one model, `classes` the
    names of the Z. The probability of each class is compared by the test of Kolmogorov and Smirnov;
    the sentence is of the class that differs most. Of inputs that are drawn alike it is said in
    less than one case of a thousand, corrected for the number of classes. A drift that the
    probabilities do not show is not noticed, and nothing is said of fewer than 30 inputs.

    >>> import torch
    >>> p = torch.linspace(0.01, 0.5, 300)
    >>> january = torch.stack([1 - p, p], dim=1).log()
    >>> suspect_drift(january, january[::2], ["well", "ill"]) is None
    True
    >>> suspect_drift(january, january[200:], ["well", "ill"])
    'these are not like the labelled inputs, beyond chance: the probability of ill is distributed \
otherwise, with a mean of 41.9 %, and 25.5 % there; what was found there need not hold here'
    """
    if min(len(labelled), len(others)) < FEWEST:
        return None
    before, after = labelled.double().exp().cpu(), others.double().exp().cpu()
    columns = [1] if before.shape[1] == 2 else range(before.shape[1])  # of two, one says it all
    compare: Any = ks_2samp  # what it returns is unknown to type checkers
    chance = {
        z: compare(before[:, z].numpy(), after[:, z].numpy(), method="asymp").pvalue
        for z in columns
    }
    most = min(columns, key=chance.__getitem__)
    if chance[most] * len(columns) >= SIGNIFICANCE:
        return None
    there, here = (100 * float(p[:, most].mean()) for p in (before, after))
    return (
        "these are not like the labelled inputs, beyond chance: the probability of "
        f"{classes[most]} is distributed otherwise, with a mean of {here:.3g} %, and {there:.3g} % "
        "there; what was found there need not hold here"
    )
