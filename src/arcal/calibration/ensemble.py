"""The prediction of an ensemble: the mean of its members' probabilities."""

import math

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor, row_blocks
from arcal.errors import ArcalError
from arcal.logits import refuse_probabilities

NORMALISED = 2.0**-21
"""How far from 0 float32 rounding can take the log-sum-exp of log-probabilities."""


def average(logits: TensorLike) -> Tensor:
    """Log of the members' mean probability, `(N, Z)` float64, from their logits `(M, N, Z)`.

    log 1/M sum_m softmax(logits_m): probabilities are averaged, not logits, and computed as
    logarithms so that nothing underflows. A single model is an ensemble with M = 1, and the result
    is exactly its log-softmax. Rows that are a log-softmax already, up to float32 rounding, stay as
    they are, so that equal probabilities stay equal. A logit of -inf is a probability of 0; nan,
    +inf, or a row of only -inf raises `ArcalError`, and so do probabilities.

    >>> import torch
    >>> members = torch.tensor([[[1.0, 3.0]], [[3.0, 1.0]]]).log()  # two, of one input
    >>> average(members).exp()
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    logits = as_tensor(logits, "logits")
    if logits.ndim != 3 or len(logits) == 0:
        raise ArcalError(
            f"logits must have shape (M, N, Z) with M >= 1, not {tuple(logits.shape)}: "
            "stack the logits of the members"
        )
    refuse_probabilities(logits)
    M, N, Z = logits.shape
    log_p = torch.empty(N, Z, dtype=torch.float64, device="cpu")
    for some in row_blocks(N, M * Z):
        log_p[some] = averaged(logits[:, some])
    return log_p


def averaged(logits: Tensor) -> Tensor:
    """`average` of some of the rows, without a check of their shape.

    >>> import torch
    >>> averaged(torch.zeros(1, 1, 2)).exp()
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    logits = logits.detach().cpu().double()
    log_softmax = logits.log_softmax(-1)
    if log_softmax.isnan().any():
        raise ArcalError("logits hold nan or +inf: look for a member whose training diverged")
    done = (logits.amax(-1) - log_softmax.amax(-1)).abs() <= NORMALISED
    if done.any():
        log_softmax = torch.where(done.unsqueeze(-1), logits.clamp(max=0), log_softmax)
    if len(logits) == 1:
        return log_softmax[0]
    return log_softmax.logsumexp(0) - math.log(len(logits))
