"""The parameters that weight decay acts on."""

from typing import Literal, cast

from torch import nn

from arcal.errors import ArcalError


def kernels(network: nn.Module) -> list[nn.Parameter]:
    """The kernels of all convolutions: no biases, no batch norm, no dense layers.

    >>> [tuple(weight.shape) for weight in kernels(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU()))]
    [(8, 3, 5, 5)]
    """
    return [cast(nn.Parameter, m.weight) for m in network.modules() if isinstance(m, nn.Conv2d)]


def decayed(network: nn.Module, which: Literal["kernels", "weights", "all"]) -> list[nn.Parameter]:
    """The parameters that an L2 penalty acts on.

    "kernels" are those of the convolutions, as in ResNet-29's script; "weights" are convolutions
    and dense layers with their biases, all but batch norm, as in ImageNet's script; "all" are all
    parameters, as in WRN-28-10's script. Another `which` raises `ArcalError`.

    Keras' `l2(c)` adds `c * sum(w**2)` to the loss, whose gradient is `2 c w`; PyTorch's weight
    decay `c` adds `c w` to the gradient. So Keras' 1e-4 is a weight decay of 2e-4.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.Linear(8, 2))
    >>> [len(decayed(network, which)) for which in ("kernels", "weights", "all")]
    [1, 4, 6]
    """
    if which == "kernels":
        return kernels(network)
    if which == "weights":
        layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        return [parameter for layer in layers for parameter in layer.parameters(recurse=False)]
    if which == "all":
        return list(network.parameters())
    raise ArcalError(f"weight decay on {which!r} is unknown: choose 'kernels', 'weights' or 'all'")
