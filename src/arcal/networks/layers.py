"""What the networks share: normalisation inside the network, layers, their initialisation."""

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from arcal.errors import ArcalError


class Normalize(nn.Module):
    """`(x - mean) / std`: the first layer of every network.

    Images are in [0,1] outside, so that a distance means the same for every network. `mean` and
    `std` are buffers that broadcast against `(C, H, W)`: `(C, 1, 1)` is a value a channel,
    `(C, H, W)` one a pixel. Being buffers, they are saved with the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Tensor, std: Tensor):
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    @torch.no_grad()
    def set_mean(self, images: Tensor) -> None:
        """Take the mean from training images `(N, C, H, W)`, uint8 or float in [0,1].

        The buffer keeps its shape: a mean a pixel stays one a pixel, a mean a channel one a
        channel. `std` stays as it is. Call it before training: it changes what the network
        computes. Images of another shape than the buffer's raise `ArcalError`.
        """
        mean = images.mean(0, dtype=torch.float64)
        if images.dtype == torch.uint8:
            mean = mean / 255
        for axis, size in enumerate(self.mean.shape):
            if size == 1:
                mean = mean.mean(axis, keepdim=True)
        if mean.shape != self.mean.shape:
            raise ArcalError(
                f"images of shape {tuple(images.shape[1:])} do not fit a mean of shape "
                f"{tuple(self.mean.shape)}: build the network for the shape of its images"
            )
        self.mean.copy_(mean)


def constant(value: float, shape: tuple[int, ...]) -> Tensor:
    """A float32 tensor filled with one value."""
    return torch.full(shape, value, dtype=torch.float32)


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    padding: int | None = None,
    bias: bool = False,
) -> nn.Conv2d:
    """A square convolution, padded by `kernel // 2` or as said.

    `truncated_normal` sets its weights.
    """
    layer = skip_init(
        nn.Conv2d,
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=kernel // 2 if padding is None else padding,
        bias=bias,
        device=torch.get_default_device(),
    )
    return cast(nn.Conv2d, layer)


def dense(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with a bias; `truncated_normal` sets its weights."""
    layer = skip_init(nn.Linear, inputs, outputs, device=torch.get_default_device())
    return cast(nn.Linear, layer)


@torch.no_grad()
def truncated_normal(network: nn.Module, generator: torch.Generator, *, gain: float = 2) -> None:
    """Set every convolution and dense layer at random, with zero biases.

    Weights are normal, cut at two deviations and stretched so that what is left has variance
    `gain / fan_in`; a gain of 2 is Keras' `he_normal`. Draws come from `generator` alone, in the
    order of the layers: the same seed gives the same bits.
    """
    shrinkage = 0.87962566103423978  # deviation of a standard normal cut at +-2
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            sigma = math.sqrt(gain / layer.weight[0].numel()) / shrinkage
            nn.init.trunc_normal_(
                layer.weight, std=sigma, a=-2 * sigma, b=2 * sigma, generator=generator
            )
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
