"""Vanilla: cross-entropy with one-hot labels."""

import torch.nn.functional as F
from torch import Tensor, nn

from arcal.methods.method import Method


class Vanilla(Method):
    """The paper's "Vanilla" (section 3.1)."""

    def __init__(self, Z: int):
        super().__init__()

    def loss(self, model: nn.Module, ids: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(model(x).float(), labels)
