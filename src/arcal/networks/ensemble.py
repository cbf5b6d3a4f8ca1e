"""Several networks as one: what an ensemble is to an attack."""

import math

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """`(N, C, H, W)` to the logarithm of the M members' mean probability, `(N, Z)`.

    A logarithm of probabilities serves as logits: its softmax is the average itself.
    """

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        each = torch.stack([member(x).float().log_softmax(dim=1) for member in self.members])
        return each.logsumexp(dim=0) - math.log(len(self.members))
