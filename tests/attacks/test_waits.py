"""How often an attack waits for its device, on one that is pretended and counts."""

import pytest
import torch
from torch import nn

from arcal.attacks import BoundaryProjection, CarliniWagner
from pretended_device import DEVICE, Pretended


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """Of random weights: classes are next to each other all over the place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = (
            nn.Conv2d(3, 8, 3),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(1568, 10),
        )
        model = nn.Sequential(*parts).eval()
    return model.requires_grad_(False)


IMAGES = torch.rand(12, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def on_the_device(attack, network, bounds=(0.0, 1.0)):
    """What it finds there, having found the same here, and how often it waited."""
    with Pretended():  # nor does this one trace the model, which a mode forbids
        here = attack(network, IMAGES, bounds=bounds)
    x = IMAGES.clone()
    with Pretended([x, *network.parameters(), *network.buffers()]) as there:
        found = attack(network, x, bounds=bounds)
        assert found.x.device == DEVICE
    torch.testing.assert_close(found.x, here.x, rtol=0, atol=0)
    assert torch.equal(found.passes, here.passes)
    return found, there


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize("budget", [16, 48])
def test_a_pass_of_the_boundary_projection_waits_four_times(network, norm, budget):
    """To see which inputs go on, whose nearest plane is another one, and twice for projections."""
    found, there = on_the_device(BoundaryProjection(budget, norm=norm), network)
    assert found.success.all()
    passes = int(found.passes.max())
    assert there.waits.total() <= 4 * passes + 30
    assert there.calls <= 350 * passes


def test_a_pass_of_carlini_wagner_waits_three_times(network):
    found, there = on_the_device(CarliniWagner(2, 60, 0.05, initial_c=1.0), network)
    assert found.success.all()
    assert there.waits.total() <= 3 * int(found.passes.max()) + 30
