"""A third-party ResNet-20 for CIFAR-10, built as its authors publish it.

`arcal audit examples/audits/resnet20.py:resnet20 $ARCAL_SHARED/data/cifar10`
"""

import os
from pathlib import Path
from typing import Any

from torch import nn

from benchmarks.networks import resnet20 as build

CLASSES = ("airplane", "automobile", "bird", "cat", "deer")
CLASSES += ("dog", "frog", "horse", "ship", "truck")


def resnet20() -> nn.Module:
    """The network with its weights, from 32 x 32 images in [0, 1] to logits of the ten classes."""
    model: Any = build(Path(os.environ["ARCAL_SHARED"], "models", "cifar10-resnet20.safetensors"))
    model.class_names = CLASSES  # held against the data's
    return model
