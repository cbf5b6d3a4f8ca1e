"""ResNet-29 v2, the paper's network for CIFAR-10 (appendix A), from Keras' CIFAR-10 example.

The script is `examples/cifar10_resnet.py` of Keras 2, version 2, n = 3. It has its own conventions:
convolutions have biases although batch norm follows, batch norm has epsilon 1e-3 and momentum .99,
and only the kernels of convolutions are penalised (L2 of 1e-4).
"""

import torch
from torch import Tensor, nn

from arcal.errors import ArcalError
from arcal.networks.layers import Normalize, constant, convolution, dense, truncated_normal


class ResNetV2(nn.Module):
    """ResNet v2 of depth `9n + 2`: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    A stem of 16 filters, then three stages of n bottleneck units with 64, 128 and 256 filters;
    stages two and three begin with stride 2. The paper's depth is 29; a depth that is not `9n + 2`
    raises `ArcalError`. The script subtracts the mean training image; here `normalize` does, with
    .5 for every pixel until `normalize.set_mean(images)` is called. The script's 8x8 average
    pooling is global here: the same for 32x32 images, and possible for other sizes.

    >>> generator = torch.Generator().manual_seed(0)
    >>> network = ResNetV2(classes=10, shape=(3, 32, 32), generator=generator, depth=11)
    >>> network.eval()(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 10])
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
            raise ArcalError(f"a ResNet v2 of depth {depth} does not exist: choose a depth 9n + 2")
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
                        # The stem ends with batch norm and ReLU, so the first unit needs neither.
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
    """1x1, 3x3 and 1x1 convolutions, each after batch norm and ReLU, added to a shortcut.

    The first convolution has the stride. With `project` the shortcut is a 1x1 convolution of the
    unit's input, without batch norm. Without `activate` the first convolution also acts on the
    input directly.
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
    """Batch norm with Keras' defaults; its momentum .99 is PyTorch's .01."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
