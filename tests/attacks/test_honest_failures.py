"""What a model does that no distance can be right for: a line that says so, or a distance."""

import functools
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from closed_forms import assert_honest, assert_same_distances, linear, seeded
from torch import nn
from torch.utils.checkpoint import checkpoint

from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.attacks.adversarial import verified
from arcal.attacks.pgd import PGD
from arcal.errors import ArcalError
from arcal.robustness import score

ATTACKS = [BoundaryProjection(), CarliniWagner(initial_c="gradient", iterations=200)]
each_attack = pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)

X = torch.rand(20, 6, generator=seeded(1))


def test_what_is_steep_without_end_is_the_way_to_go():
    """Half of the entries are 0, where the gradient of x^(1/2.2) is infinite; 0.001 on, it is not.

    Whatever is found from there is at most 0.001 sqrt(80) = 0.009 farther from here.
    """
    attack = BoundaryProjection()
    model, x = linear(3, 80), torch.rand(20, 80, generator=seeded(1))
    x = torch.where(torch.rand(20, 80, generator=seeded(2)) < 0.5, 0.0, x)
    found = attack(lambda x: model(x ** (1 / 2.2)), x)
    assert found.success.all()
    assert_honest(found, lambda x: model(x ** (1 / 2.2)), x, (0.0, 1.0))
    near = attack(lambda x: model(x ** (1 / 2.2)), (x + 1e-3).clamp(max=1)).distance
    assert (found.distance <= 1.5 * near + 0.02).all()


def test_without_a_gradient_that_is_a_number_that_is_the_reason():
    found = BoundaryProjection(starts=0)(lambda x: linear(3, 6)((x - x).sqrt() + 1), X)
    assert not found.success.any()
    assert "not finite" in found.reason


def test_a_point_without_logits_is_stepped_back_from():
    def model(x):  # NaN beyond x_0 = 0.7; the boundary is at 0.6
        lead = 5 * (0.6 - x[:, 0]) + (0.7 - x[:, 0]).sqrt() * 0
        return torch.stack([lead, torch.zeros_like(lead)], dim=1)

    x = torch.full((2, 100), 0.2)
    curved = lambda x: torch.cat([model(x)[:, :1].exp() - 1, torch.zeros(len(x), 1)], dim=1)  # noqa: E731
    for function in (model, curved):
        assert BoundaryProjection()(function, x).distance.tolist() == pytest.approx([0.4] * 2, 1e-2)


@each_attack
def test_logits_that_sum_to_1_as_those_of_least_squares_do_are_attacked(attack):
    """They lie in [0, 1] near the boundary, at x_0 = 0.5, and some elsewhere do not."""

    def least_squares(x):
        return torch.stack([2 - 3 * x[:, 0], 3 * x[:, 0] - 1], dim=1)

    found = attack(least_squares, X)
    near = (X[:, 0] - 0.5).abs() < 0.2
    assert found.success[near].all()
    assert_honest(found, least_squares, X, (0.0, 1.0))
    exact = (X[near, 0] - 0.5).abs()
    torch.testing.assert_close(found.distance[near], exact, rtol=0.1, atol=1e-3)


def test_a_point_without_logits_flips_nothing():
    def model(x):  # NaN beyond x_0 = 0.6, where the prediction would change
        return torch.stack([0.6 - x[:, 0] + 0 * (0.6 - x[:, 0]).sqrt(), 0 * x[:, 0]], dim=1)

    x = torch.full((2, 3), 0.2)
    found = verified(model, x, x + 0.5, torch.tensor([0, 0]), None, torch.zeros(2).long())
    assert not found.success.any()
    assert found.distance.isposinf().all()


def dropping(x):
    return F.dropout(linear(3, 6)(x), 0.1)


@each_attack
def test_a_stochastic_function_is_refused(attack):
    torch.manual_seed(0)  # one draw in a hundred leaves out the same numbers twice
    with pytest.raises(ArcalError, match="drawn at random") as caught:
        attack(dropping, X)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("order", ["attack", "gradient"])
def test_a_function_whose_weights_alone_have_a_gradient_is_one_line(order):
    """As if it goes through numpy, before which torch says that a tensor is to be detached."""
    net = linear(3, 6)
    function = lambda x: net(torch.from_numpy(x.detach().numpy()))  # noqa: E731
    data = X, torch.zeros(20).long()
    calls: list[Any] = [lambda: PGD(0.1, 0.01)(function, *data)]
    for attack in ATTACKS if order == "attack" else [None]:
        calls.append(lambda attack=attack: score(function, data, order, attack=attack))
    for call in calls:
        with pytest.raises(ArcalError, match=r"no gradient to its inputs.* detach"):
            call()
    assert len(score(function, data, "margin").ids) == 20
    nowhere = torch.full_like(X, torch.nan)
    predicted = function(X).argmax(dim=1)
    found = verified(function, X, nowhere, predicted, None, torch.zeros(20).long())
    assert "has no gradient there" in found.reason


@each_attack
def test_a_function_of_the_whole_batch_is_refused(attack):
    model = nn.Sequential(nn.BatchNorm1d(6, track_running_stats=False), linear(3, 6))
    for whole in (model, model.__call__):
        with pytest.raises(ArcalError, match=r"running statistics|as if it were alone") as caught:
            attack(whole, X)
        assert "\n" not in str(caught.value)
    with pytest.raises(ArcalError, match="as if it were alone"):
        attack(model, X[:2])  # half of which is one, that batch norm refuses


@each_attack
def test_a_model_of_another_dtype_is_one_line(attack):
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        model: Any = linear(3, 6)
        with pytest.raises(ArcalError, match=f"inputs are torch.float32 and .* {dtype}") as caught:
            attack(model.to(dtype), X)
        assert "\n" not in str(caught.value)
    with pytest.raises(ArcalError, match=r"inputs are torch.float64 and .* torch.float32"):
        attack(linear(3, 6), X.double())


def steps(x):
    return linear(3, 6)((8 * x).round() / 8) + 0 * x.sum(dim=1, keepdim=True)


def constant(x):
    return torch.tensor([3.0, 1.0, 2.0]) + 0 * x.flatten(1).sum(dim=1, keepdim=True)


@pytest.mark.parametrize("model", [steps, constant])
def test_no_gradient_is_said_to_be_the_reason(model):
    found = BoundaryProjection(starts=0)(model, X)
    assert not found.success.any()
    assert found.reason is not None
    assert "no gradient there" in found.reason
    assert "\n" not in found.reason
    scores = score(model, [(torch.arange(20), X, torch.zeros(20))], attack=BoundaryProjection(3))
    assert ("no gradient there" in scores.reason) == (
        not bool(torch.as_tensor(scores.success).all())
    )


def test_a_masked_class_is_not_the_reason():
    def far(x):  # the first class leads everywhere within the bounds
        logits = linear(3, 6)(x).index_fill(1, torch.tensor([2]), -torch.inf)
        return logits + torch.tensor([1e3, 0, 0])

    for attack in (BoundaryProjection(8), CarliniWagner(iterations=20)):
        assert "within the bounds" in attack(far, X).reason


@functools.cache
def without_mask(attack):
    """The attack, in fewer steps where it takes hundreds, a model, and what it finds there."""
    if isinstance(attack, CarliniWagner):
        attack = replace(attack, iterations=60, learning_rate=0.02)
    model = linear(5, 6)
    return attack, model, attack(model, X)


@pytest.mark.parametrize("mask", [-torch.inf, torch.finfo(torch.float32).min, -1e9, -1e4])
@each_attack
def test_a_masked_class_is_as_if_it_were_not_there(attack, mask):
    attack, model, plain = without_mask(attack)

    def masked(x):
        return torch.cat([torch.full((len(x), 1), mask), model(x)], dim=1)

    found = attack(masked, X)
    assert torch.equal(found.success, plain.success)
    assert found.success.any()
    assert_same_distances(found.distance[found.success], plain.distance[found.success])
    with pytest.raises(ArcalError, match="drawn at random"):
        attack(lambda x: masked(F.dropout(x, 0.1)), X)


@each_attack
def test_one_class_that_is_not_masked_is_refused(attack):
    with pytest.raises(ArcalError, match="all classes but one") as caught:
        attack(lambda x: constant(x).masked_fill(torch.arange(3) > 0, -torch.inf), X)
    assert "\n" not in str(caught.value)


class Checkpointed(nn.Module):
    """A layer whose activations are computed anew when a gradient goes back."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 3)

    def forward(self, x):
        if x.shape[0] < 0:  # cannot be traced
            return x
        return checkpoint(self.linear, x, use_reentrant=True)


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
@pytest.mark.parametrize("order", ["attack", "gradient"])
def test_a_reentrant_checkpoint_is_told_how_to_give_gradients(order):
    with pytest.raises(ArcalError, match="set use_reentrant=False, or leave checkpoints out"):
        score(Checkpointed().eval(), (X, torch.zeros(20).long()), order)
