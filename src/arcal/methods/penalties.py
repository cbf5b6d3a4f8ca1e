"""Penalties on over-confident predictions: by their entropy, and by the distances of logits.

The confidence penalty (Pereyra et al. 2017), also known as entropy regularisation, and margin-based
label smoothing, MbLS (Liu et al., CVPR 2022), a limit on logit distances.
"""

import torch
from torch import Tensor

from arcal.methods.setting import Setting

LAMBDA = 0.1
"""The weight of the MbLS penalty, as in the authors' code."""

MBLS = Setting(
    "margin-based label smoothing: penalise logits further than this margin m below the largest; "
    "the authors' code has 10",
    at_least=0,
    at_most=1e6,
    name="mbls",
    type=float | None,
)
"""A setting of all methods with a criterion."""


def margin_penalty(logits: Tensor, m: float) -> Tensor:
    """The penalty on logits `l` `(B, K)` that lie further than `m` below the largest of their row.

        L = CE + lambda sum_k max(0, max_j l_j - l_k - m) / K,   lambda = 0.1

    This returns the sum over k divided by K, as a mean over the batch, in float32 or better. The
    paper writes the sum; the authors' code, in which lambda is 0.1, takes the mean over the K
    classes. At m = 0 it penalises all logit distances, much like label smoothing; with a large m,
    distances within m are left to the cross-entropy. A class masked by -inf costs nothing.

    >>> margin_penalty(torch.tensor([[9.0, 1.0, 0.0]]), m=6.0)  # (0 + 2 + 3) / 3
    tensor(1.6667)
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    distance = (logits.amax(dim=1, keepdim=True) - logits).masked_fill(logits.isneginf(), 0)
    return (distance - m).clamp(min=0).mean()


ENTROPY = Setting(
    "the weight β of the confidence penalty, which rewards the entropy of predictions; 0.1 is a "
    "start",
    above=0,
    at_most=1e6,
    name="entropy",
    type=float | None,
)
"""A setting of all methods with a criterion."""


def mean_entropy(logits: Tensor) -> Tensor:
    """The mean entropy of predictions, in nats, of logits `(B, Z)`, in float32 or better.

        H(p(y|x)) = - sum_i p(y_i|x) log p(y_i|x)
        L = CE - beta H(p(y|x))

    In L, CE is any method's criterion. Up to a constant, - H is the KL
    divergence KL[p || u] from the uniform distribution, where label smoothing has KL[u || p].

    >>> mean_entropy(torch.tensor([[0.0, 0.0], [200.0, 0.0]])) * 2  # log 2 and 0
    tensor(0.6931)
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_p = logits.log_softmax(dim=1, dtype=dtype).clamp(min=torch.finfo(dtype).min)  # 0 x inf: 0
    return -(log_p.exp() * log_p).sum(dim=1).mean()
