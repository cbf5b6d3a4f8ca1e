"""ResNet-101 held against the structure that edward2's script describes."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from arcal.networks import ResNet101, build, decayed


def resnet(**kwargs):
    generator = torch.Generator().manual_seed(0)
    return ResNet101(classes=10, shape=(3, 32, 32), generator=generator, **kwargs)


def layers(network, kind) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, kind)]


@pytest.fixture(scope="module")
def whole():
    """The paper's network, its weights on no device."""
    with torch.device("meta"):
        return build("resnet101", classes=1000, shape=(3, 224, 224), generator=torch.Generator())


def test_parameter_count(whole):
    """The sum over layers; torchvision publishes 44.5M."""
    expected, inputs = 49 * 3 * 64 + 2 * 64, 64
    for blocks, width in ((3, 64), (4, 128), (23, 256), (3, 512)):
        expected += inputs * 4 * width + 2 * 4 * width  # the projection
        for _ in range(blocks):
            expected += inputs * width + 2 * width + 9 * width**2 + 2 * width
            expected += width * 4 * width + 2 * 4 * width
            inputs = 4 * width
    expected += 2048 * 1000 + 1000
    assert expected == 44_549_160
    assert sum(p.numel() for p in whole.parameters()) == expected
    assert len(layers(whole, nn.Conv2d)) == 1 + 3 * 33 + 4  # 101 counts the dense layer, not these


@torch.no_grad()
def test_computes_what_the_original_describes(shake):
    network = shake(resnet(blocks=(2, 1, 1, 2), width=8)).double().eval()
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    named: dict[str, Any] = dict(network.named_modules())

    def convolve(x, name, stride=1):
        weight = named[f"resnet.{name}"].weight
        return F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def norm(x, name):
        n = named[f"resnet.{name}"]
        return F.batch_norm(x, n.running_mean, n.running_var, n.weight, n.bias)

    z = F.max_pool2d(F.relu(norm(convolve(x, "conv1", 2), "bn1")), 3, 2, padding=1)
    for group, (blocks, first) in enumerate(((2, 1), (1, 2), (1, 2), (2, 2)), start=1):
        for block in range(blocks):
            at, stride = f"layer{group}.{block}", first if block == 0 else 1
            y = F.relu(norm(convolve(z, f"{at}.conv1"), f"{at}.bn1"))
            y = F.relu(norm(convolve(y, f"{at}.conv2", stride), f"{at}.bn2"))
            y = norm(convolve(y, f"{at}.conv3"), f"{at}.bn3")
            if block == 0:
                z = norm(convolve(z, f"{at}.downsample.0", stride), f"{at}.downsample.1")
            z = F.relu(z + y)
    expected = F.linear(z.mean((2, 3)), network.resnet.fc.weight, network.resnet.fc.bias)
    assert expected.std(0).min() > 1e-6
    torch.testing.assert_close(network(x), expected)


def test_weight_decay_is_on_all_but_batch_norm(whole):
    chosen = {id(p) for p in decayed(whole, "weights")}
    others = [p for p in whole.parameters() if id(p) not in chosen]
    norms = [p for n in layers(whole, nn.BatchNorm2d) for p in n.parameters()]
    assert {id(p) for p in others} == {id(p) for p in norms}
    assert len(chosen) == 104 + 2
