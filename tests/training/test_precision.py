"""Training in bf16: what is rounded, and what is not."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from arcal.compute.device import Bf16Convolutions, fabric_on
from arcal.data import as_input
from arcal.methods import Vanilla
from arcal.networks import build
from arcal.training._fit import Member, fit
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES

pytestmark = pytest.mark.processor

RECIPE = replace(RECIPES["demo"].shortened(1), batch_size=32)


def trained(data, precision, recipe=RECIPE, hook: Any = None) -> tuple[Any, list[dict[str, Any]]]:
    """A small network trained for a moment; `hook` is called after each of its convolutions."""
    recipe = replace(recipe, precision=precision)
    model = build("small", classes=4, shape=(1, 28, 28), generator=draw(0, "init"))
    for layer in model.modules() if hook else ():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(hook)
    fabric = fabric_on("cpu", precision)
    records = fit(
        [Member(model, 0)], Vanilla(4), recipe, data.train, data.validation, fabric=fabric
    )
    return model, records


@pytest.mark.parametrize("capability", ["of this processor", "AVX2"])
@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_is_that_of_rounded_numbers(bias, capability, monkeypatch):
    if capability == "AVX2":
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 4, 3, stride=2, padding=1, bias=bias)
    x = torch.rand(2, 8, 9, 9, requires_grad=True)
    with Bf16Convolutions():
        result = layer(x)
    exact = copy.deepcopy(layer).bfloat16().double()
    rounded = x.detach().bfloat16().double().requires_grad_()
    expected = exact(rounded)
    assert result.dtype == torch.float32
    assert torch.equal(result, result.bfloat16().float()), "it was computed in bf16"
    torch.testing.assert_close(result.double(), expected, rtol=2**-7, atol=2**-8)
    result.sum().backward()
    expected.sum().backward()
    assert layer.weight.grad is not None
    assert exact.weight.grad is not None
    assert layer.weight.grad.dtype == x.grad.dtype == torch.float32  # pyright: ignore
    torch.testing.assert_close(layer.weight.grad.double(), exact.weight.grad, rtol=2**-7, atol=0.02)
    torch.testing.assert_close(x.grad.double(), rounded.grad, rtol=2**-7, atol=2**-7)  # pyright: ignore


@pytest.mark.parametrize("capability", ["of this processor", "AVX2"])
def test_gradients_of_many_images_are_summed_in_float32(capability, monkeypatch):
    """Processors without bf16 of their own sum them in bf16, and are off by 8 % and more."""
    if capability == "AVX2":
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    layer = nn.Conv2d(8, 8, 3, padding=1, bias=False)
    nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    x = torch.rand(32, 8, 16, 16, generator=torch.Generator().manual_seed(1))
    exact = copy.deepcopy(layer).bfloat16().double()
    with Bf16Convolutions():
        layer(x).square().mean().backward()
    exact(x.bfloat16().double()).square().mean().backward()
    found, expected = layer.weight.grad, exact.weight.grad
    assert found is not None
    assert expected is not None
    assert (found - expected).norm() < 2**-8 * expected.norm()


@pytest.mark.parametrize(
    "layer",
    [nn.BatchNorm2d(3), nn.Linear(5, 4), nn.GELU(), nn.AvgPool2d(2), nn.LogSoftmax(dim=1)],
    ids=lambda layer: type(layer).__name__,
)
def test_every_other_layer_computes_the_same_bits(layer):
    x = torch.rand(6, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = copy.deepcopy(layer)(x)
    with Bf16Convolutions():
        assert torch.equal(layer(x), expected)


def test_training_rounds_and_validation_does_not(data):
    rounded = {True: [], False: []}  # by whether the network was in training

    def look(layer, x, y):
        rounded[layer.training].append(torch.equal(y, y.bfloat16().float()))

    model, (record,) = trained(data, "bf16-mixed", hook=look)
    assert all(rounded[True])
    assert not any(rounded[False])
    exact, _ = trained(data, "32-true")
    apart = (model.classifier.weight - exact.classifier.weight).abs().max()
    assert 0 < apart < 0.1, "bf16 is another training, but nearly the same"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    x = as_input(data.validation.images(torch.arange(len(data.validation))), "cpu")
    with torch.no_grad():
        assert abs(record["nll"] - F.cross_entropy(model(x), data.validation.labels)) < 1e-5


def test_a_linear_schedule_moves_with_every_batch(data):
    """The loop by hand."""
    recipe = replace(
        RECIPE, epochs=2, optimizer="sgd", learning_rate=0.1, steps=(), warmup=1, schedule="linear"
    )
    ours, records = trained(data, "32-true", recipe)
    model: Any = build("small", classes=4, shape=(1, 28, 28), generator=draw(0, "init"))
    model.to(memory_format=torch.channels_last)
    optimizer = recipe.optimizer_for(model)
    for epoch in (1, 2):
        parts = torch.randperm(len(data.train), generator=draw(0, "order", epoch)).split(32)
        for step, some in enumerate(parts, start=1):
            share = step / len(parts)
            optimizer.param_groups[0]["lr"] = 0.1 * (share if epoch == 1 else 1 - share)
            optimizer.param_groups[1]["lr"] = 0.1 * (share if epoch == 1 else 1 - share)
            optimizer.zero_grad()
            x = as_input(data.train.images(some), "cpu")
            F.cross_entropy(model(x), data.train.labels[some]).backward()
            optimizer.step()
    for name, expected in model.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], expected, rtol=1e-3, atol=1e-4)
    assert [record["rate"] for record in records] == [0.1, 0]
