"""Log-probabilities divided by temperatures: the best single one, and losses at one per input.

For each input, everything follows from log S(beta) = log sum_j exp(beta d_j), with beta = 1 / T and
d_j = z_j - max z: at 1 / T it gives the log-loss and the confidence, and with 2 / T also the
squared error.
"""

import math
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import row_blocks
from arcal.calibration.weighted import weighted_mean
from arcal.errors import ArcalError

TOLERANCE = 1e-10
STEPS = 200
CONSTANT = 1e-9
"""Smaller differences of log-probabilities, or shares of their mean, are rounding."""


def worse_than_uniform(z: Tensor, labels: Tensor, weights: Tensor) -> bool:
    """Whether no temperature is better than the uniform distribution.

    The log-loss is convex in 1 / T, so this is the case if it does not fall at 1 / T = 0: if the
    labels' log-probabilities are on average no higher than those of the other classes.
    """
    labelled, mean_z = z.gather(1, labels[:, None])[:, 0], z.mean(1)
    above = weighted_mean(labelled - mean_z, weights)
    return bool(above <= CONSTANT * weighted_mean(z.amax(1) - mean_z, weights))


def best_temperature(z: Tensor, labels: Tensor, weights: Tensor) -> float:
    """The temperature of `fit_temperature`, for finite log-probabilities `z` `(N, Z)`.

    `labels` and `weights` are `(N,)`, and the weights are above 0.
    """
    labelled, highest, N = z.gather(1, labels[:, None])[:, 0], z.amax(1), len(labels)
    _check_has_optimum(z, labels, weights, labelled, highest)

    mean, variance = torch.empty(2, N, dtype=torch.float64, device="cpu")

    def derivatives(beta: float) -> tuple[float, float]:
        for some in row_blocks(*z.shape):
            d = z[some] - highest[some, None]
            p = (beta * d).exp_()
            total = p.sum(1)
            first = p.mul_(d).sum(1) / total
            mean[some] = first
            variance[some] = p.mul_(d).sum(1) / total - first.square()
        slopes = mean + (highest - labelled)
        return weighted_mean(slopes, weights).item(), weighted_mean(variance, weights).item()

    low, beta = 0.0, 1.0
    while (known := derivatives(beta))[0] < 0:
        low, beta = beta, 2 * beta
    high = beta
    for _ in range(STEPS):
        slope, curvature = known
        low, high = (beta, high) if slope < 0 else (low, beta)
        last, beta = beta, beta - slope / curvature if curvature > 0 else math.inf
        if not low <= beta <= high:
            beta = (low + high) / 2
        if abs(beta - last) <= TOLERANCE * beta:
            break
        known = derivatives(beta)
    return 1 / beta


def _check_has_optimum(
    z: Tensor, labels: Tensor, weights: Tensor, labelled: Tensor, highest: Tensor
) -> None:
    """Refuse inputs for which no temperature minimises the NLL."""
    N = len(labels)
    if (highest - z.amin(1)).max() < CONSTANT:
        raise ArcalError(
            f"all classes are equally probable for each of {N} validation inputs, so that no "
            "temperature changes anything: look at the model"
        )
    if (labelled == highest).all():
        right = int((z.argmax(1) == labels).sum())
        which = f"all {N}" if right == N else f"{right} of {N}"
        ties = "" if right == N else " and the others are ties with their label"
        raise ArcalError(
            f"{which} validation inputs are classified correctly{ties}, so that the best "
            "temperature would be 0: give more inputs, some of them misclassified"
        )
    if worse_than_uniform(z, labels, weights):
        raise ArcalError(
            f"no temperature is better than the uniform distribution for {N} inputs: the "
            "predictions say nothing about the labels; check that they belong together"
        )


class Tempered:
    """N inputs whose finite log-probabilities `z` `(N, Z)` are divided by temperatures."""

    def __init__(self, z: Tensor, labels: Tensor):
        self.z, self.top = z, z.amax(1)
        self.own = z.gather(1, labels[:, None])[:, 0] - self.top

    def log_loss(self, T: Tensor) -> Tensor:
        """-log softmax(z / T)[y] of each input `(N,)`; gradients flow only to `T` `(N,)`.

        >>> T = torch.ones(1, requires_grad=True)
        >>> z = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log()
        >>> loss = Tempered(z, torch.tensor([0])).log_loss(T.double())
        >>> loss.item(), torch.autograd.grad(loss, T)[0]  # log 3 - E log z, over T^2
        (0.28768..., tensor([0.2747]))
        """
        beta = 1 / T
        return self._log_sum(beta) - beta * self.own

    def squared_error(self, T: Tensor) -> Tensor:
        """sum_j (softmax(z / T)_j - [j = y])^2 of each input `(N,)`; gradients flow only to `T`.

        >>> z = torch.tensor([[3.0, 1.0]], dtype=torch.float64).log()
        >>> Tempered(z, torch.tensor([0])).squared_error(torch.ones(1).double())
        tensor([0.1250], dtype=torch.float64)
        """
        beta = 1 / T
        log_s, log_s2 = self._log_sum(beta), self._log_sum(2 * beta)
        return (log_s2 - 2 * log_s).exp() - 2 * (beta * self.own - log_s).exp() + 1

    def _log_sum(self, beta: Tensor) -> Tensor:
        return _LogSum.apply(beta, self.z, self.top)


class _LogSum(torch.autograd.Function):
    """log S of each input at its own beta `(N,)`, and its slope: the mean d under softmax."""

    @staticmethod
    def forward(ctx: Any, beta: Tensor, z: Tensor, top: Tensor) -> Tensor:
        log_s, slope = torch.empty_like(beta), torch.empty_like(beta)
        for some in row_blocks(*z.shape):
            d = z[some] - top[some, None]
            p = (beta[some, None] * d).exp_()
            whole = p.sum(1)
            log_s[some], slope[some] = whole.log(), p.mul_(d).sum(1) / whole
        ctx.save_for_backward(slope)
        return log_s

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return slopes[0] * slope, None, None
