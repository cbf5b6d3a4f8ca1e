"""ResNet-29 v2, the paper's network for CIFAR-10 (appendix A): the one of Keras' CIFAR-10 example.

The script is `examples/cifar10_resnet.py` of Keras 2, version 2, n = 3. It follows its own
conventions: convolutions keep their biases beside batch norm, batch norm has epsilon 1e-3 and
momentum .99, and only convolution kernels are penalised (L2 of 1e-4).
"""

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal


class ResNetV2(nn.Module):
    """`(N, C, H, W)` in [0,1] to logits `(N, Z)`, of depth `9n + 2`; 29 is the paper's.

    A stem of 16 filters, then three stages of n bottleneck units with 64, 128 and 256 filters;
    stages two and three begin with stride 2. The script subtracts the mean training image: here
    `normalize` does, with a mean of .5 a pixel until `normalize.set_mean(images)` is called. The
    script's 8x8 average pooling is global, which is the same for its 32x32 images and lets other
    sizes in.
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        depth: int = 29,
    ):
        super().__init__()
        units, rest = divmod(depth - 2, 9)
        if units < 1 or rest:
            raise ArcalError(f"a ResNet v2 of depth {depth} does not exist: depth is 9n + 2")
        self.normalize = Normalize(constant(0.5, shape), constant(1, (shape[0], 1, 1)))
        self.stem = nn.Sequential(
            convolution(shape[0], 16, 3, bias=True), batch_norm(16), nn.ReLU()
        )
        blocks: list[nn.Module] = []
        inputs = 16
        for stage, (width, outputs) in enumerate([(16, 64), (64, 128), (128, 256)]):
            for unit in range(units):
                blocks.append(
                    Bottleneck(
                        inputs,
                        width,
                        outputs,
                        stride=2 if stage > 0 and unit == 0 else 1,
                        # The stem has just normalised and rectified what the first unit gets.
                        activate=stage > 0 or unit > 0,
                        project=unit == 0,
                    )
                )
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(batch_norm(inputs), nn.ReLU())
        self.classifier = dense(inputs, classes)
        truncated_normal(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        features = self.last(self.blocks(self.stem(self.normalize(x))))
        return self.classifier(features.mean((2, 3)))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions, each after batch norm and ReLU, added to a shortcut.

    The stride is in the first convolution. `project` makes the shortcut a 1x1 convolution of the
    unit's raw input, without batch norm. Without `activate` the first convolution, too, sees the
    raw input.
    """

    def __init__(
        self, inputs: int, width: int, outputs: int, *, stride: int, activate: bool, project: bool
    ):
        super().__init__()
        self.residual = nn.Sequential(
            *([batch_norm(inputs), nn.ReLU()] if activate else []),
            convolution(inputs, width, 1, stride, bias=True),
            batch_norm(width),
            nn.ReLU(),
            convolution(width, width, 3, bias=True),
            batch_norm(width),
            nn.ReLU(),
            convolution(width, outputs, 1, bias=True),
        )
        self.shortcut = (
            convolution(inputs, outputs, 1, stride, bias=True) if project else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.residual(x)


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Batch norm with Keras' defaults (its momentum .99 is PyTorch's .01)."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
