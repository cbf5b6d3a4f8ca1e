"""Residual networks that train on one processor core: of 79k and of 309k parameters."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal


class SmallResNet(nn.Module):
    """`(N, C, H, W)` in [0,1] to logits `(N, Z)`: a stem and basic blocks, each of stride 2.

    The stem has the first of `widths` filters and `stride`, each block the next. As it is, a stem
    of stride 2 and two blocks, nothing is computed at full resolution, and widths are multiples of
    16, which processors like: among splits of about as many parameters (three stages of 16, 32, 64;
    two blocks a stage; widths of 24, 40, 56) this one trained fastest and learnt as well.
    `normalize` takes .5 from every channel and divides by .25. Weights start with the variance of
    PyTorch's own default, `1 / (3 fan_in)`: after few epochs He's sixfold one is a point of
    accuracy behind.
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        widths: tuple[int, ...] = (32, 32, 64),
        stride: int = 2,
    ):
        super().__init__()
        channels = (shape[0], 1, 1)
        self.normalize = Normalize(constant(0.5, channels), constant(0.25, channels))
        self.stem = nn.Sequential(
            convolution(shape[0], widths[0], 3, stride=stride), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(BasicBlock(*two) for two in pairwise(widths)))
        self.classifier = dense(widths[-1], classes)
        truncated_normal(self, generator, gain=1 / 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(self.stem(self.normalize(x)))
        return self.classifier(features.mean((2, 3)))


class MediumResNet(SmallResNet):
    """The same with a stem at full resolution and three blocks, for data sets of 50,000 images."""

    def __init__(self, *, classes: int, shape: tuple[int, int, int], generator: torch.Generator):
        super().__init__(
            classes=classes,
            shape=shape,
            generator=generator,
            widths=(32, 32, 64, 128),
            stride=1,
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm added to a 1x1 projection, then ReLU; stride 2."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.residual = nn.Sequential(
            convolution(inputs, outputs, 3, stride=2),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            convolution(outputs, outputs, 3),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = convolution(inputs, outputs, 1, stride=2)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.shortcut(x) + self.residual(x))
