"""Training in bf16 that moves gradients little: only convolutions are in bf16."""

from typing import Any

import torch
from lightning_fabric.plugins.precision import Precision
from torch.overrides import TorchFunctionMode

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


class Bf16Convolutions(TorchFunctionMode):
    """A context in which convolutions round their inputs to bf16 and return float32.

    All other operations do not change: batch norm, the sums of residual blocks, pooling, dense
    layers and the loss stay in float32, whereas autocast leaves them in bf16 after a convolution.
    Weights and their gradients stay in float32.

    >>> convolution = torch.nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = torch.nn.init.constant_(convolution.weight, 1 + 2**-10)
    >>> with Bf16Convolutions():
    ...     convolution(torch.ones(1, 1, 1, 1)).dtype, convolution(torch.ones(1, 1, 1, 1)).item()
    (torch.float32, 1.0)
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func not in _CONVOLUTIONS:
            return func(*args, **kwargs)
        args = tuple(_rounded(value) for value in args)
        kwargs = {name: _rounded(value) for name, value in kwargs.items()}
        return func(*args, **kwargs).float()


class Bf16Precision(Precision):
    """Fabric's precision that trains a model with `Bf16Convolutions`."""

    precision: Any = "bf16-mixed"

    def forward_context(self) -> Bf16Convolutions:
        return Bf16Convolutions()


def _rounded(value: Any) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(torch.bfloat16) if floating else value
