"""Vanilla: cross-entropy with one-hot labels."""

import torch.nn.functional as F
from torch import Tensor

from arcal.methods.method import Method


class Vanilla(Method):
    """The paper's "Vanilla" (section 3.1)."""

    def __init__(self, Z: int):
        super().__init__()

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels)
