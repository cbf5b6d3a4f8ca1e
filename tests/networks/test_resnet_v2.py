"""ResNet-29 v2 held against a transcription of the Keras script's structure."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from arcal.errors import ArcalError
from arcal.networks import build, decayed, kernels


def resnet29(shape=(3, 32, 32)) -> Any:
    generator = torch.Generator().manual_seed(0)
    return build("resnet29", classes=10, shape=shape, generator=generator)


def layers(network, kind) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, kind)]


def transcription(network, x):
    """The script's double loop in functional form, taking the network's layers in order."""
    convolutions, norms = iter(layers(network, nn.Conv2d)), iter(layers(network, nn.BatchNorm2d))

    def convolve(x, filters, kernel, stride=1):
        c = next(convolutions)
        assert c.weight.shape == (filters, x.shape[1], kernel, kernel)
        return F.conv2d(x, c.weight, c.bias, stride=stride, padding=(kernel - 1) // 2)

    def activate(x):
        n = next(norms)
        mean, var = n.running_mean[:, None, None], n.running_var[:, None, None]
        scaled = (x - mean) / (var + 1e-3).sqrt()
        return (scaled * n.weight[:, None, None] + n.bias[:, None, None]).clamp(min=0)

    x = x - network.normalize.mean
    x = activate(convolve(x, 16, 3))
    filters_in = 16
    for stage in range(3):
        filters_out = filters_in * (4 if stage == 0 else 2)
        for unit in range(3):
            stride = 2 if stage > 0 and unit == 0 else 1
            y = x if stage == 0 and unit == 0 else activate(x)
            y = convolve(y, filters_in, 1, stride)
            y = convolve(activate(y), filters_in, 3)
            y = convolve(activate(y), filters_out, 1)
            if unit == 0:
                x = convolve(x, filters_out, 1, stride)
            x = x + y
        filters_in = filters_out
    x = F.avg_pool2d(activate(x), 8).flatten(1)
    assert next(convolutions, None) is None
    assert next(norms, None) is None
    return x @ network.classifier.weight.T + network.classifier.bias


@torch.no_grad()
def test_computes_what_the_script_describes(shake):
    generator = torch.Generator().manual_seed(1)
    network = shake(resnet29()).double().eval()
    x = torch.rand(3, 3, 32, 32, generator=generator).double()
    network.normalize.set_mean(x)
    logits = network(x)
    assert logits.std(0).min() > 1e-3  # the images are told apart, so the comparison says something
    torch.testing.assert_close(logits, transcription(network, x))


def test_parameter_count_is_keras():
    """The script's `model.summary()` says 849,002, of which 2 numbers a channel of each batch norm
    are moving statistics: buffers here.
    """
    network = resnet29()
    norms = layers(network, nn.BatchNorm2d)
    statistics = sum(norm.running_mean.numel() + norm.running_var.numel() for norm in norms)
    assert sum(p.numel() for p in network.parameters()) + statistics == 849_002
    assert statistics == 5_216
    assert (len(layers(network, nn.Conv2d)), len(norms)) == (31, 28)


def test_only_kernels_are_penalised():
    network = resnet29()
    group = {id(p) for p in decayed(network, "kernels")}
    names = [name for name, p in network.named_parameters() if id(p) in group]
    assert len(names) == 31
    assert all(name.endswith(".weight") for name in names)
    assert {id(p) for p in kernels(network)} == group
    assert all(p.ndim == 4 for p in kernels(network))
    assert id(network.classifier.weight) not in group
    assert len(decayed(network, "all")) == len(list(network.parameters()))
    with pytest.raises(ArcalError, match="'biases' is unknown"):
        decayed(network, "biases")  # pyright: ignore[reportArgumentType]
