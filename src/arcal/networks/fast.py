"""A residual network of wide 3x3 convolutions, accurate after minutes on one processor core."""

import torch
from torch import Tensor, nn

from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal


class FastResNet(nn.Module):
    """1.04M parameters that train fast: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    A stem and two stages, with `widths` filters. Processors multiply large bf16 matrices at least
    twice as fast as float32, but every pass over the activations takes time. So convolutions are
    wide, only the stem works at full resolution, and a stage halves its feature maps before batch
    norm. GELU makes the logits a smooth function of the input. `normalize` has mean .5 and standard
    deviation .25; initial weights are He-normal.

    >>> network = FastResNet(classes=10, shape=(3, 32, 32), generator=torch.Generator())
    >>> network(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        widths: tuple[int, int, int] = (48, 96, 192),
    ):
        super().__init__()
        channels = (shape[0], 1, 1)
        self.normalize = Normalize(constant(0.5, channels), constant(0.25, channels))
        stem, first, second = widths
        self.stem = nn.Sequential(
            convolution(shape[0], stem, 4, stride=2, padding=1), nn.BatchNorm2d(stem), nn.GELU()
        )
        self.stages = nn.Sequential(Stage(stem, first), Stage(first, second))
        self.classifier = dense(second, classes)
        truncated_normal(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.stages(self.stem(self.normalize(x)))
        return self.classifier(features.mean((2, 3)))


class Stage(nn.Module):
    """A convolution with max pooling, then a residual block of two convolutions.

    Each convolution is followed by batch norm and GELU.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.first = nn.Sequential(
            convolution(inputs, outputs, 3), nn.MaxPool2d(2), nn.BatchNorm2d(outputs), nn.GELU()
        )
        self.residual = nn.Sequential(
            convolution(outputs, outputs, 3),
            nn.BatchNorm2d(outputs),
            nn.GELU(),
            convolution(outputs, outputs, 3),
            nn.BatchNorm2d(outputs),
            nn.GELU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return x + self.residual(x)
