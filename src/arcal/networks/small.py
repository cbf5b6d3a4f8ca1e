"""Networks of 79k to 1.08M parameters that train on one processor core."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal


class SmallResNet(nn.Module):
    """A small residual network: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    The stem has `widths[0]` filters and the given `stride`; for each further width there is one
    basic block of stride 2. With the default stem of stride 2, nothing is computed at full
    resolution. The default widths are multiples of 16, which suit processors: of several networks
    with as many parameters (three stages of 16, 32, 64; two blocks per stage; widths of 24, 40, 56)
    this one trained fastest and learnt as well. `normalize` has mean .5 and standard deviation .25.
    Initial weights have PyTorch's default variance, `1 / (3 fan_in)`; with He's, six times as
    large, accuracy after a few epochs is a point lower.

    >>> generator = torch.Generator().manual_seed(0)
    >>> network = SmallResNet(classes=10, shape=(3, 32, 32), generator=generator)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> sum(parameter.numel() for parameter in network.parameters())
    78762
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
        self.blocks = nn.Sequential(*(BasicBlock(*pair) for pair in pairwise(widths)))
        self.classifier = dense(widths[-1], classes)
        truncated_normal(self, generator, gain=1 / 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.blocks(self.stem(self.normalize(x)))
        return self.classifier(features.mean((2, 3)))


class MediumResNet(SmallResNet):
    """`SmallResNet` with a stem at full resolution and three blocks, for data sets like CIFAR.

    >>> generator = torch.Generator().manual_seed(0)
    >>> network = MediumResNet(classes=10, shape=(3, 32, 32), generator=generator)
    >>> sum(parameter.numel() for parameter in network.parameters())
    309290
    """

    def __init__(self, *, classes: int, shape: tuple[int, int, int], generator: torch.Generator):
        super().__init__(
            classes=classes,
            shape=shape,
            generator=generator,
            widths=(32, 32, 64, 128),
            stride=1,
        )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, added to a 1x1 projection, then ReLU; stride 2."""

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


class FastNetwork(nn.Module):
    """1.08M parameters that train fast: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    Three stages of two 3x3 convolutions with `widths` filters, each halved by max pooling, and then
    the maximum over positions. Processors multiply large bf16 matrices at least twice as fast as
    float32, but every pass over the activations takes time: so the stage at full resolution is
    narrow and the others are wide. Without that stage, small images would lose most. GELU makes the
    logits a nearly smooth function of the input. `normalize` has mean .5 and standard deviation
    .25; initial weights are He-normal. Images with fewer pixels per side than pooling reduces to
    one, 8 by default, raise `ArcalError`.

    >>> network = FastNetwork(classes=10, shape=(3, 32, 32), generator=torch.Generator())
    >>> network(torch.rand(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        widths: tuple[int, ...] = (32, 128, 256),
    ):
        super().__init__()
        if min(shape[1:]) < (least := 2 ** len(widths)):
            raise ArcalError(
                f"images of {shape[1]} x {shape[2]} are too small for the network fast: enlarge "
                f"them to {least} pixels or more, or choose another network, such as small"
            )
        channels = (shape[0], 1, 1)
        self.normalize = Normalize(constant(0.5, channels), constant(0.25, channels))
        self.stages = nn.Sequential(*(stage(*pair) for pair in pairwise((shape[0], *widths))))
        self.classifier = dense(widths[-1], classes)
        truncated_normal(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.stages(self.normalize(x)).amax((2, 3)))


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """Two convolutions, each with batch norm and GELU; the second is pooled before batch norm."""
    return nn.Sequential(
        convolution(inputs, outputs, 3),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
        convolution(outputs, outputs, 3),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
    )
