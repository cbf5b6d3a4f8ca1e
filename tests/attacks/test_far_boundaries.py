"""A boundary that is near is not reported as a far one: saturated units, and minima elsewhere."""

import pytest
import torch
from closed_forms import assert_honest, searched, seeded, small_images, small_network
from torch import nn

from arcal.attacks import ATTACKS, BoundaryProjection


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
    """All of them are found within 5 %; the paper's attack finds three quarters."""
    x, ratios = 2 * torch.rand(12, 2, generator=seeded(7)) - 1, []
    for seed in (0, 2, 6):
        model = tanh_network(seed)
        assert len(model(x).argmax(1).unique()) == 2
        found = BoundaryProjection()(model, x, None)
        assert_honest(found, model, x, None)
        for point, distance in zip(x, found.distance.tolist(), strict=True):
            nearest, resolution = searched(model, point, None)
            assert distance > nearest - resolution
            ratios.append(distance / nearest)
    assert sum(ratio < 1.05 for ratio in ratios) >= 33


def test_more_budget_finds_nothing_farther_away():
    """All that 24 passes try is tried by more: also for inputs that have not crossed by then."""
    images, small = small_images(10), small_network()
    x = 2 * torch.rand(8, 2, generator=seeded(7)) - 1
    cases = [(small, images, (0.0, 1.0), 0), (tanh_network(0), x, None, 8), (islands, x, None, 0)]
    for model, inputs, bounds, starts in cases:
        before = torch.full((len(inputs),), torch.inf)
        for budget in (24, 28, 48) if starts else (24, 28, 48, 200):
            distance = BoundaryProjection(budget, starts=starts)(model, inputs, bounds).distance
            assert (distance <= before * (1 + 1e-4)).all(), budget
            before = distance
        assert before.isfinite().float().mean() > 0.5
