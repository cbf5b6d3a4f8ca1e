"""A boundary that is near is not reported as a far one: saturated units, and minima elsewhere."""

import math

import pytest
import torch
from closed_forms import L2, assert_honest, searched, seeded, small_images, small_network
from torch import nn

from arcal.attacks import ATTACKS, BoundaryProjection, CarliniWagner
from arcal.attacks._steps import around, promising


@pytest.mark.parametrize("D", [1, 2, 100])
@pytest.mark.parametrize("bounds", [None, (0.0, 20.0)])
@pytest.mark.parametrize("steepness", [3.0, 8.0])
def test_a_step_beyond_a_steep_boundary_is_taken_back(D, bounds, steepness):
    """The boundary is x_0 = 1; the slope of the margin at 0 leads up to 100 times too far."""

    def model(x):
        lead = torch.tanh(steepness * (1 - x[:, 0])) + 0.01 * (1 - x[:, 0])
        return torch.stack([lead, 0 * lead], dim=1)

    for name in ("boundary-projection", "boundary-projection-quick"):
        distance = ATTACKS[name](model, torch.zeros(3, D), bounds).distance
        assert (distance - 1).abs().max() < 0.06, name


def islands(x):
    """Class 1 in balls of radius .2 around centres of increasing distance from the origin."""
    centres = torch.tensor([[0.0, 0.7], [-1.0, 0.0], [0.0, -1.2], [1.6, 0.0]])
    outside = torch.cdist(x, centres).amin(dim=1) - 0.2
    return torch.stack([outside.tanh(), 0 * outside], dim=1)


def test_the_nearest_of_several_boundaries_is_found():
    x = torch.tensor([[0.4, -0.1], [0.9, 0.1], [-0.1, -0.4]])
    exact = islands(x)[:, 0].atanh()
    assert torch.allclose(BoundaryProjection()(islands, x, None).distance, exact, rtol=1e-3)


def test_what_lies_behind_a_region_without_gradient_is_found():
    def model(x):  # the boundary x_0 = 1.5; no gradient up to x_0 = 1
        return torch.stack([0.5 - (x[:, 0] - 1).relu(), 0 * x[:, 0]], dim=1)

    x = torch.rand(5, 3, generator=seeded(1))
    for bounds in (None, (0.0, 2.0)):
        assert not BoundaryProjection(starts=0)(model, x, bounds).success.any()
        found = BoundaryProjection()(model, x, bounds)
        assert_honest(found, model, x, bounds)
        torch.testing.assert_close(found.distance, 1.5 - x[:, 0], rtol=1e-2, atol=0)


def tanh_network(seed):
    """2-32-32-2 units of tanh with steep boundaries all over the square: nothing is trained."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs, scale in ((2, 32, 3.0), (32, 32, 2.0), (32, 2, 3.0)):
        layer = nn.Linear(inputs, outputs)
        shape = layer.weight.shape
        layer.weight.data = scale * torch.randn(shape, generator=generator) / inputs**0.5
        layer.bias.data = scale * torch.randn(outputs, generator=generator) / 2
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def test_steep_networks_of_tanh_against_exhaustive_search():
    """Of 20 inputs each, 60 were within 5 %, and 45 by Carlini and Wagner's attack."""
    models = [tanh_network(seed) for seed in (0, 2, 6)]
    x, N = 2 * torch.rand(12, 2, generator=seeded(7)) - 1, 12

    def each(parts):  # attacks cost the same for all networks at once
        inputs, which = parts
        every = torch.stack([model(inputs) for model in models])
        return every[which, torch.arange(len(which))]

    inputs = x.repeat(len(models), 1), torch.arange(len(models)).repeat_interleave(N)
    paper = CarliniWagner()(each, inputs, None).distance.view(-1, N)
    ratios = {"ours": [], "paper": []}
    for model, others in zip(models, paper, strict=True):
        assert len(model(x).argmax(1).unique()) == 2
        ours = BoundaryProjection()(model, x, None)
        assert_honest(ours, model, x, None)
        for point, one, other in zip(x, ours.distance.tolist(), others.tolist(), strict=True):
            nearest, resolution = searched(model, point, None)
            assert one > nearest - resolution
            ratios["ours"].append(one / nearest)
            ratios["paper"].append(other / nearest)
    near = {name: sum(ratio < 1.05 for ratio in some) for name, some in ratios.items()}
    assert near["ours"] >= 33
    assert near["ours"] > near["paper"]


def test_more_budget_finds_nothing_farther_away():
    """All that 24 passes try is tried by more: also for inputs that have not crossed by then."""
    images, small = small_images(10), small_network()
    x = 2 * torch.rand(8, 2, generator=seeded(7)) - 1
    cases = [(small, images, (0.0, 1.0), 0), (tanh_network(0), x, None, 8), (islands, x, None, 0)]
    for model, inputs, bounds, starts in cases:
        before = torch.full((len(inputs),), torch.inf)
        for budget in (24, 28, 48, 90) if starts else (24, 28, 48, 90, 200):
            distance = BoundaryProjection(budget, starts=starts)(model, inputs, bounds).distance
            assert (distance <= before * (1 + 1e-4)).all(), budget
            before = distance
        assert before.isfinite().float().mean() > 0.5


def test_points_fill_a_ball_that_grows_with_the_dimensions():
    for D, radius in ((1, 1.0), (2, 1.0), (32, 4.0)):
        x = torch.rand(2, D, generator=seeded(3)).view(2, D, 1)
        points = around(x, torch.tensor([0.5, torch.inf]), None, 400, 0, L2)
        assert points.shape == (2, 400, D, 1)
        away = (points - x.unsqueeze(1)).flatten(2).norm(dim=2)
        assert away[0].max() <= 0.5 * radius * 1.001
        inside = (away[0] < 0.5 * radius * 0.5 ** (1 / D)).float().mean()
        assert inside.item() == pytest.approx(0.5, abs=0.02), "half of them in half of the ball"
        scale = max(1.0, x[1].norm().item())
        assert away[1].min() < 0.02 * scale < 50 * scale < away[1].max()
        assert not torch.equal(points, around(x, torch.tensor([0.5, 1.0]), None, 400, 1, L2))
        assert around(x, torch.ones(2), (0.0, 1.0), 9, 0, L2).clamp(0, 1).shape == (2, 9, D, 1)


def test_the_promising_points_are_across_or_close_to_it():
    x = torch.zeros(1, 1)
    points = torch.tensor([[[1.0], [2.0], [3.0], [4.0]]])
    lead = torch.tensor([0.3, 0.2, -1.0, -2.0])
    assert promising(x, points, lead, 2, L2).flatten().tolist() == [2.0, 3.0]
    lead = torch.tensor([math.nan, 0.2, -1.0, math.nan])
    assert promising(x, points, lead, 2, L2).shape == (1, 2, 1)
