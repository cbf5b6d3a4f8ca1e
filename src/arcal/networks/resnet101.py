"""ResNet-101 v1, the paper's network for ImageNet (appendix A.3), on torchvision's ResNet.

The script that the paper follows, `baselines/imagenet/deterministic.py` of edward2 in 2020 (now
part of uncertainty-baselines), builds ResNet-50 v1; this is its network with 3, 4, 23 and 3 blocks.
"""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet

from arcal.networks.layers import Normalize, constant, convolution, truncated_normal


class ResNet101(nn.Module):
    """`(N, C, H, W)` in [0,1] to logits `(N, Z)`; `blocks` and `width` make smaller ones of it.

    A stage that halves the image does so in the 3x3 convolution of its first block, in the script
    as in torchvision, not in the 1x1 before it as He et al. (2016a) do. As in the script,
    convolutions have no biases and start He-normal, the dense layer starts normal with deviation
    .01, and batch norm has epsilon 1e-5 and Keras momentum .9. Its input is no more than "divided
    by 255", so `normalize` changes nothing.

    One difference from TensorFlow: where the pooling and the 3x3 convolutions have stride 2,
    TensorFlow's "same" pads an even-sized input below and right only, this network on all sides.
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
        super().__init__()
        channels = (shape[0], 1, 1)
        self.normalize = Normalize(constant(0, channels), constant(1, channels))
        with torch.random.fork_rng(devices=[]):  # for torchvision's own draws, which do not stay
            self.resnet = ResNet(Bottleneck, list(blocks), classes, width_per_group=width)
        if shape[0] != 3:
            self.resnet.conv1 = convolution(shape[0], 64, 7, 2)
        truncated_normal(self, generator)
        nn.init.normal_(self.resnet.fc.weight, std=0.01, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        return self.resnet(self.normalize(x))
