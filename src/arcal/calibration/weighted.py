"""Means over inputs that count by their weights."""

from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """sum_i w_i v_i / sum_i w_i of values `(N,)`, or of each column `(N, F)`.

    >>> import torch
    >>> weighted_mean(torch.tensor([1.0, 4.0]), torch.tensor([2.0, 1.0]))
    tensor(2.)
    """
    w = weights if values.ndim == 1 else weights[:, None]
    return (w * values).sum(0) / weights.sum()


def weighted_deviation(values: Tensor, weights: Tensor) -> Tensor:
    """The root of the weighted mean square of values minus their weighted mean.

    >>> import torch
    >>> weighted_deviation(torch.tensor([1.0, 4.0]), torch.tensor([1.0, 1.0]))
    tensor(1.5000)
    """
    if (weights == 1).all():  # to the bit what torch says
        return values.std(0, correction=0)
    return weighted_mean((values - weighted_mean(values, weights)).square(), weights).sqrt()
