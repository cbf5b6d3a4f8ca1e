"""Mixup (Zhang et al. 2018; for calibration Thulasidasan et al. 2019), under any criterion."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Beta

from arcal.methods.setting import Setting

Criterion = Callable[[Tensor, Tensor, Tensor], Tensor]
"""The mean loss of logits `(B, Z)` for ids and labels `(B,)`."""


MIXUP = Setting(
    "train on mixtures of images and of their labels, in shares drawn from Beta(mixup, mixup); "
    "0.2 in the paper",
    at_least=1e-3,
    at_most=1e3,
    name="mixup",
    type=float | None,
)
"""The setting that all methods with a criterion have."""


def mixed_loss(
    criterion: Criterion, beta: float, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor
) -> Tensor:
    """The loss of convex combinations of a batch and itself, shuffled.

        x~ = share x_i + (1 - share) x_j,   share ~ Beta(beta, beta)
        loss = share L(f(x~), i) + (1 - share) L(f(x~), j)

    which is the loss against the mixed soft labels, since cross-entropy is linear in its target:
    each example keeps the soft label that its own id and label have. One share a batch and one
    forward pass, as in the code of Zhang et al. The draws are from torch's global CPU generator,
    which the loop seeds anew for each epoch, so that a continued run draws the same.
    """
    share = float(Beta(beta, beta).sample())
    j = torch.randperm(len(x))
    on_device = j.to(x.device)
    logits = model(share * x + (1 - share) * x[on_device])
    loss_i = criterion(logits, ids, labels)
    loss_j = criterion(logits, ids[j], labels[on_device])
    return share * loss_i + (1 - share) * loss_j
