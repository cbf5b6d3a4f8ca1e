"""A third-party ResNet-20 for CIFAR-10: weights that arcal did not train."""

from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from arcal.networks.layers import Normalize


class ResNet20(nn.Module):
    """`(N, 3, 32, 32)` in [0,1] to logits `(N, 10)`: He et al.'s ResNet-20 with option A shortcuts.

    Three stages of three basic blocks with 16, 32 and 64 channels; 269,722 parameters.
    """

    def __init__(self):
        super().__init__()
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        self.normalize = Normalize(
            torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
        )
        self.conv1 = _convolution(3, 16)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, stride=1)
        self.layer2 = _stage(16, 32, stride=2)
        self.layer3 = _stage(32, 64, stride=2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        features = F.relu(self.bn1(self.conv1(self.normalize(x))))
        features = self.layer3(self.layer2(self.layer1(features)))
        return self.linear(features.mean((2, 3)))


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm, added to the input, then ReLU.

    Where the shape changes, the shortcut has no weights (option A): every second pixel, and as many
    zero channels on either side as make up the number.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = _convolution(inputs, outputs, stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = _convolution(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.pad = stride, (outputs - inputs) // 2

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.pad:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return F.relu(residual + x)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    first = Block(inputs, outputs, stride)
    return nn.Sequential(first, Block(outputs, outputs, 1), Block(outputs, outputs, 1))


def resnet20(weights: Path) -> ResNet20:
    """The network with the weights of this safetensors file, in evaluation mode."""
    model = ResNet20()
    buffers = {f"normalize.{name}": value for name, value in model.normalize.named_buffers()}
    counts = {name: value for name, value in model.state_dict().items() if "num_batches" in name}
    model.load_state_dict(load_file(weights) | buffers | counts)  # neither is in the file
    return model.eval()
