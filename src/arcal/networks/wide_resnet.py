"""WRN-28-10, the paper's second network for CIFAR (appendix A): the one of uncertainty-baselines.

Its `wide_resnet.py`, version 2, which in 2020 was part of edward2's `baselines/cifar`: no biases in
convolutions, batch norm with epsilon 1e-5 and Keras momentum .9, He-normal initialisation, every
parameter penalised (L2 of 2e-4).
"""

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal

# What edward2's script of 2020 takes from the channels of either CIFAR, and divides them by.
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)


class WideResNet(nn.Module):
    """`(N, C, H, W)` in [0,1] to logits `(N, Z)`, of depth `6n + 4` and any width.

    A convolution of 16 filters (no batch norm after it), then three groups of n basic blocks with
    16, 32 and 64 times `width` filters; groups two and three begin with stride 2. Colour images are
    normalised by the script's numbers for CIFAR, others by .5 and .25. The average pooling is
    global: the same as the original's 8x8 on 32x32 images.

    One difference from TensorFlow: where a 3x3 convolution has stride 2, TensorFlow's "same" pads
    an even-sized input below and right only, this network on all sides, as the original WRN in
    Torch does: the windows lie one pixel apart.
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        depth: int = 28,
        width: int = 10,
    ):
        super().__init__()
        count, rest = divmod(depth - 4, 6)
        if count < 1 or rest or width < 1:
            raise ArcalError(
                f"a wide ResNet of depth {depth} and width {width} does not exist: "
                "depth is 6n + 4, width at least 1"
            )
        if shape[0] == 3:
            mean, std = (
                torch.tensor(CIFAR_MEAN)[:, None, None],
                torch.tensor(CIFAR_STD)[:, None, None],
            )
        else:
            mean, std = constant(0.5, (shape[0], 1, 1)), constant(0.25, (shape[0], 1, 1))
        self.normalize = Normalize(mean, std)
        self.stem = convolution(shape[0], 16, 3)
        blocks: list[nn.Module] = []
        inputs = 16
        for group, outputs in enumerate([16 * width, 32 * width, 64 * width]):
            for block in range(count):
                blocks.append(PreActivation(inputs, outputs, 2 if group > 0 and block == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(batch_norm(inputs), nn.ReLU())
        self.classifier = dense(inputs, classes)
        truncated_normal(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(self.normalize(x))))
        return self.classifier(features.mean((2, 3)))


class PreActivation(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, added to a shortcut.

    Where the shapes differ the shortcut is a 1x1 convolution of the block's raw input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            batch_norm(inputs),
            nn.ReLU(),
            convolution(inputs, outputs, 3, stride),
            batch_norm(outputs),
            nn.ReLU(),
            convolution(outputs, outputs, 3),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm as uncertainty-baselines sets it, which is PyTorch's default."""
    return nn.BatchNorm2d(channels, eps=1e-5, momentum=0.1)
