"""Recipes against appendix A and the scripts it points to."""

from dataclasses import replace
from typing import Any

import pytest
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from arcal.errors import ArcalError
from arcal.training.recipes import RECIPES


def test_resnet29_is_appendix_a1():
    recipe = RECIPES["resnet29"]
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer) == (200, 256, "adam")
    rates = [recipe.rate(e) for e in (0, 79, 80, 119, 120, 159, 160, 179, 180, 199)]
    assert rates == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6, 0.5e-6, 0.5e-6])


def test_imagenet_is_appendix_a3_and_the_script():
    """32 cores of 128 images, and 0.1 for every 256 images; He et al.'s steps, warmed up."""
    recipe = RECIPES["imagenet"]
    assert (recipe.epochs, recipe.optimizer, recipe.precision) == (90, "sgd", "bf16-mixed")
    assert (recipe.batch_size, recipe.core_batch) == (32 * 128, 128)
    assert recipe.learning_rate == pytest.approx(0.1 * 4096 / 256)
    rates = [recipe.rate(e) / 1.6 for e in (0, 1, 4.5, 5, 29, 30, 59, 60, 79, 80, 89)]
    expected = [0, 0.2, 0.9, 1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert rates == pytest.approx(expected)


def test_imagenet_s_l2_is_on_weights_and_biases_but_not_on_batch_norm():
    model: Any = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    optimizer: Any = RECIPES["imagenet"].optimizer_for(model)
    of = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    weights = [*model[0].parameters(), *model[3].parameters()]
    assert [of[id(p)]["weight_decay"] for p in weights] == [2e-4] * 4  # d/dw of 1e-4 w**2
    assert [of[id(p)]["weight_decay"] for p in model[1].parameters()] == [0, 0]
    assert {(g["momentum"], g["nesterov"]) for g in optimizer.param_groups} == {(0.9, True)}


def test_keras_l2_acts_on_kernels_only_and_adds_twice_its_factor():
    model: Any = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    optimizer = RECIPES["resnet29"].optimizer_for(model)
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays[id(model[0].weight)] == 2e-4
    assert sum(decays.values()) == 2e-4
    assert len(decays) == len(list(model.parameters()))


@pytest.mark.parametrize("name", ["fast", "imagenet", "wrn-28-10"])
@pytest.mark.parametrize("norm", [spectral_norm, weight_norm])
def test_a_kernel_that_is_made_of_others_decays_as_one(name, norm):
    """The kernel itself is no parameter then, and no optimizer takes it."""
    plain: Any = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    decayed = _decayed(RECIPES[name], plain)
    normed = nn.Sequential(norm(plain[0]), *plain[1:3], norm(plain[3]))
    parts = {n: n.replace("parametrizations.", "").rpartition(".original")[0] or n
             for n, _ in normed.named_parameters()}  # fmt: skip
    assert _decayed(RECIPES[name], normed) == {n for n, whole in parts.items() if whole in decayed}


def _decayed(recipe, model):
    groups = recipe.optimizer_for(model).param_groups
    chosen = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
    return {name for name, p in model.named_parameters() if id(p) in chosen}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"optimizer": "adamw"}, "optimizer 'adamw' is unknown: choose from adam, sgd"),
        ({"core_batch": 0}, "0 at a time"),
        ({"learning_rate": -1.0}, "learning rate -1.0"),
        ({"learning_rate": 1e39}, "give finite numbers"),
        ({"learning_rate": float("nan")}, "learning rate nan"),
        ({"schedule": "cosine"}, "schedule 'cosine' is unknown: choose from steps, linear"),
        ({"schedule": "linear"}, "linear schedule of 16 epochs with steps"),
        ({"schedule": "linear", "steps": (), "warmup": 16}, "a warm-up shorter than"),
        ({"steps": ((14, 0.01), (11, 0.1))}, "in the order of their epochs"),
        ({"steps": ((11, -0.1),)}, "factors of 0 or more"),
    ],
)
def test_a_recipe_out_of_range_is_refused(change, says):
    with pytest.raises(ArcalError, match=says):
        replace(RECIPES["demo"], **change)


def test_a_linear_schedule_rises_and_falls_on_straight_lines():
    recipe = replace(
        RECIPES["demo"], epochs=10, learning_rate=0.4, steps=(), warmup=2, schedule="linear"
    )
    rates = [recipe.rate(done) for done in (0.5, 1, 2, 4, 6, 9.75, 10)]
    assert rates == pytest.approx([0.1, 0.2, 0.4, 0.3, 0.2, 0.0125, 0])
    assert recipe.full_rate == 6, "epochs that begin with more than half of it"
    assert replace(recipe, warmup=0).rate(0) == 0.4
    short = recipe.shortened(2)
    assert (short.epochs, short.warmup) == (2, 1)
    assert [short.rate(done) for done in (0.5, 1, 1.5)] == pytest.approx([0.2, 0.4, 0.2])
    assert recipe.shortened(1).rate(0) == 0.4
