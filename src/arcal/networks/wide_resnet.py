"""WRN-28-10, the paper's second network for CIFAR (appendix A), from uncertainty-baselines.

The script is `wide_resnet.py`, version 2, in 2020 part of edward2's `baselines/cifar`: convolutions
without biases, batch norm with epsilon 1e-5 and Keras momentum .9 (PyTorch's defaults), He-normal
initialisation, every parameter penalised (L2 of 2e-4).
"""

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.networks.layers import Normalize, convolution, dense, truncated_normal

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
"""The normalisation of edward2's script of 2020, for CIFAR-10 and CIFAR-100 alike."""


class WideResNet(nn.Module):
    """Wide ResNet of depth `6n + 4`: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    A convolution of 16 filters without batch norm, then three groups of n basic blocks with 16, 32
    and 64 times `width` filters; groups two and three begin with stride 2. Colour images are
    normalised with the script's numbers for CIFAR, others with mean .5 and standard deviation .25.
    The average pooling is global, which on 32x32 images is the script's 8x8. Another depth, or a
    width below 1, raises `ArcalError`.

    One difference from TensorFlow: for 3x3 convolutions of stride 2, TensorFlow's "same" pads an
    even-sized input only at the bottom and right, this network on all sides, like the original WRN
    in Torch. The windows are shifted by one pixel.

    >>> generator = torch.Generator().manual_seed(0)
    >>> size = {"depth": 10, "width": 1}
    >>> network = WideResNet(classes=10, shape=(3, 32, 32), generator=generator, **size)
    >>> network.eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
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
                "choose a depth 6n + 4 and a width of at least 1"
            )
        mean, std = CIFAR_MEAN, CIFAR_STD
        if shape[0] != 3:
            mean, std = (0.5,) * shape[0], (0.25,) * shape[0]
        self.normalize = Normalize(*(torch.tensor(one)[:, None, None] for one in (mean, std)))
        self.stem = convolution(shape[0], 16, 3)
        blocks: list[nn.Module] = []
        inputs = 16
        for group, outputs in enumerate([16 * width, 32 * width, 64 * width]):
            for block in range(count):
                blocks.append(PreActivation(inputs, outputs, 2 if group > 0 and block == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.classifier = dense(inputs, classes)
        truncated_normal(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(self.normalize(x))))
        return self.classifier(features.mean((2, 3)))


class PreActivation(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, added to a shortcut.

    Where input and output differ in shape, the shortcut is a 1x1 convolution of the input.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            convolution(inputs, outputs, 3, stride),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            convolution(outputs, outputs, 3),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else convolution(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)
