"""Vanilla: cross-entropy with one-hot labels."""

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.methods.method import Method


class Vanilla(Method):
    """The paper's "Vanilla" (section 3.1).

    >>> ids, labels = torch.tensor([7]), torch.tensor([0])
    >>> Vanilla(2).criterion(torch.tensor([[0.0, 0.0]]), ids, labels)  # log 2
    tensor(0.6931)
    """

    name = "vanilla"
    title = "Vanilla"
    about = "cross-entropy with the labels as they are"
    place = 10

    def __init__(self, Z: int):
        super().__init__()

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), labels)
