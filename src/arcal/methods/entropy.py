"""The confidence penalty (Pereyra et al. 2017), also known as entropy regularisation."""

import torch
from torch import Tensor

from arcal.methods.setting import Setting

ENTROPY = Setting(
    "the weight β of the confidence penalty, which rewards the entropy of predictions; 0.1 is a "
    "start",
    above=0,
    at_most=1e6,
    name="entropy",
    type=float | None,
)
"""The setting that all methods with a criterion have."""


def mean_entropy(logits: Tensor) -> Tensor:
    """The mean entropy of predictions, in nats, of logits `(B, Z)`, in float32 or better.

        H(p(y|x)) = - sum_i p(y_i|x) log p(y_i|x)
        L = CE - beta H(p(y|x))

    The loss L has any method's criterion for the cross-entropy CE. Up to a constant, - H is the KL
    divergence KL[p || u] from the uniform distribution, where label smoothing has KL[u || p].

    >>> mean_entropy(torch.tensor([[0.0, 0.0], [200.0, 0.0]])) * 2  # log 2 and 0
    tensor(0.6931)
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    log_p = logits.log_softmax(dim=1, dtype=dtype)
    return -(log_p.exp() * log_p).sum(dim=1).mean()
