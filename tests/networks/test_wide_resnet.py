"""WRN-28-10 held against a transcription of uncertainty-baselines' structure."""

from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from arcal.networks import WideResNet


def wide_resnet(shape=(3, 32, 32), **kwargs):
    generator = torch.Generator().manual_seed(0)
    return WideResNet(classes=10, shape=shape, generator=generator, **kwargs)


def layers(network, kind) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, kind)]


def test_parameter_count():
    """The sum over layers; uncertainty-baselines publishes 36.5M."""
    with torch.device("meta"):
        network = wide_resnet()
    widths = [16, 160, 320, 640]
    expected = 9 * 3 * 16
    for inputs, outputs in pairwise(widths):
        expected += 2 * inputs + 9 * inputs * outputs + 2 * outputs + 9 * outputs**2
        expected += inputs * outputs  # the projection
        expected += 3 * (2 * outputs + 9 * outputs**2) * 2
    expected += 2 * 640 + 640 * 10 + 10
    assert expected == 36_479_194
    assert sum(p.numel() for p in network.parameters()) == expected


@torch.no_grad()
def test_computes_what_the_original_describes(shake):
    generator = torch.Generator().manual_seed(1)
    network = shake(wide_resnet(depth=16, width=2)).double().eval()
    x = torch.rand(3, 3, 32, 32, generator=generator).double()
    convolutions, norms = iter(layers(network, nn.Conv2d)), iter(layers(network, nn.BatchNorm2d))

    def convolve(x, filters, kernel=3, stride=1):
        c = next(convolutions)
        assert c.weight.shape == (filters, x.shape[1], kernel, kernel)
        return F.conv2d(x, c.weight, stride=stride, padding=kernel // 2)

    def activate(x):
        n = next(norms)
        return F.relu(
            F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias, training=False)
        )

    mean = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
    std = torch.tensor([0.2023, 0.1994, 0.2010])[:, None, None]
    z = convolve((x - mean) / std, 16)
    for filters, first in ((32, 1), (64, 2), (128, 2)):
        for stride in (first, 1):
            y = convolve(activate(z), filters, 3, stride)
            y = convolve(activate(y), filters)
            if z.shape != y.shape:
                z = convolve(z, filters, 1, stride)
            z = z + y
    z = F.avg_pool2d(activate(z), 8).flatten(1)
    assert next(convolutions, None) is None
    assert next(norms, None) is None
    expected = F.linear(z, network.classifier.weight, network.classifier.bias)
    assert expected.std(0).min() > 1e-3
    torch.testing.assert_close(network(x), expected)
