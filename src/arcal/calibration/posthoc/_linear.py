"""Linear maps of log-probabilities, fitted by a penalised NLL, for vector scaling and Dirichlet."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import TensorLike, row_blocks
from arcal.calibration.posthoc.calibration_set import (
    CalibrationSet,
    LogProbabilities,
    as_calibration_set,
)
from arcal.errors import ArcalError

LOWEST = -50.0
"""The smallest log-probability that a linear map sees, so that -inf becomes finite."""


class Parameters(NamedTuple):
    """Weights, `(Z,)` or `(Z, Z)`, and offsets `(Z,)`."""

    W: Tensor
    b: Tensor


def bounded(log_p: Tensor) -> Tensor:
    """Log-probabilities, at least `LOWEST`.

    >>> bounded(torch.tensor([-torch.inf, -1.0]))
    tensor([-50.,  -1.])
    """
    return log_p.clamp(min=LOWEST)


def as_linear_examples(
    log_p: LogProbabilities, labels: TensorLike, weights: TensorLike | None
) -> CalibrationSet:
    """A checked set of log-probabilities `(N, Z)`, which may be -inf, but not for a label.

    `labels` and `weights` are `(N,)`. No inputs, labels of a single class, and a label of
    log-probability -inf raise `ArcalError`.
    """
    given = as_calibration_set(log_p, labels, weights)
    log_p, labels = given.log_p, given.labels
    if len(labels.unique()) < 2:
        raise ArcalError(
            f"{len(labels)} validation inputs of fewer than two classes say nothing about each "
            "class: pass more"
        )
    impossible = log_p.gather(1, labels[:, None]).isneginf()[:, 0]
    if impossible.any():
        row = int(impossible.nonzero()[0])
        raise ArcalError(
            f"the label {int(labels[row])} of input {int(given.counted[row])} has a "
            "log-probability of -inf: leave such inputs out"
        )
    return given


def fit_linear(
    log_p: Tensor,
    labels: Tensor,
    weights: Tensor,
    start: Parameters,
    scores: Callable[[Tensor, Parameters], Tensor],
    slopes: Callable[[Tensor, Tensor], Tensor],
    penalty: Callable[[Parameters], Tensor],
) -> Parameters:
    """The parameters with the lowest weighted sum of the NLL plus the penalty, found from `start`.

    `scores` maps log-probabilities `(n, Z)` to logits, linear in W and b, so that with a convex
    penalty there is one optimum, which L-BFGS finds. `slopes` computes the gradient in W from the
    gradient in the logits `(n, Z)` and the log-probabilities.
    """
    N, Z = log_p.shape
    n, alike = weights.sum().item(), bool((weights == 1).all())
    z, shape = bounded(log_p), start.W.shape

    def unflat(values: Tensor) -> Parameters:
        return Parameters(values[:-Z].reshape(shape), values[-Z:])

    def objective(values: np.ndarray) -> tuple[float, np.ndarray]:
        flat = torch.from_numpy(values).clone().requires_grad_()
        loss = penalty(unflat(flat))
        (slope,) = torch.autograd.grad(loss, flat)
        of, total = unflat(flat.detach()), loss.detach()
        in_W, in_b = unflat(slope)
        for some in row_blocks(N, Z):
            q, own, w = scores(z[some], of), labels[some, None], weights[some, None]
            q -= q.amax(1, keepdim=True)
            right = q.gather(1, own)
            p = q.exp_()
            whole = p.sum(1, keepdim=True)
            total += (w * (whole.log() - right)).sum()
            p /= whole
            p.scatter_add_(1, own, torch.full_like(right, -1))
            if not alike:
                p *= w
            in_W += slopes(p, z[some])
            in_b += p.sum(0)
        return total.item() / n, slope.numpy() / n

    from scipy.optimize import minimize  # takes a fifth of a second to import

    first = torch.cat([start.W.flatten(), start.b]).numpy()
    options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7}
    best = minimize(objective, first, jac=True, method="L-BFGS-B", options=options)
    return unflat(torch.from_numpy(best.x))
