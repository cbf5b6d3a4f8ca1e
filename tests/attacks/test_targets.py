"""The distance to the region of one class, against programmes of others and a grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from closed_forms import (
    assert_same_distances,
    centred,
    linear,
    seeded,
    small_images,
    small_network,
)
from scipy.optimize import linprog, nnls

import arcal
from arcal.attacks import BoundaryProjection
from arcal.attacks.model import margin, rounding
from arcal.attacks.norms import NORMS
from arcal.errors import ArcalError

BOUNDS = [None, (0.0, 1.0)]


def other_classes(model, x, seed=3):
    """A class for each input that is not its prediction."""
    z = model(x)
    step = torch.randint(1, z.shape[1], (len(x),), generator=seeded(seed))
    return (z.argmax(1) + step) % z.shape[1]


def assert_targeted(found, model, x, targets, bounds, norm):
    assert torch.equal(found.distance.isposinf(), ~found.success)
    ok = found.success
    z = model(torch.where(found.x.isnan(), x, found.x)).detach()
    assert (margin(z, targets) >= -rounding(z))[ok].all(), "in another batch, up to rounding"
    torch.testing.assert_close(found.distance[ok], norm.length((found.x - x)[ok].flatten(1)))
    if bounds and ok.any():
        assert found.x[ok].min() >= bounds[0]
        assert found.x[ok].max() <= bounds[1]


def to_region(x, rows, offsets, bounds, name):
    """The least `|d|` with `offsets + rows d <= 0` and x + d in bounds; infinite without any."""
    D = len(x)
    box = [(None, None)] * D if bounds is None else [(bounds[0] - v, bounds[1] - v) for v in x]
    one, eye = np.ones((D, 1)), np.eye(D)
    within = np.vstack([np.hstack([eye, -one]), np.hstack([-eye, -one])])
    A = np.vstack([np.hstack([rows, np.zeros((len(rows), 1))]), within])
    b = np.r_[-offsets, np.zeros(2 * D)]
    solved = linprog(np.r_[np.zeros(D), 1.0], A, b, bounds=[*box, (0, None)])
    if not solved.success:
        return np.inf
    if name == "linf":
        return solved.fun
    faces = [np.eye(D), -np.eye(D)] if bounds is not None else []
    ends = [bounds[0] - x, x - bounds[1]] if bounds is not None else []
    G, h = np.vstack([-rows, *faces]), np.concatenate([offsets, *ends])
    E, f = np.vstack([G.T, h]), np.eye(D + 1)[D]
    r = E @ nnls(E, f)[0] - f  # least |d| with G d >= h, by Lawson and Hanson
    return float(np.linalg.norm(r[:D] / r[D]))


def nearest_of_linear(model, x, targets, bounds, name):
    """The exact distances `(N,)` to the regions of the targets."""
    W, z = model[1].weight.detach().double().numpy(), model(x).detach().double().numpy()
    exact = []
    for i, t in enumerate(targets.tolist()):
        others = [k for k in range(z.shape[1]) if k != t]
        rows, offsets = W[others] - W[t], z[i, others] - z[i, t]
        exact.append(to_region(x[i].double().numpy(), rows, offsets, bounds, name))
    return torch.tensor(exact)


@pytest.mark.parametrize(("D", "Z"), [(2, 3), (10, 10)])
@pytest.mark.parametrize("bounds", BOUNDS)
def test_in_few_dimensions_the_region_of_a_linear_model_is_exact(D, Z, bounds):
    """There the average of the planes' normals is up to 20 times as far as where they meet."""
    model: Any = linear(Z, D)
    x = torch.rand(24, D, generator=seeded(1))
    targets = other_classes(model, x)
    exact = nearest_of_linear(model, x, targets, bounds, "l2")
    found = BoundaryProjection(24)(model, x, bounds, targets=targets)
    assert_targeted(found, model, x, targets, bounds, NORMS["l2"])
    there = exact.isfinite()
    ratio = found.distance[there] / exact[there]
    assert ((ratio >= 1 - 1e-4) & (ratio < 1.02)).all(), ratio
    box = BoundaryProjection(15, norm="linf")(model, x, bounds, targets=targets)
    assert torch.equal(box.success, there)


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("bounds", BOUNDS)
def test_the_region_of_a_linear_model(name, bounds):
    """The region is where Z - 1 half spaces meet: one plane is not enough for most."""
    model: Any = linear(5, 20)
    x = torch.rand(25, 20, generator=seeded(1))
    targets = other_classes(model, x)
    exact = nearest_of_linear(model, x, targets, bounds, name)
    found = BoundaryProjection(starts=0, norm=name)(model, x, bounds, targets=targets)
    assert_targeted(found, model, x, targets, bounds, NORMS[name])
    ratio = found.distance[exact.isfinite()] / exact[exact.isfinite()]
    assert ratio.min() >= 1 - 1e-5
    assert ratio.median() < 1.003
    assert ratio.max() < 1.1


@pytest.mark.parametrize("name", NORMS)
def test_two_classes_have_one_boundary(name):
    """Of two classes the other one is the only target, and its region begins at the boundary."""
    model, x = linear(2, 20), torch.rand(25, 20, generator=seeded(1))
    attack = BoundaryProjection(norm=name)
    plain = attack(model, x)
    found = attack(model, x, targets=1 - plain.predicted)
    assert torch.equal(found.x, plain.x)


@pytest.mark.parametrize("name", NORMS)
def test_on_networks_no_target_is_nearer_than_the_nearest(name):
    norm = NORMS[name]
    for model, x, bounds in (
        (small_network(), small_images(10), (0.0, 1.0)),
        (centred(1), 2 * torch.rand(12, 2, generator=seeded(7)) - 1, None),
    ):
        model.eval()
        attack = BoundaryProjection(16, norm=name, starts=4)
        plain = attack(model, x, bounds)
        Z = model(x).shape[1]
        steps = torch.arange(1, Z)[:, None]
        targets = ((plain.predicted + steps) % Z).flatten()
        every = x.repeat(Z - 1, *[1] * (x.ndim - 1))
        found = attack(model, every, bounds, targets=targets)
        assert_targeted(found, model, every, targets, bounds, norm)
        nearest = found.distance.view(Z - 1, len(x)).amin(dim=0)
        ratios = nearest / plain.distance
        assert ratios.median() == pytest.approx(1, abs=5e-3)
        assert ((ratios > 0.98) & (ratios < 1.02)).float().mean() >= 0.85


def test_a_target_follows_its_input():
    model, x = small_network().eval(), small_images(12)
    targets = other_classes(model, x)
    attack = BoundaryProjection(starts=0)
    together = attack(model, x, targets=targets).distance
    order = torch.randperm(12, generator=seeded(5))
    shuffled = attack(model, x[order], targets=targets[order]).distance
    assert_same_distances(shuffled, together[order])
    alone = attack(model, x[3:4], targets=targets[3:4]).distance
    assert alone.item() == pytest.approx(together[3].item(), rel=0.02)


def test_a_start_is_taken_for_a_target_too():
    model, x = small_network().eval(), small_images(12)
    targets = other_classes(model, x)
    cold = BoundaryProjection(starts=0)(model, x, targets=targets)
    warm = BoundaryProjection(budget=13, starts=0)(model, x, start=cold.x, targets=targets)
    assert (warm.distance <= 1.05 * cold.distance).float().mean() >= 0.9
    attack = BoundaryProjection(budget=13, starts=0)
    arrays = attack(model, x, start=cold.x.double().numpy(), targets=targets.tolist())
    assert torch.equal(arrays.distance, warm.distance)


def test_a_class_that_is_nowhere_is_a_failure_and_inf():
    model: Any = linear(3, 4)
    x = torch.rand(5, 4, generator=seeded(1))
    model[1].bias.data[2] = -100.0
    targets = torch.full((5,), 2)
    found = BoundaryProjection(15)(model, x, targets=targets)
    assert not found.success.any()
    assert found.distance.isposinf().all()
    assert found.reason


@pytest.mark.parametrize("name", NORMS)
def test_one_input_and_its_target(name):
    model, x = linear(4, 6), torch.rand(3, 6, generator=seeded(1))
    attack = BoundaryProjection(norm=name, starts=0)
    targets = other_classes(model, x)
    batch = attack(model, x, targets=targets)
    for i in range(3):
        expected = pytest.approx(batch.distance[i].item(), rel=0.02)
        assert arcal.distance(model, x[i], target=int(targets[i]), attack=attack) == expected


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        (torch.tensor([3, 0, 0]), "target 3 of input 0 is not a class of the model"),
        (torch.tensor([-1, 0, 0]), "target -1 of input 0 is not a class of the model"),
        (torch.tensor([0, 0]), r"give one class for each of the 3 inputs"),
        (torch.tensor([0.0, 0.0, 0.0]), "int64"),
        ("predicted", "is already the prediction"),
    ],
)
def test_bad_targets_are_one_line(targets, says):
    model, x = linear(3, 4), torch.rand(3, 4, generator=seeded(1))
    if isinstance(targets, str):
        targets = model(x).argmax(1)
    with pytest.raises(ArcalError, match=says) as caught:
        BoundaryProjection()(model, x, targets=targets)
    assert "\n" not in str(caught.value)


def test_a_target_that_the_model_masks_is_one_line():
    def masked(x):
        return linear(3, 4)(x).index_fill(1, torch.tensor([2]), -torch.inf)

    with pytest.raises(ArcalError, match="masks"):
        BoundaryProjection()(masked, torch.rand(2, 4), targets=torch.tensor([2, 2]))


def test_an_attack_without_targets_is_one_line():
    with pytest.raises(ArcalError, match="target"):
        arcal.distance(linear(3, 4), torch.rand(4), target=1, attack=arcal.CarliniWagner())


def test_what_ones_own_attack_says_of_a_target_is_checked():
    def mine(model, x, bounds, targets=None):
        found = BoundaryProjection()(model, x, bounds, targets=targets)
        return replace(found, x=x)

    x = torch.tensor([0.75, 0.5, 0.0])  # the inputs are the logits
    with pytest.raises(ArcalError, match="claims success on 1 of 1"):
        arcal.distance(torch.nn.Identity(), x, target=2, attack=mine)
