"""A classifier of images that sees each one and its mirror image."""

import math

import torch
from torch import Tensor, nn


class Mirrored(nn.Module):
    """The mean of the probabilities of an image and its mirror image, as logarithms.

    log q(x) = log 1/2 (p(x) + p(mirror x)) of images `(N, C, H, W)`, with p = softmax f. It is a
    classifier like `model`, of twice the passes: it is often right where one view is not, and less
    sure; it is calibrated as an ensemble is, after averaging.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    >>> x = torch.tensor([[[[0.0, 1.0]]]])
    >>> bool(torch.allclose(Mirrored(model)(x), Mirrored(model)(x.flip(3))))
    True
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        self.training = model.training

    def forward(self, x: Tensor) -> Tensor:
        views = [self.model(view).log_softmax(1) for view in (x, x.flip(3))]
        return torch.stack(views).logsumexp(0) - math.log(2)
