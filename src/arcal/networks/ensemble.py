"""An ensemble as a single network, for example to attack it."""

import math

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """The log of the mean probability of M networks, as logits: `(N, C, H, W)` to `(N, Z)`.

    log 1/M sum_m softmax(member_m(x)). The softmax of these logits is the mean probability.

    >>> ensemble = Ensemble([nn.Flatten(), nn.Flatten()])  # whose logits are the pixels
    >>> ensemble(torch.zeros(1, 1, 1, 4)).exp()
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        members = torch.stack([member(x).float().log_softmax(dim=1) for member in self.members])
        return members.logsumexp(dim=0) - math.log(len(self.members))
