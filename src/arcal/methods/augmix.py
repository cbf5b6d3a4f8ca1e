"""AugMix with its Jensen-Shannon consistency loss (Hendrycks et al., ICLR 2020), on any method."""

import math

import torch
from torch import Tensor, nn

from arcal.methods.setting import Setting
from arcal.transforms.augmix import augmix

AUGMIX = Setting(
    "the weight λ of AugMix's consistency loss, 12 in AugMix's paper; 0 trains on its images "
    "instead, without that loss",
    at_least=0,
    at_most=1e6,
    name="augmix",
    type=float | None,
)
"""A setting of all methods; methods that make their own inputs take only 0."""


def augmix_views(x: Tensor, weight: float, generator: torch.Generator | None) -> list[Tensor]:
    """The inputs of the network in place of images `(B, C, H, W)` in [0, 1].

    These are the images and two mixtures of each, or only one mixture if the `weight` is 0.
    """
    if weight == 0:
        return [augmix(x, generator)]
    return [x, *augmix(torch.cat([x, x]), generator).chunk(2)]


def jensen_shannon(*logits: Tensor) -> Tensor:
    """The paper's JS divergence of predictions, in nats, from the logits `(B, Z)` of each view.

        JS(p_orig; p_augmix1; p_augmix2) = (KL[p_orig || M] + KL[p_augmix1 || M] + ...) / 3

    with M the mean of the predictions. It is the mean over the batch, in float32 or better.

    >>> sure, unsure = torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 100.0]])
    >>> jensen_shannon(sure, sure), jensen_shannon(sure, unsure)  # log 2
    (tensor(0.), tensor(0.6931))
    """
    dtype = torch.promote_types(logits[0].dtype, torch.float32)
    log_p = torch.stack([one.log_softmax(dim=1, dtype=dtype) for one in logits])
    log_p = log_p.clamp(min=torch.finfo(dtype).min)  # so that p log p is 0 for a masked class
    log_M = log_p.logsumexp(dim=0) - math.log(len(logits))
    return (log_p.exp() * (log_p - log_M)).sum(dim=2).mean()


class Beside(nn.Module):
    """A model that also runs on other inputs in the same pass, and keeps their logits.

    All share one pass, as in the authors' code, so that batch norm sees all views as one batch.

    >>> model = Beside(nn.Identity(), [torch.ones(1, 2)])
    >>> model(torch.zeros(1, 2)), model.logits
    (tensor([[0., 0.]]), [tensor([[0., 0.]]), tensor([[1., 1.]])])
    """

    def __init__(self, model: nn.Module, others: list[Tensor]):
        super().__init__()
        self.model: nn.Module = model
        self.others: list[Tensor] = others
        self.logits: list[Tensor] = []
        """The logits of the first B inputs, and of each of the `others` `(B, ...)`."""

    def forward(self, x: Tensor) -> Tensor:
        B = len(self.others[0])
        logits = self.model(torch.cat([x, *self.others]))
        first, *rest = logits.split([len(x), *(B for _ in self.others)])
        self.logits = [first[:B], *rest]
        return first
