"""The networks: float images `(N, C, H, W)` in [0,1] in, logits `(N, Z)` out."""

from collections.abc import Callable

import torch
from torch import nn

from arcal.errors import ArcalError
from arcal.networks.ensemble import Ensemble
from arcal.networks.fast import FastResNet
from arcal.networks.layers import Normalize
from arcal.networks.parameters import decayed, kernels
from arcal.networks.resnet101 import ResNet101
from arcal.networks.resnet_v2 import ResNetV2
from arcal.networks.small import MediumResNet, SmallResNet
from arcal.networks.wide_resnet import WideResNet

__all__ = [
    "NETWORKS",
    "Ensemble",
    "FastResNet",
    "MediumResNet",
    "Normalize",
    "ResNet101",
    "ResNetV2",
    "SmallResNet",
    "WideResNet",
    "build",
    "decayed",
    "kernels",
]

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "small": SmallResNet,
    "medium": MediumResNet,
    "fast": FastResNet,
    "resnet29": ResNetV2,
    "wrn-28-10": WideResNet,
    "resnet101": ResNet101,
}


def build(
    name: str, *, classes: int, shape: tuple[int, int, int], generator: torch.Generator
) -> nn.Module:
    """A new network by name, for images of `shape` `(C, H, W)`, in train mode on the CPU.

    All its weights come from `generator`: the same seed gives the same bits, and the global
    generators are neither read nor moved. It is fastest after
    `.to(memory_format=torch.channels_last)`. An unknown name, fewer than two classes or a shape
    that is not three positive numbers raises `ArcalError`.
    """
    if name not in NETWORKS:
        raise ArcalError(f"network {name!r} is unknown: choose one of {', '.join(NETWORKS)}")
    if classes < 2:
        raise ArcalError(f"a network for {classes} classes is none: give at least 2")
    if len(shape) != 3 or min(shape) < 1:
        raise ArcalError(f"image shape {tuple(shape)} is none: give (channels, height, width)")
    return NETWORKS[name](classes=classes, shape=shape, generator=generator)
