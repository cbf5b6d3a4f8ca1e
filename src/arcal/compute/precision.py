"""Training in bf16 that leaves calibration alone: convolutions only, the rest in float32."""

from typing import Any

import torch
from lightning_fabric.plugins.precision import Precision
from torch.overrides import TorchFunctionMode

_CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)


class Bf16Convolutions(TorchFunctionMode):
    """Inside it a convolution rounds what it is given to bf16 and returns its result as float32.

    All other operations stay as they are: batch norm, the sums of residual blocks, pooling, dense
    layers and the loss see float32. Autocast leaves them in bf16 once a convolution has been there.
    Weights stay float32, and so do their gradients.

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
    """What Fabric runs a model in: its convolutions in bf16 while it trains, see above."""

    precision: Any = "bf16-mixed"

    def forward_context(self) -> Bf16Convolutions:
        return Bf16Convolutions()


def _rounded(value: Any) -> Any:
    floating = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.to(torch.bfloat16) if floating else value
