"""L-infinity against linear programming, closed forms and a grid."""

from typing import Any

import numpy as np
import pytest
import torch
from closed_forms import (
    assert_honest,
    between,
    centred,
    corners,
    linear,
    searched,
    seeded,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from arcal.attacks import BoundaryProjection, name_of, settings_of
from arcal.attacks.model import rounding
from arcal.attacks.norms import NORMS, project
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor

L2, LINF = NORMS["l2"], NORMS["linf"]
BOUNDS = [None, (0.0, 1.0), (-2.0, 3.0)]


# The projection


def programmed(x, offset, normal, bounds):
    """The least t with `|d_i| <= t`, `offset + normal.d <= 0` and x + d in bounds; None without."""
    D, scale = len(x), np.abs(normal).max() or 1.0
    offset, normal = offset / scale, normal / scale  # its tolerance of 1e-7 is an absolute one
    cost, one = np.r_[np.zeros(D), 1.0], np.ones((D, 1))
    rows = np.vstack(
        [np.r_[normal, 0.0], np.hstack([np.eye(D), -one]), np.hstack([-np.eye(D), -one])]
    )
    sides = [(None, None)] * D
    if bounds is not None:
        sides = [(bounds[0] - value, bounds[1] - value) for value in x]
    solved = linprog(cost, rows, np.r_[-offset, np.zeros(2 * D)], bounds=[*sides, (0, None)])
    return solved.fun if solved.success else None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 7),
    st.sampled_from(BOUNDS),
    # At 1 the solution is a corner, which the programme's tolerance lets it cut.
    st.one_of(st.just(0.0), st.floats(0.01, 0.98), st.floats(1.02, 1.2)),
    st.floats(-3.0, 3.0),
    st.booleans(),
    st.integers(0, 10_000),
)
def test_projection_is_the_linear_programmes(D, bounds, share, scale, at_bounds, seed):
    u = torch.rand(D, generator=seeded(seed)).double()
    x = between(bounds, u.round() if at_bounds else u)
    normal = 10**scale * torch.randn(D, generator=seeded(seed + 1)).double() ** 3
    normal[torch.rand(D, generator=seeded(seed + 2)) < 0.2] = 0.0
    room = torch.ones(D).double()
    if bounds is not None:
        room = torch.where(normal > 0, x - bounds[0], bounds[1] - x)
    offset = share * (normal.abs() * room).sum()  # above 1, no box holds it
    expected = programmed(x.numpy(), float(offset), normal.numpy(), bounds)
    d = project(x[None], offset[None], normal[None], bounds, LINF)[0]
    if bounds is not None:
        assert (x + d >= bounds[0] - 1e-12).all()
        assert (x + d <= bounds[1] + 1e-12).all()
    if expected is None:
        assert bounds is not None or not normal.any()
        assert torch.allclose(d.abs(), torch.where(normal == 0, 0, room)), "the best corner"
    else:
        assert float(d.abs().max()) == pytest.approx(expected, rel=1e-5, abs=1e-6)
        assert offset + normal @ d <= 1e-5 * offset + 1e-12


@pytest.mark.parametrize("name", NORMS)
def test_a_dual_norm_is_what_the_steepest_step_changes(name):
    norm, n = NORMS[name], torch.randn(50, 9, generator=seeded(1)).double()
    step = norm.steepest(n)
    step = step / norm.length(step).unsqueeze(1)
    torch.testing.assert_close((n * step).sum(1), norm.dual(n))
    others = torch.randn(400, 1, 9, generator=seeded(2)).double()
    others = others / norm.length(others).unsqueeze(2)
    assert ((n * others).sum(2) <= norm.dual(n)).all()


# Linear models: without bounds the margin over the dual norm, with them a linear programme


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize(("Z", "where"), [(2, "corners"), (6, "inside"), (6, "corners")])
def test_linear_is_exact(Z, bounds, where):
    model: Any = linear(Z, 20)
    u = torch.rand(25, 20, generator=seeded(1)) if where == "inside" else corners(25, 20)
    x = between(bounds, u)
    W, z = model[1].weight.detach().double(), model(x).detach()
    y, exact = z.argmax(1), []
    for i in range(len(x)):
        lead, normal = (z[i, y[i]] - z[i]).double(), W[y[i]] - W
        ways = [
            programmed(x[i].double().numpy(), float(lead[k]), normal[k].numpy(), bounds)
            for k in range(Z)
            if k != y[i]
        ]
        nearest = min((way for way in ways if way is not None), default=np.inf)
        if bounds is None:
            dual = lead / normal.abs().sum(1)
            assert nearest == pytest.approx(float(dual[torch.arange(Z) != y[i]].min()))
        exact.append(nearest)
    exact = torch.tensor(exact)
    found = BoundaryProjection(starts=0, norm="linf")(model, x, bounds)
    assert_honest(found, model, x, bounds, LINF)
    assert torch.equal(found.success, exact.isfinite())
    lead = -z.topk(2).values.diff(dim=1).squeeze(1)
    ratio = (found.distance / exact)[found.success]
    assert ratio.min() >= 1 - 1e-5
    assert (ratio <= 1.001 + 3 * rounding(z) / lead).all(), f"up to {float(ratio.max()):.4f}"


# Networks


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
def test_against_exhaustive_search(bounds):
    ratios = []
    for seed in (0, 3):
        model, x = centred(seed), 2 * torch.rand(25, 2, generator=seeded(7)) - 1
        found = BoundaryProjection(norm="linf")(model, x, bounds)
        assert_honest(found, model, x, bounds, LINF)
        assert found.success.all()
        for point, distance in zip(x, found.distance.tolist(), strict=True):
            nearest, resolution = searched(model, point, bounds, norm=LINF)
            assert distance > nearest - resolution
            ratios.append(distance / nearest)
    assert np.mean(np.array(ratios) < 1.02) >= 0.9
    assert np.max(ratios) < 1.5
    assert np.median(ratios) < 1.001


# What a result belongs to


def test_the_norm_is_of_the_settings_and_what_names_none_is_of_l2():
    usual = settings_of(BoundaryProjection())
    assert usual == {
        "kind": "BoundaryProjection",
        "version": 3,
        "budget": 48,
        "classes": 9,
        "reach": 1.5,
        "starts": 8,
    }, "as it was before there was a choice: stored scores are still of these"
    other = BoundaryProjection(norm="linf")
    assert settings_of(other) == usual | {"norm": "linf"}
    assert name_of(other) == "boundary-projection-norm-linf"


def test_another_norm_is_one_line():
    with pytest.raises(ArcalError, match=r"^norm 'l1' is unknown: choose from l2, linf$"):
        BoundaryProjection(norm="l1")  # pyright: ignore[reportArgumentType]
