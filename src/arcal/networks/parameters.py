"""Which parameters a recipe's weight decay acts on."""

from typing import Literal, cast

from torch import nn

from arcal.errors import ArcalError


def kernels(network: nn.Module) -> list[nn.Parameter]:
    """The weights of the convolutions only: no biases, no batch norm, no dense layer."""
    return [cast(nn.Parameter, m.weight) for m in network.modules() if isinstance(m, nn.Conv2d)]


def decayed(network: nn.Module, which: Literal["kernels", "weights", "all"]) -> list[nn.Parameter]:
    """What an L2 penalty acts on: `"kernels"` in ResNet-29's script, `"all"` in WRN-28-10's.

    In ImageNet's script it is the `"weights"`: convolutions and dense layers with their biases, all
    but batch norm.

    Keras' `l2(c)` adds `c * sum(w**2)` to the loss, of gradient `2 c w`; PyTorch's weight decay of
    `c` adds `c w`. So Keras' 1e-4 is a weight decay of 2e-4. Another `which` raises `ArcalError`.
    """
    if which == "kernels":
        return kernels(network)
    if which == "weights":
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return [parameter for layer in layers for parameter in layer.parameters(recurse=False)]
    if which == "all":
        return list(network.parameters())
    raise ArcalError(f"weight decay on {which!r} is unknown: choose 'kernels', 'weights' or 'all'")
