"""A step of training never waits for its device, on one that is pretended and counts.

It has no float64 either, as Apple's have none.
"""

from dataclasses import replace
from functools import cache

import pytest
import torch

from arcal.compute import Compute
from arcal.compute.fabric import Fabric
from arcal.data import Data, load
from arcal.methods import method_named
from arcal.networks import build
from arcal.training._fit import Member, _Loop
from arcal.training.recipes import RECIPES
from pretended_device import DEVICE, Pretended

BATCH = 16
METHODS = [
    ("vanilla", {}),
    ("adals", {}),
    ("ar-adals", {}),
    ("focal", {}),
    ("vanilla", {"mixup": 0.2}),
    ("vanilla", {"augmix": 12}),
    ("vanilla", {"regmixup": 20}),
    ("vanilla", {"perturbed": 0.1}),
]


@cache
def few_images() -> Data:
    return load("fashion", images=96, validation=30, test_images=30)


def waits_of(name: str, settings: dict, steps: int, monkeypatch, network: str = "small") -> int:
    """How often one epoch of so many steps waits, its validation aside."""
    data = few_images()
    method = method_named(name, 10, settings)
    generator = torch.Generator().manual_seed(0)
    model = build(network, classes=10, shape=data.shape, generator=generator)
    recipe = replace(RECIPES["small"], batch_size=BATCH)
    method.begin(recipe.epochs, recipe.full_rate)
    if method.ranks:
        for part, images in (("train", data.train), ("validation", data.validation)):
            method.assign(part, images.ids, torch.arange(len(images)) % method.R)
    fabric = Compute().fabric()
    loop = _Loop([Member(model, seed=0)], method, recipe, fabric, 0)
    part = data.train.subset(data.train.ids[: BATCH * steps])
    pretended = Pretended([*model.parameters(), *model.buffers()], float64=False)
    with monkeypatch.context() as patched, pretended:
        patched.setattr(Fabric, "device", DEVICE)
        loop.train(1, part)
        waits = pretended.waits.total()
        loop.validate(data.validation)
    assert pretended.calls > 20 * steps, "the network has to be seen on the device"
    return waits


@pytest.mark.parametrize(("name", "settings"), METHODS)
def test_a_step_waits_for_nothing(name, settings, monkeypatch):
    few, many = (waits_of(name, settings, steps, monkeypatch) for steps in (1, 4))
    assert few == many
    assert few <= 3, "an epoch reads its loss"


@pytest.mark.parametrize("network", ["medium", "fast", "resnet29"])
def test_no_network_waits(network, monkeypatch):
    few, many = (waits_of("vanilla", {}, steps, monkeypatch, network) for steps in (1, 2))
    assert few == many


def test_what_waits_is_counted():
    x = torch.rand(3, 2)
    with Pretended([x]) as there:
        y = 2 * x + torch.zeros(2, device=x.device)
        assert y.device == DEVICE
        assert there.waits.total() == 0
        y.sum().item()
        y[y > 1]
        y.to(torch.device("cpu")).tolist()
    assert sorted(name for name, _ in there.waits) == ["__getitem__", "item", "to"]
    assert y.device == torch.device("cpu")
