"""Mixup (Zhang et al. 2018; for calibration Thulasidasan et al. 2019) with any criterion.

RegMixup (Pinto et al., NeurIPS 2022) is mixup as a regulariser in addition to the clean batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.distributions import Beta

from arcal.generators import seeded
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
"""A setting of all methods with a criterion."""


def mixed_loss(
    criterion: Criterion, beta: float, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor
) -> Tensor:
    """The loss of convex combinations of a batch and itself, shuffled.

        x~ = share x_i + (1 - share) x_j,   share ~ Beta(beta, beta)
        loss = share L(f(x~), i) + (1 - share) L(f(x~), j)

    This is the loss against the mixed soft labels, because cross-entropy is linear in its target:
    each example keeps the soft label of its own id and label. There is one share per batch and one
    forward pass, as in the code of Zhang et al. The draws are from torch's global CPU generator,
    which the loop seeds again for each epoch, so that a continued run draws the same.
    """
    share = _beta(beta, None)
    j = torch.randperm(len(x), device="cpu")
    on_device = j.to(x.device)
    logits = model(share * x + (1 - share) * x[on_device])
    loss_i = criterion(logits, ids, labels)
    loss_j = criterion(logits, ids[j], labels[on_device])
    return share * loss_i + (1 - share) * loss_j


REGMIXUP = Setting(
    "train on each batch and on mixtures of its images and labels, in shares drawn from "
    "Beta(regmixup, regmixup); 20 in the authors' code for CIFAR",
    at_least=1e-3,
    at_most=1e3,
    name="regmixup",
    type=float | None,
)
"""A setting of all methods with a criterion."""


def regmixup_loss(
    criterion: Criterion,
    alpha: float,
    model: nn.Module,
    ids: Tensor,
    x: Tensor,
    labels: Tensor,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The mean of the loss of a batch and the loss of its mixtures.

        x- = lambda x_i + (1 - lambda) x_j,   lambda ~ Beta(alpha, alpha)
        L  = (CE(f(x_i), y_i) + eta [lambda CE(f(x-), y_i) + (1 - lambda) CE(f(x-), y_j)]) / 2

    with eta = 1, j a permutation of the batch, and any method's criterion as CE, which gives each
    example the soft label of its own id. The paper has the sum; the authors' code takes the mean
    over both halves of one pass, as here, so that the learning rate need not change. A large alpha
    draws shares close to one half, while mixup's small one draws them close to 0 or 1. There is one
    share per batch.
    """
    share = _beta(alpha, generator)
    j = torch.randperm(len(x), generator=generator, device="cpu")
    on_device = j.to(x.device)
    mixed = share * x + (1 - share) * x[on_device]
    logits, mixed_logits = model(torch.cat([x, mixed])).chunk(2)
    loss_i = criterion(mixed_logits, ids, labels)
    loss_j = criterion(mixed_logits, ids[j], labels[on_device])
    return (criterion(logits, ids, labels) + share * loss_i + (1 - share) * loss_j) / 2


def _beta(alpha: float, generator: torch.Generator | None) -> float:
    """A draw from Beta(alpha, alpha) by a generator, which torch's distributions do not accept.

    Without one it is by torch's global generator, on the CPU whatever the default device is.
    """
    with torch.device("cpu"):
        distribution = Beta(alpha, alpha)
        if generator is None:
            return float(distribution.sample())
        with seeded(int(torch.randint(2**62, (), generator=generator, device="cpu"))):
            return float(distribution.sample())
