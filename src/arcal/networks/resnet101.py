"""ResNet-101 v1, the paper's network for ImageNet (appendix A.3), based on torchvision's ResNet.

The paper follows the script `baselines/imagenet/deterministic.py` of edward2 in 2020 (now part of
uncertainty-baselines). The script builds ResNet-50 v1; this is that network with 3, 4, 23 and 3
blocks.
"""

import torch
from torch import Tensor, nn

from arcal.networks.layers import Normalize, constant, convolution, truncated_normal


class ResNet101(nn.Module):
    """ResNet-101 v1: images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`.

    `blocks` per stage and the `width` of the bottlenecks make smaller versions. As in the script
    and in torchvision, a stage halves the image in the 3x3 convolution of its first block, not in
    the 1x1 convolution before it as in He et al. (2016a). Convolutions have no biases and start
    He-normal, the dense layer starts normal with standard deviation .01, and batch norm has epsilon
    1e-5 and Keras momentum .9. The script only divides its input by 255, so `normalize` changes
    nothing.

    One difference from TensorFlow: for pooling and 3x3 convolutions of stride 2, TensorFlow's
    "same" pads an even-sized input only at the bottom and right, this network on all sides.

    >>> generator = torch.Generator().manual_seed(0)
    >>> small = {"blocks": (1, 1, 1, 1), "width": 8}
    >>> network = ResNet101(classes=5, shape=(3, 64, 64), generator=generator, **small)
    >>> network.eval()(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 5])
    """

    def __init__(
        self,
        *,
        classes: int,
        shape: tuple[int, int, int],
        generator: torch.Generator,
        blocks: tuple[int, int, int, int] = (3, 4, 23, 3),
        width: int = 64,
    ):
        from torchvision.models.resnet import Bottleneck, ResNet  # takes seconds to import

        super().__init__()
        channels = (shape[0], 1, 1)
        self.normalize = Normalize(constant(0, channels), constant(1, channels))
        with torch.random.fork_rng(devices=[]):  # torchvision draws weights, replaced below
            self.resnet = ResNet(Bottleneck, list(blocks), classes, width_per_group=width)
        if shape[0] != 3:
            self.resnet.conv1 = convolution(shape[0], 64, 7, 2)
        truncated_normal(self, generator)
        nn.init.normal_(self.resnet.fc.weight, std=0.01, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.resnet(self.normalize(x))
