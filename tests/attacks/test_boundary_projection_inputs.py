"""Inputs of any shape, bounds and number of classes, and those that are refused in one line."""

import numpy as np
import pytest
import torch
from closed_forms import assert_honest, between, exact_distance, linear, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from arcal.attacks import BoundaryProjection, CarliniWagner, frozen
from arcal.errors import ArcalError


@settings(max_examples=10, deadline=None)
@given(
    st.integers(2, 1000),
    st.sampled_from([(5,), (1, 4, 4), (3, 5, 3)]),
    st.sampled_from([None, (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]),
    st.integers(1, 5),
    st.booleans(),
)
def test_any_shape_and_bounds(Z, shape, bounds, N, at_bounds):
    model = linear(Z, int(np.prod(shape)))
    u = torch.rand(N, *shape, generator=seeded(6))
    x = between(bounds or (-3.0, 3.0), u.round() if at_bounds else u)
    exact = exact_distance(model, x, bounds)
    for attack in (BoundaryProjection(12, starts=0), CarliniWagner(2, 30)):
        found = attack(model, x, bounds)
        assert found.x.shape == x.shape
        assert found.distance.shape == found.success.shape == found.predicted.shape == (N,)
        assert found.distance.dtype == torch.float32
        assert_honest(found, model, x, bounds)
        assert (found.distance >= (1 - 1e-4) * exact).all()
        if isinstance(attack, BoundaryProjection):
            assert (found.passes[~found.success] == 36).all(), "what has not crossed goes on"


@pytest.mark.parametrize(
    "bad",
    [
        {"budget": 2},
        {"budget": 48.5},
        {"budget": "48"},
        {"classes": 0},
        {"starts": 2.5},
        {"reach": 0.5},
        {"reach": float("nan")},
    ],
)
def test_bad_settings_are_one_line(bad):
    with pytest.raises(ArcalError, match=next(iter(bad))) as caught:
        BoundaryProjection(**bad)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "x", "says"),
    [
        (linear(3, 4), torch.full((1, 4), 1.5), "outside the bounds"),
        (linear(3, 4), torch.full((1, 4), torch.nan), "NaN"),
        (linear(3, 4), torch.zeros(1, 4).long(), "float32 .*for token ids give their embeddings"),
        (linear(3, 4), torch.zeros(1, 4).byte(), "float32 .* by 255"),
        (linear(3, 4), torch.zeros(0, 4), "input"),
        (linear(3, 4), torch.rand(4), r"`x\[None\]`$"),
        (lambda x: (linear(3, 4)(x),), torch.rand(5, 4), "as_model"),
        (nn.Sequential(linear(3, 4), nn.Softmax(1)), torch.rand(5, 4), "probabilities"),
        (linear(1, 4), torch.rand(5, 4), "at least 2 classes are needed; .*as_model.* makes two"),
        ("resnet", torch.rand(5, 4), "the model is str: give a module"),
        (nn.Identity, torch.rand(5, 4), "the model is the class Identity"),
        (lambda x: x.sum(dim=1), torch.rand(5, 4), "logits"),
        (lambda x: x / 0, torch.rand(5, 4), "not finite"),
        (lambda x: x / x, torch.tensor([[1.0, 1], [0, 1], [0, 1]]), "2 of a batch of 3 .* row 1"),
        (lambda x: linear(3, 4)(x).detach(), torch.rand(5, 4), "gradient"),
    ],
)
def test_bad_input_is_one_line(model, x, says):
    for attack in (BoundaryProjection(), CarliniWagner(iterations=2)):
        with pytest.raises(ArcalError, match=says) as caught:
            attack(model, x)
        assert "\n" not in str(caught.value)


def test_a_start_of_another_shape_is_one_line():
    x = torch.rand(5, 4, generator=seeded(1))
    with pytest.raises(ArcalError, match="start") as caught:
        BoundaryProjection()(linear(3, 4), x, start=x[:3])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "attack", [BoundaryProjection(), CarliniWagner(initial_c="gradient", iterations=200)]
)
def test_half_precision_is_refused_and_double_is_not(attack):
    model, x = linear(3, 4), torch.rand(5, 4, generator=seeded(30))
    with pytest.raises(ArcalError, match=r"by `.float\(\)`$"):
        attack(model.half(), x.half())
    with pytest.raises(ArcalError, match="both must be the same"):
        attack(lambda x: x.double(), x)
    found = attack(model.double(), x.double())
    assert found.success.all()
    assert found.distance.dtype == torch.float32


@pytest.mark.parametrize("attack", [BoundaryProjection(), CarliniWagner(iterations=50)])
@pytest.mark.parametrize("width", [3, 80])  # few entries are searched from elsewhere as well
def test_the_default_dtype_changes_nothing(attack, width, request):
    model, x = linear(4, width), torch.rand(5, width, generator=seeded(31))
    expected = attack(model, x)
    request.getfixturevalue("float64_by_default")
    assert torch.equal(attack(model, x).distance, expected.distance)


@pytest.mark.parametrize("attack", [BoundaryProjection(), CarliniWagner(iterations=50)])
def test_inference_mode_changes_nothing(attack):
    model, x = linear(4, 80), torch.rand(5, 80, generator=seeded(32))
    expected = attack(model, x)
    with torch.inference_mode():
        made_there = x.clone()
        assert torch.equal(attack(model, x).distance, expected.distance)
        assert torch.is_inference_mode_enabled()
    assert torch.equal(attack(model, made_there).distance, expected.distance)


def test_frozen_leaves_gradients_on_or_off():
    for on in (True, False):
        with torch.set_grad_enabled(on), frozen(linear(4, 3)):
            assert torch.is_grad_enabled() is on
