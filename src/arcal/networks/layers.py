"""What networks share: layers, initialisation, normalisation, weight decay, and ensembles."""

import math
from collections.abc import Iterator
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init
from torch.nn.utils.parametrize import is_parametrized

from arcal.arrays import in_rows, is_of_view
from arcal.attacks import frozen
from arcal.errors import ArcalError
from arcal.generators import seeded


class Normalize(nn.Module):
    """`(x - mean) / std`: the first layer of every network, for images `(N, C, H, W)`.

    Because it is part of the network, the network's input is in [0, 1], and a distance means the
    same for every network. `mean` and `std` are buffers, saved with the weights, that broadcast
    against `(C, H, W)`: one value per channel as `(C, 1, 1)`, one per pixel as `(C, H, W)`.

    >>> normalize = Normalize(mean=constant(0.5, (1, 1, 1)), std=constant(0.25, (1, 1, 1)))
    >>> normalize(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3))
    tensor([[[[-2.,  0.,  2.]]]])
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
        """Set `mean` to that of training images `(N, C, H, W)`, uint8 or float in [0, 1].

        The buffer keeps its shape: it stays one value per pixel, or one per channel. `std` does not
        change. Call it before training, because it changes what the network computes. Images that
        do not fit the shape of the buffer raise `ArcalError`.
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
                f"{tuple(self.mean.shape)}: build the network for the shape of these images"
            )
        self.mean.copy_(mean)


def constant(value: float, shape: tuple[int, ...]) -> Tensor:
    """A float32 tensor of this shape filled with one value."""
    return torch.full(shape, value, dtype=torch.float32)


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = False
) -> nn.Conv2d:
    """A square convolution, padded by `kernel // 2`, its weights left to `truncated_normal`."""
    layer = skip_init(
        nn.Conv2d,
        inputs,
        outputs,
        kernel,
        stride=stride,
        padding=kernel // 2,
        bias=bias,
        device=torch.get_default_device(),
    )
    return cast(nn.Conv2d, layer)


def dense(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer with a bias, its weights left to `truncated_normal`."""
    layer = skip_init(nn.Linear, inputs, outputs, device=torch.get_default_device())
    return cast(nn.Linear, layer)


@torch.no_grad()
def truncated_normal(network: nn.Module, generator: torch.Generator, *, gain: float = 2) -> None:
    """Initialise the weights of all convolutions and dense layers, and set their biases to zero.

    Weights are drawn from a normal distribution truncated at two standard deviations and scaled to
    the variance `gain / fan_in`; a gain of 2 is Keras' `he_normal`. All draws come from
    `generator`, layer by layer: the same seed gives the same bits.
    """
    shrinkage = 0.87962566103423978  # standard deviation of a standard normal truncated at +-2
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            sigma = math.sqrt(gain / layer.weight[0].numel()) / shrinkage
            nn.init.trunc_normal_(
                layer.weight, std=sigma, a=-2 * sigma, b=2 * sigma, generator=generator
            )
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Ensemble(nn.Module):
    """The log of the mean probability of M networks, as logits: `(N, C, H, W)` to `(N, Z)`.

    log 1/M sum_m softmax(member_m(x)), in float32 or better. The softmax of these logits is the
    mean probability. No network, or networks of different numbers of classes, raise `ArcalError`.

    >>> ensemble = Ensemble([nn.Flatten(), nn.Flatten()])  # whose logits are the pixels
    >>> ensemble(torch.zeros(1, 1, 1, 4)).exp()
    tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def __init__(self, members: list[nn.Module]):
        super().__init__()
        if not members:
            raise ArcalError("an ensemble needs at least one network")
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        each = [member(x) for member in self.members]
        if len(classes := {one.shape[-1] for one in each}) > 1:
            raise ArcalError(
                f"the members of an ensemble have {' and '.join(map(str, sorted(classes)))} "
                "classes: give networks of the same"
            )
        logits = torch.stack(each)
        dtype = torch.promote_types(logits.dtype, torch.float32)
        return logits.log_softmax(dim=2, dtype=dtype).logsumexp(dim=0) - math.log(len(logits))


def in_fastest_layout(network: nn.Module, shape: tuple[int, int, int]) -> nn.Module:
    """The network with its weights channels last, if it can take images (C, H, W) in that layout.

    A network that flattens activations by `view` cannot: its weights and the images that it is
    given then have the usual layout.

    >>> network = in_fastest_layout(nn.Sequential(nn.Conv2d(3, 8, 5)), (3, 9, 9))
    >>> network[0].weight.is_contiguous(memory_format=torch.channels_last)
    True
    """
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    weights = [*network.parameters(), *network.buffers()]
    device = next((one.device for one in weights), torch.device("cpu"))
    x = torch.zeros(2, *shape, device=device).contiguous(memory_format=torch.channels_last)
    try:
        with seeded(0), frozen(network), torch.no_grad():
            network(x)
    except Exception as error:  # others are for whoever wants its logits
        if is_of_view(error):
            for one in weights:
                if one.ndim == 4:
                    one.data = in_rows(one.data)
            network.register_forward_pre_hook(_given_in_rows)
    return network


def _given_in_rows(network: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(map(in_rows, args))


def kernels(network: nn.Module) -> list[nn.Parameter]:
    """The kernels of all convolutions: no biases, no batch norm, no dense layers.

    A parametrized kernel, as with spectral or weight norm, is given by the parameters that it is
    made of; a kernel that several layers share occurs once.

    >>> [tuple(weight.shape) for weight in kernels(nn.Sequential(nn.Conv2d(3, 8, 5), nn.ReLU()))]
    [(8, 3, 5, 5)]
    """
    named = _parameters(network, nn.Conv2d)
    return list(dict.fromkeys(one for name, one in named if name.startswith("weight")))


def _parameters(network: nn.Module, *kinds: type[nn.Module]) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters that layers of these kinds own, each with its name in the layer."""
    for layer in network.modules():
        if isinstance(layer, kinds):
            yield from layer.named_parameters(recurse=False)
            if is_parametrized(layer):
                for name, made_of in layer.parametrizations.items():  # pyright: ignore
                    yield from ((name, one) for one in made_of.parameters())


def decayed(network: nn.Module, which: Literal["kernels", "weights", "all"]) -> list[nn.Parameter]:
    """The parameters that an L2 penalty acts on, each once.

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
        named = _parameters(network, nn.Conv2d, nn.Linear)
        return list(dict.fromkeys(one for _, one in named))
    if which == "all":
        return list(network.parameters())
    raise ArcalError(f"weight decay on {which!r} is unknown: choose 'kernels', 'weights' or 'all'")
