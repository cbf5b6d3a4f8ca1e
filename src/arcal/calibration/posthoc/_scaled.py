"""Losses of log-probabilities divided by a temperature for each input, with their slopes in it."""

from typing import Any

import torch
from torch import Tensor

from arcal.arrays import row_blocks


def log_loss(T: Tensor, z: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(z / T)[y] of each input `(N,)`, whose gradient flows to `T` alone.

    `T` are `(N,)`, above 0, `z` finite `(N, Z)` and `labels` `(N,)` 0 .. Z-1, all on the CPU.

    >>> T = torch.ones(1, requires_grad=True)
    >>> loss = log_loss(T, torch.tensor([[3.0, 1.0]]).log(), torch.tensor([0]))
    >>> loss, torch.autograd.grad(loss, T)[0]  # log 3 - E log z, over T^2
    (tensor([0.2877], grad_fn=<_ScaledBackward>), tensor([0.2747]))
    """
    return _Scaled.apply(T, z, labels, False)


def squared_error(T: Tensor, z: Tensor, labels: Tensor) -> Tensor:
    """sum_j (softmax(z / T)_j - [j = y])^2 of each input `(N,)`; the same otherwise.

    >>> squared_error(torch.ones(1), torch.tensor([[3.0, 1.0]]).log(), torch.tensor([0]))
    tensor([0.1250])
    """
    return _Scaled.apply(T, z, labels, True)


class _Scaled(torch.autograd.Function):
    """A block of rows at a time, without a gradient for each of N Z numbers."""

    @staticmethod
    def forward(ctx: Any, T: Tensor, z: Tensor, labels: Tensor, squared: bool) -> Tensor:
        loss, slope = torch.empty(2, len(z), dtype=z.dtype)
        for some in row_blocks(*z.shape):
            rows, own, t = z[some], labels[some, None], T[some]
            scaled = rows / t[:, None]
            top = scaled.amax(1, keepdim=True)
            p = (scaled - top).exp_()
            whole = p.sum(1)
            mean = torch.linalg.vecdot(p, rows) / whole
            beyond = rows.gather(1, own)[:, 0] - mean
            if squared:
                p /= whole[:, None]
                p_own, squares = p.gather(1, own)[:, 0], p.square()
                total = squares.sum(1)
                loss[some] = total - 2 * p_own + 1
                change = mean * total - torch.linalg.vecdot(squares, rows) + p_own * beyond
                slope[some] = 2 * change / t.square()
            else:
                loss[some] = whole.log() + (top - scaled.gather(1, own))[:, 0]
                slope[some] = beyond / t.square()
        ctx.save_for_backward(slope)
        return loss

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (slope,) = ctx.saved_tensors
        return slopes[0] * slope, None, None, None
