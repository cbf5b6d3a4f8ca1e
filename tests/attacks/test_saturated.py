"""Models whose gradients lead far past the boundary: saturated, or cut off."""

import pytest
import torch
from closed_forms import linear, seeded

from arcal.attacks import BoundaryProjection

D, N, Z = 300, 40, 5
LAYER = linear(Z, D)
X = torch.rand(N, D, generator=seeded(1))


def log_of_clipped(x, sharpness, least):
    return (sharpness * LAYER(x)).softmax(dim=1).clip(least).log()


@pytest.mark.parametrize("norm", ["l2", "linf"])
@pytest.mark.parametrize(("sharpness", "least"), [(20, 1e-7), (100, 1e-12)])
def test_distances_past_the_boundary_are_brought_back(norm, sharpness, least):
    """The first step ends up to 1e15 times too far, where bisection and a new search begin."""
    attack = BoundaryProjection(norm=norm)
    expected = attack(LAYER, X, bounds=None).distance
    found = attack(lambda x: log_of_clipped(x, sharpness, least), X, bounds=None)
    ratio = (found.distance / expected)[found.success]
    assert len(ratio) > 0
    assert ratio.min() > 0.99
    assert ratio.median() < 1.03
    assert ratio.max() < 2


def test_where_gradients_tell_the_way_one_forward_pass_is_all_it_costs():
    calls: list[int] = []

    def counted(x):
        calls.append(x.requires_grad)
        return LAYER(x)

    found = BoundaryProjection()(counted, X, bounds=None)
    assert found.success.all()
    assert calls.count(True) == int(found.passes.max())


def test_a_model_is_never_run_on_nan():
    def particular(x):
        assert x.isfinite().all()
        return LAYER(x) * torch.tensor([1e3, 0, 0, 0, 0]) + torch.tensor([1e6, 0, 0, 0, 0])

    assert not BoundaryProjection(3)(particular, X).success.any()
