"""The attack against closed forms, an exhaustive search, and the paper's attack."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from closed_forms import (
    Scaled,
    assert_honest,
    assert_same_distances,
    between,
    centred,
    corners,
    exact_distance,
    linear,
    searched,
    seeded,
    small_images,
    small_network,
    smallest_step,
)

from arcal.attacks import BoundaryProjection, CarliniWagner
from arcal.attacks.model import rounding
from arcal.attacks.norms import project
from arcal.attacks.pgd import PGD

pytestmark = pytest.mark.processor

BOUNDS = [None, (0.0, 1.0), (-2.0, 3.0)]


@pytest.fixture
def network():
    return small_network()


@pytest.fixture
def images():
    return small_images()


# The projection


def problems(bounds, at_bounds, N=300, D=40):
    """x, an offset that is a share of all that the box or two unit steps yield, normal."""
    u = torch.rand(N, D, generator=seeded(1))
    u = torch.where(torch.rand(N, D, generator=seeded(2)) < at_bounds, u.round(), u)
    x, share = between(bounds, u), torch.rand(N, generator=seeded(4))
    normal = torch.randn(N, D, generator=seeded(3)) ** 3  # a few entries outweigh the others
    if bounds is None:
        return x, 2 * share * normal.norm(dim=1), normal
    room = torch.where(normal > 0, x - bounds[0], bounds[1] - x)
    return x, share * (normal.abs() * room).sum(dim=1), normal


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("at_bounds", [0.0, 0.5, 1.0])
def test_projection_is_that_of_bisection(bounds, at_bounds):
    x, offset, normal = problems(bounds, at_bounds)
    d = smallest_step(x.double().numpy(), offset.double().numpy(), normal.double().numpy(), bounds)
    expected = torch.tensor(d).norm(dim=1)
    assert expected.isfinite().all()
    d = project(x, offset, normal, bounds)
    torch.testing.assert_close(d.double().norm(dim=1), expected, rtol=1e-5, atol=0)
    if bounds:
        assert (x + d).min() >= bounds[0] - 1e-6
        assert (x + d).max() <= bounds[1] + 1e-6


def test_projection_without_a_solution_is_finite():
    x, normal = torch.full((3, 2), 0.5), torch.tensor([[1.0, -2.0], [0.0, 0.0], [0.0, 1e-30]])
    d = project(x, torch.tensor([9.0, 1.0, 1.0]), normal, (0.0, 1.0))
    assert d[:2].tolist() == [[-0.5, 0.5], [0.0, 0.0]], "the best corner; nowhere to go"
    assert d.isfinite().all()
    inside = project(x, torch.tensor([-1.0, 0.0, -1.0]), normal, None)
    assert (inside == 0).all(), "a half space that holds x asks for nothing"


# Linear models: no perturbation can be smaller than the exact one


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize(("Z", "where"), [(2, "corners"), (6, "inside"), (6, "corners")])
def test_linear_is_exact(Z, bounds, where):
    model = linear(Z, 20)
    u = torch.rand(60, 20, generator=seeded(1)) if where == "inside" else corners(60, 20)
    x = between(bounds, u)
    exact = exact_distance(model, x, bounds)
    found = BoundaryProjection(starts=0)(model, x, bounds)
    assert_honest(found, model, x, bounds)
    assert torch.equal(found.success, exact.isfinite())
    z = model(x).detach()
    lead = -z.topk(2).values.diff(dim=1).squeeze(1)
    ratio = (found.distance / exact)[found.success]
    assert ratio.min() >= 1 - 1e-5
    # The attack goes two roundings of the logits beyond the boundary: 2e-5 of the largest.
    assert (ratio <= 1.001 + 3 * rounding(z) / lead).all(), f"up to {float(ratio.max()):.4f}"


def test_a_class_that_the_box_forbids_hides_no_other():
    weight = torch.tensor([[0.0, 0.0], [-10.0, 0.0], [0.0, 1.0]])
    bias = torch.tensor([0.2, 0.1, 0.0])

    def model(x):  # class 1 is 0.01 away, at x_0 = -0.01; class 2 is 0.2 away, at x_1 = 0.2
        return x @ weight.T + bias

    found = BoundaryProjection()(model, torch.zeros(1, 2), (0.0, 1.0))
    assert found.distance.item() == pytest.approx(0.2, rel=1e-3)


# A network of two features, whose boundary can be searched


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0)])
def test_against_exhaustive_search(bounds):
    """96 % are within 2 % of the grid's distance, by one start 84 %."""
    ratios = []
    for seed in range(4):
        model, x = centred(seed), 2 * torch.rand(25, 2, generator=seeded(7)) - 1
        assert len(model(x).argmax(1).unique()) >= 3
        found = BoundaryProjection()(model, x, bounds)
        assert_honest(found, model, x, bounds)
        assert found.success.all()
        for point, distance in zip(x, found.distance.tolist(), strict=True):
            nearest, resolution = searched(model, point, bounds)
            assert distance > nearest - resolution
            ratios.append(distance / nearest)
    assert np.mean(np.array(ratios) < 1.02) >= 0.9
    assert np.max(ratios) < 1.5
    assert np.median(ratios) < 1.001


# Edges


def silent(x):
    return torch.tensor([3.0, 1.0, 2.0]) + 0 * x.flatten(1).sum(dim=1, keepdim=True)


def tied(x):
    return 0 * silent(x)


def doubled(x):  # each class twice
    z = linear(3, 4)(x)
    return torch.cat([z, z], dim=1)


@pytest.mark.parametrize("model", [silent, tied, doubled])
@pytest.mark.parametrize("bounds", [None, (0.0, 1.0)])
def test_no_gradient_is_a_failure_and_inf(model, bounds):
    x = torch.rand(3, 4, generator=seeded(1))
    for start in (None, 1 - x):
        found = BoundaryProjection(12, starts=0)(model, x, bounds, start=start)
        assert_honest(found, model, x, bounds)
        if model is not doubled:
            assert not found.success.any()


def test_a_boundary_outside_the_box_is_a_failure_and_inf():
    def model(x):  # the boundary x_0 = 1.5
        return torch.stack([1.5 - x[:, 0], 0 * x[:, 0]], dim=1)

    x = torch.rand(5, 3, generator=seeded(1))
    found = BoundaryProjection()(model, x, (0.0, 1.0))
    assert_honest(found, model, x, (0.0, 1.0))
    assert not found.success.any()
    torch.testing.assert_close(
        BoundaryProjection()(model, x, None).distance, 1.5 - x[:, 0], rtol=1e-3, atol=0
    )


@pytest.mark.parametrize("attack", [BoundaryProjection(starts=0), CarliniWagner()])
def test_some_may_fail_while_others_succeed(attack):
    def model(x):  # the boundary x_0 = 0.5 exists only where x_1 < 0.5
        lead = torch.where(x[:, 1] < 0.5, x[:, 0] - 0.5, torch.ones(len(x)))
        return torch.stack([lead, torch.zeros(len(x))], dim=1)

    x = torch.tensor([[0.9, 0.1], [0.9, 0.9]])
    found = attack(model, x)
    assert found.success.tolist() == [True, False]
    assert found.distance.tolist() == [pytest.approx(0.4, rel=0.01), math.inf]
    elsewhere = BoundaryProjection()(model, x).distance  # the corner (0.5, 0.5) is nearest to both
    assert elsewhere.tolist() == [pytest.approx(0.4, rel=1e-3), pytest.approx(0.32**0.5, rel=0.05)]


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_the_scale_of_logits_does_not_matter(network, images, scale):
    plain = BoundaryProjection(starts=0)(network, images)
    scaled = BoundaryProjection(starts=0)(Scaled(network, scale), images)
    assert_same_distances(scaled.distance, plain.distance)


# Cost


@pytest.mark.parametrize(
    ("attack", "start"),
    [
        (BoundaryProjection(starts=0), False),
        (BoundaryProjection(budget=14, reach=2, starts=0), False),
        (BoundaryProjection(budget=3, starts=0), True),
        (BoundaryProjection(budget=13, classes=1000, reach=1e9, starts=0), True),
    ],
)
def test_the_cost_does_not_grow_with_the_number_of_classes(attack, start):
    x = torch.rand(30, 12, generator=seeded(5))
    for Z in (2, 1000):
        layer, rows = linear(Z, 12), 0
        near = BoundaryProjection(starts=0)(layer, x).x

        def counted(x, layer=layer):
            nonlocal rows
            rows += len(x)
            return layer(x)

        found = attack(counted, x, start=near if start else None)
        assert found.success.all()
        assert (found.passes <= attack.budget).all()
        assert rows == found.passes.sum() + 3 * 30 + 8, "predict, 8 again, half of the way, verify"


def test_an_input_ends_when_it_gains_no_more(network, images):
    exact = BoundaryProjection(starts=0)(linear(6, 20), torch.rand(60, 20, generator=seeded(1)))
    assert exact.passes.double().mean() < 20, "on planes there is nothing to gain after a few steps"
    found = BoundaryProjection(starts=0)(network, images)
    assert found.passes.double().mean() < 35
    assert len(found.passes.unique()) > 5, "each ends by itself"
    longer = BoundaryProjection(budget=300, starts=0)(network, images)
    assert (found.distance / longer.distance).mean() < 1.01
    assert longer.passes.double().mean() > 2 * found.passes.double().mean(), "patience grows"


# One input does not depend on the others; the model stays as it is


@pytest.mark.parametrize("attack", [BoundaryProjection(starts=0), BoundaryProjection(12, starts=4)])
def test_a_distance_does_not_depend_on_its_neighbours(network, images, attack):
    together = attack(network, images)
    assert together.success.all()
    order = torch.randperm(40, generator=seeded(5))
    strangers = torch.rand(23, 1, 8, 8, generator=seeded(6))
    shuffled = attack(network, images[order]).distance
    mixed = attack(network, torch.cat([strangers, images])).distance[23:]
    alone = torch.cat([attack(network, image[None]).distance for image in images[:10]])
    assert_same_distances(shuffled, together.distance[order])
    assert_same_distances(mixed, together.distance)
    assert_same_distances(alone, together.distance[:10])
    again = attack(network, images)
    assert torch.equal(again.x, together.x), "same call, same bits"


@pytest.mark.parametrize(
    "attack",
    [
        lambda model, x: BoundaryProjection(starts=0)(model, x, start=1 - x),
        CarliniWagner(iterations=20),
        lambda model, x: PGD(0.1, 0.02)(model, x, torch.zeros(len(x)).long()),
    ],
    ids=["boundary-projection", "carlini-wagner", "pgd"],
)
def test_the_model_is_left_as_it_was_found(network, images, attack):
    network.net[4].eval()
    network.net[1].bias.requires_grad_(False)

    def state():
        modes = [m.training for m in network.modules()]
        required = [(p.requires_grad, p.grad) for p in network.parameters()]
        return modes, required, [t.tolist() for t in (images, *network.state_dict().values())]

    before = state()
    attack(network, images)
    assert state() == before


# A start


def test_points_of_an_earlier_model_are_a_start(network, images):
    start = BoundaryProjection(starts=0)(network, images).x
    later = copy.deepcopy(network).eval()
    with torch.no_grad():
        for i, p in enumerate(later.parameters()):
            p *= 1 + 0.03 * torch.randn(p.shape, generator=seeded(i))
    cold = BoundaryProjection(starts=0)(later, images)
    warm = BoundaryProjection(budget=13, starts=0)(later, images, start=start)
    assert_honest(warm, later, images, (0.0, 1.0))
    assert warm.success.all()
    assert (warm.distance <= 1.05 * cold.distance).float().mean() >= 0.95
    start[::2] = torch.nan
    some = BoundaryProjection(starts=0)(later, images, start=start)
    assert_honest(some, later, images, (0.0, 1.0))
    torch.testing.assert_close(some.distance, cold.distance, rtol=0.02, atol=0)


def test_a_start_brings_its_own_class():
    model, x = linear(6, 20), torch.rand(60, 20, generator=seeded(1))
    exact = exact_distance(model, x, None)
    start, alone = BoundaryProjection()(model, x, None).x, BoundaryProjection(classes=1, starts=0)
    only_runner_up = alone(model, x, None).distance / exact
    started = replace(alone, budget=13)(model, x, None, start=start).distance / exact
    assert only_runner_up.max() > 1.05, "the runner-up is not always the nearest"
    assert started.max() < 1.01


# The paper's attack


def test_no_larger_than_carlini_wagner_of_the_paper(network, images):
    paper, ours = CarliniWagner()(network, images), BoundaryProjection(starts=0)(network, images)
    assert paper.success.all()
    assert ours.success.all()
    assert ours.distance.median() <= paper.distance.median()
    assert (ours.distance <= 1.01 * paper.distance).float().mean() >= 0.95
    assert ours.passes.sum() < paper.passes.sum() / 5
