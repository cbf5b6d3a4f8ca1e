"""The ranking of inputs by robustness, and the levels it is cut into (section 3.1)."""

from numbers import Integral

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor, ascending
from arcal.errors import ArcalError


def rank(robustness: TensorLike, ids: TensorLike) -> Tensor:
    """Position of each input from the least to the most robust, int64 `(N,)`, ties by id.

    `robustness` `(N,)` may be infinite; `ids` are int64 `(N,)`. NaN, another shape, or an id that
    repeats raises `ArcalError`.

    >>> rank(torch.tensor([0.9, torch.inf, 0.1, 0.9]), torch.tensor([8, 2, 3, 5]))
    tensor([2, 3, 0, 1])
    """
    robustness, ids = as_tensor(robustness, "robustness"), as_tensor(ids, "ids")
    if robustness.shape != ids.shape or ids.ndim != 1:
        raise ArcalError(
            f"robustness {tuple(robustness.shape)} and ids {tuple(ids.shape)}: give (N,) of each"
        )
    ids = ids.to(robustness.device)
    if robustness.isnan().any():
        raise ArcalError("a robustness is NaN: a failed attack is +inf, never NaN")
    if ids.is_floating_point():
        raise ArcalError(f"ids are {ids.dtype}: give whole numbers")
    by_id = ascending(ids)
    order = by_id[robustness[by_id].argsort(stable=True)]
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(ids), device=ids.device))


def levels(robustness: TensorLike, ids: TensorLike, R: int) -> Tensor:
    """Cut the ranking into `R` levels of equal size, int64 `(N,)`: 0 is the least robust.

    Sizes differ by at most 1. Section 3.1 uses R = 10. Fewer inputs than levels, and what `rank`
    refuses, raise `ArcalError`.

    >>> levels(torch.tensor([0.9, torch.inf, 0.1, 0.2]), torch.arange(4), R=2)
    tensor([1, 1, 0, 0])
    """
    ranks = rank(robustness, ids)
    N = len(ranks)
    if not isinstance(R, Integral) or not 1 <= R <= N:
        raise ArcalError(f"{N} inputs cannot be cut into {R} levels: choose R from 1 to {N}")
    return ranks * R // N


def mean_rank(robustness: TensorLike, ids: TensorLike) -> Tensor:
    """One ranking for M models: each input's mean rank over robustness `(M, N)`, float64 `(N,)`.

    Ids are int64 `(N,)`. No models, another shape, NaN, or an id that repeats raises `ArcalError`.

    >>> mean_rank(torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]]), torch.arange(3))
    tensor([1.0000, 0.5000, 1.5000], dtype=torch.float64)
    """
    runs = as_tensor(robustness, "robustness").cpu()  # not all devices have float64
    if runs.ndim != 2 or len(runs) == 0:
        raise ArcalError(f"robustness {tuple(runs.shape)}: give (M, N), a row for each model")
    return torch.stack([rank(run, ids) for run in runs]).double().mean(dim=0)
