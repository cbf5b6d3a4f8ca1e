"""Inputs where the model has no gradient in many entries, as padding before a logarithm."""

import math

import pytest
import torch

from arcal.attacks import BoundaryProjection

pytestmark = pytest.mark.processor

D, POWER = 100, 1e-4


def of_silence(x):
    """Class 0, unless the power of the padding, all but the first entry, is (e - 1) POWER."""
    power = x[:, 1:].square().sum(dim=1)
    return torch.stack([2 - 0.01 * x[:, 0], 1 + (1 + power / POWER).log()], dim=1)


@pytest.mark.parametrize(("norm", "entries"), [("l2", 1), ("linf", D - 1)])
def test_the_boundary_behind_a_flat_place_is_found(norm, entries):
    """Without the flat entries it is 100 away."""
    expected = math.sqrt((math.e - 1) * POWER / entries)
    found = BoundaryProjection(norm=norm)(of_silence, torch.zeros(3, D), bounds=None)
    assert found.success.all()
    assert found.distance == pytest.approx([expected] * 3, rel=0.02)


def test_inputs_beside_a_flat_one_have_the_same_distance_as_alone():
    attack, x = BoundaryProjection(), torch.zeros(4, D)
    x[:2] = 0.1 * torch.randn(2, D, generator=torch.Generator().manual_seed(0))
    together = attack(of_silence, x, bounds=None)
    for i in range(len(x)):
        alone = attack(of_silence, x[i : i + 1], bounds=None)
        assert together.distance[i] == pytest.approx(alone.distance[0].item(), rel=1e-3)
