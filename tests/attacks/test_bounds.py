"""Bounds: an interval for all entries of an input, or one for each."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.attacks.pgd import PGD
from arcal.errors import ArcalError
from arcal.robustness import score

ATTACKS = [BoundaryProjection(8), CarliniWagner(search_steps=2, iterations=60, learning_rate=0.05)]


def table(N: int = 12) -> tuple[torch.nn.Linear, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """A linear model of two classes on three columns of very different widths."""
    generator = torch.Generator().manual_seed(0)
    low, high = torch.tensor([0.0, -3.0, 20.0]), torch.tensor([1.0, 3.0, 24.0])
    x = low + (high - low) * torch.rand(N, 3, generator=generator)
    model = torch.nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, 0.5, 0.2], [-1.0, -0.3, 0.1]]))
        model.bias.copy_(torch.tensor([-1.5, 1.5]))
    return model, x, (low, high)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_tensors_and_arrays_that_say_the_same_as_numbers_change_nothing(attack):
    model, x, _ = table()
    x = (x - x.amin(0)) / (x.amax(0) - x.amin(0))
    expected = attack(model, x).distance
    each: list[Any] = [(torch.zeros(1), torch.ones(3)), torch.tensor([0, 1]), np.array([0.0, 1.0])]
    each += [(np.zeros(3), np.ones(3, dtype=np.float32)), ([0, 0, 0], [1, 1, 1]), (0, np.ones(3))]
    for ends in each:
        assert torch.equal(attack(model, x, ends).distance, expected)


def test_each_column_stays_within_its_own_bounds_at_the_least_distance():
    model, x, bounds = table()
    result = BoundaryProjection()(model, x, bounds)
    assert result.success.all()
    assert ((result.x >= bounds[0]) & (result.x <= bounds[1])).all()
    w = (model.weight[0] - model.weight[1]).detach().double().numpy()
    b = float((model.bias[0] - model.bias[1]).detach())
    for row, distance in zip(x.double().numpy(), result.distance, strict=True):
        sign = 1 if row @ w + b > 0 else -1
        best = minimize(
            lambda p, row=row: ((p - row) ** 2).sum(),
            row,
            bounds=list(zip(*(end.tolist() for end in bounds), strict=True)),
            constraints={"type": "ineq", "fun": lambda p, s=sign: -s * (p @ w + b)},
        )
        assert float(distance) == pytest.approx(best.fun**0.5, rel=2e-3)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_a_column_that_never_changes_is_left_alone(attack):
    model, x, (low, high) = table()
    x[:, 2] = 22.0
    low, high = low.clone(), high.clone()
    low[2] = high[2] = 22.0
    result = attack(model, x, (low, high))
    assert (result.x[result.success][:, 2] - 22.0).abs().max() < 1e-5
    assert result.success.any()


def test_pgd_respects_them_too():
    model, x, bounds = table()
    there = PGD(radius=5.0, step=1.0)(model, x, torch.zeros(len(x)).long(), bounds)
    assert ((there >= bounds[0]) & (there <= bounds[1])).all()


def test_what_does_not_fit_is_told_in_a_line():
    model, x, (low, _) = table()
    with pytest.raises(ArcalError, match=r"bounds of shapes \(2,\) and \(\) do not fit"):
        BoundaryProjection()(model, x, (low[:2], 1.0))
    with pytest.raises(ArcalError, match=r"entry 2 of input 0 is .*, outside its bounds 0 to 1"):
        BoundaryProjection()(model, x, (low.clamp(max=0), torch.tensor([1.0, 3.0, 1.0])))
    with pytest.raises(ArcalError, match="finite bounds"):
        CarliniWagner()(model, x, (low, torch.tensor(torch.inf)))
    with pytest.raises(ArcalError, match="outside its bounds nan to 30"):
        BoundaryProjection()(model, x, (low * torch.nan, 30.0))
    with pytest.raises(ArcalError, match=r"for token ids .* bounds=None, or take the order margin"):
        BoundaryProjection()(model, torch.ones(2, 5, dtype=torch.long))
    for ends, says in (((0, 1, 2), "not two"), (1.0, "not two"), ((None, 1), "must be numbers")):
        with pytest.raises(ArcalError, match=says):
            BoundaryProjection()(model, x, ends)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (
            4 * torch.rand(2, 3, 4, 4) - 2,
            "if they are normalised images, give them in .* first layer",
        ),
        (255 * torch.rand(2, 1, 4, 4), "divide them by 255"),
        (1.5 * torch.rand(2, 3, 4, 4), "scale them, or give the bounds they have"),
        (
            torch.rand(2, 1, 16) - 0.5,
            r"give the bounds they have, such as bounds=\(-1, 1\) for wave",
        ),
        (4 * torch.rand(2, 5) - 2, "scale them, or give the bounds they have, or bounds=None"),
    ],
)
def test_images_outside_0_to_1_show_what_to_do(images, words):
    with pytest.raises(ArcalError, match=rf"outside the bounds \(0.0, 1.0\): .*{words}"):
        BoundaryProjection()(lambda x: x.flatten(1)[:, :2], images)


@pytest.mark.parametrize("order", ["attack", "gradient", "random"])
def test_inputs_are_scored_only_within_their_bounds_by_any_attack(order):
    """An attack of somebody else's need not look."""
    calls = []

    def attack(model, x, bounds):
        calls.append(len(x))

    batch = torch.arange(2), torch.rand(2, 5) - 1, torch.zeros(2).long()
    given: dict[str, Any] = {"attack": attack} if order == "attack" else {}
    with pytest.raises(ArcalError, match="outside the bounds"):
        score(torch.nn.Identity(), [batch], order, **given)
    assert not calls
