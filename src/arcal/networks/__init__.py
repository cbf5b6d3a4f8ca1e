"""The networks: from float images `(N, C, H, W)` in [0, 1] to logits `(N, Z)`."""

from collections.abc import Callable

import torch
from torch import nn

from arcal.errors import ArcalError
from arcal.networks.layers import Ensemble, Normalize, decayed, in_fastest_layout, kernels
from arcal.networks.resnet101 import ResNet101
from arcal.networks.resnet_v2 import ResNetV2
from arcal.networks.small import FastNetwork, MediumResNet, SmallResNet
from arcal.networks.wide_resnet import WideResNet

__all__ = [
    "NETWORKS",
    "Ensemble",
    "FastNetwork",
    "MediumResNet",
    "Normalize",
    "ResNet101",
    "ResNetV2",
    "SmallResNet",
    "WideResNet",
    "build",
    "decayed",
    "in_fastest_layout",
    "kernels",
]

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "small": SmallResNet,
    "medium": MediumResNet,
    "fast": FastNetwork,
    "resnet29": ResNetV2,
    "wrn-28-10": WideResNet,
    "resnet101": ResNet101,
}
"""The networks by name; a new one is one file and one line here."""


def build(
    name: str, *, classes: int, shape: tuple[int, int, int], generator: torch.Generator
) -> nn.Module:
    """A new network with one of the names in `NETWORKS`, in training mode on the CPU.

    It takes images of `shape` `(C, H, W)` and has `classes` logits. All initial weights are drawn
    from `generator`: the same seed gives the same bits, and the global generators are neither used
    nor advanced. It is fastest after `.to(memory_format=torch.channels_last)`. An unknown name,
    fewer than two classes or a shape that is not three positive numbers raises `ArcalError`.

    >>> generator = torch.Generator().manual_seed(0)
    >>> network = build("small", classes=10, shape=(3, 32, 32), generator=generator)
    >>> network(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """
    if name not in NETWORKS:
        raise ArcalError(f"network {name!r} is unknown: choose one of {', '.join(NETWORKS)}")
    if classes < 2:
        raise ArcalError(f"classes is {classes}: a classifier needs at least 2")
    if len(shape) != 3 or min(shape) < 1:
        raise ArcalError(
            f"image shape {tuple(shape)} is invalid: give (channels, height, width), all positive"
        )
    with torch.device("cpu"):
        return NETWORKS[name](classes=classes, shape=shape, generator=generator)
