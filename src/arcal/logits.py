"""Tells logits from probabilities that are passed in their place."""

import torch
from torch import Tensor

from arcal.errors import ArcalError

ROUNDED = 1e-3
"""How far from 1 a row of probabilities may sum: half precision rounds them."""


def are_probabilities(logits: Tensor) -> bool:
    """Whether all rows `(..., Z)` lie in [0, 1] and sum to 1, as a softmax's do but logits do not.

    A second softmax would accept them without an error, and every input would get nearly the same
    confidence, little above 1 / Z.

    >>> import torch
    >>> are_probabilities(torch.tensor([[2.0, -1.0]]).softmax(dim=1))
    True
    >>> are_probabilities(torch.tensor([[2.0, -1.0]]))
    False
    """
    rows = logits.detach()
    if rows.numel() == 0 or rows.shape[-1] < 2:
        return False
    low, high = rows.aminmax()  # nan if one of them is
    if not (low >= 0 and high <= 1):
        return False
    return bool(((rows.cpu().sum(dim=-1, dtype=torch.float64) - 1).abs() <= ROUNDED).all())


def refuse_probabilities(logits: Tensor) -> None:
    """Raise `ArcalError` if these are probabilities."""
    if are_probabilities(logits):
        raise ArcalError(
            "the logits lie in [0, 1] and their rows sum to 1, so these are probabilities: give "
            "what comes before the softmax, or the probabilities' logarithm"
        )
