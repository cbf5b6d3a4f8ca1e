"""Perturbed training against gradients by hand, and distances by id."""

import pytest
import torch
from torch.nn import functional as F

from arcal.errors import ArcalError
from arcal.methods import method_named
from arcal.methods.perturbed import DistancesById, perturbed


def trained(method, model, ids, x, labels):
    """The total of a batch's losses as a loop takes them, and the gradient that they leave."""
    total = 0.0
    for loss in method.losses(model, ids, x, labels):
        loss.backward()
        total += loss.item()
    return total, [parameter.grad for parameter in model.parameters()]


def test_images_move_by_the_norm_along_the_gradient():
    generator = torch.Generator().manual_seed(0)
    x = 0.4 + 0.2 * torch.rand(5, 3, 4, 4, generator=generator)
    g = (
        torch.randn(5, 3, 4, 4, generator=generator)
        * 10.0 ** torch.arange(-30, 20, 10.0)[:, None, None, None]
    )
    for r in (0.15, torch.tensor([0.0, 0.1, 0.2, 0.3, 0.15])):
        moved = (perturbed(x, g, r) - x).flatten(1)
        radius = torch.as_tensor(r).expand(5)
        torch.testing.assert_close(moved.norm(dim=1), radius, atol=1e-6, rtol=1e-4)
        direction = F.normalize(g.flatten(1).double(), eps=0)
        along = F.normalize(moved[1:].double()) * direction[1:]
        torch.testing.assert_close(along.sum(1), torch.ones(4).double(), atol=1e-5, rtol=0)


def test_no_gradient_is_no_perturbation_and_inputs_stay_in_range():
    x = torch.tensor([0.0, 1.0, 0.5]).view(3, 1, 1, 1)
    g = torch.tensor([-1.0, 1.0, 0.0]).view(3, 1, 1, 1)
    assert torch.equal(perturbed(x, g, 0.3), x)
    assert perturbed(x, -g, 0.3).flatten().tolist() == pytest.approx([0.3, 0.7, 0.5])


@pytest.mark.parametrize("name", ["vanilla", "label-smoothing", "adals"])
def test_loss_and_gradient_are_the_mean_of_both_passes(name, batch, network):
    ids, x, labels = batch
    model = network()
    total, gradient = trained(method_named(name, 4, {"perturbed": 0.15}), model, ids, x, labels)
    plain, twin = method_named(name, 4, {}), network()
    leaf = x.clone().requires_grad_()
    first = plain.criterion(twin(leaf), ids, labels)
    (g,) = torch.autograd.grad(first, leaf, retain_graph=True)
    size = g.flatten(1).norm(dim=1)[:, None, None, None]
    second = plain.criterion(twin((x + 0.15 * g / size).clamp(0, 1)), ids, labels)
    expected = (first + second) / 2
    assert total == pytest.approx(expected.item(), rel=1e-5)
    for ours, theirs in zip(
        gradient, torch.autograd.grad(expected, list(twin.parameters())), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-4)
    assert len(model.seen) == 2
    torch.testing.assert_close(model.seen[1], twin.seen[1])
    assert x.grad is None, "the batch itself is left alone"


def test_each_image_moves_by_a_share_of_its_own_distance(batch, network):
    ids, x, labels = batch
    x = 0.4 + 0.2 * x
    method = method_named("vanilla", 4, {"perturbed": 0.5, "perturbed_by": "gradient"})
    distance = torch.linspace(0.01, 0.2, 9)
    shuffled = torch.tensor([4, 8, 0, 1, 7, 2, 3, 5, 6])
    method.assign_distances(ids[shuffled], distance[shuffled])
    model = network()
    trained(method, model, ids, x, labels)
    moved = (model.seen[1] - x).flatten(1).norm(dim=1)
    torch.testing.assert_close(moved, 0.5 * distance, atol=1e-6, rtol=1e-4)


def test_distances_are_saved_with_the_method_and_only_then():
    settings = {"perturbed": 0.5, "perturbed_by": "attack"}
    method = method_named("vanilla", 4, settings)
    method.assign_distances(torch.tensor([5, 3]), torch.tensor([0.25, 0.5]))
    state = method.state_dict()
    again = method_named("vanilla", 4, settings)
    again.load_state_dict(state)
    assert all(torch.equal(again.state_dict()[name], state[name]) for name in state)
    assert len(state) == 2
    assert not method_named("vanilla", 4, {"perturbed": 0.5}).state_dict()
    assert not method_named("vanilla", 4, {}).state_dict()


def test_a_failed_attack_stands_at_the_largest_distance():
    table, inf = DistancesById(), float("inf")
    table.assign(torch.tensor([9, 2, 4]), torch.tensor([inf, 0.1, 0.7]))
    assert table(torch.tensor([9, 4, 2, 2])).tolist() == pytest.approx([0.7, 0.7, 0.1, 0.1])
    with pytest.raises(ArcalError, match="no attack on a training image succeeded"):
        table.assign(torch.tensor([9, 2]), torch.tensor([inf, inf]))


def test_what_is_missing_is_one_line(batch, network):
    ids, x, labels = batch
    method = method_named("vanilla", 4, {"perturbed": 0.5, "perturbed_by": "attack"})
    method.assign_distances(ids[1:], torch.ones(8))
    with pytest.raises(ArcalError, match="training id 0 has no distance"):
        list(method.losses(network(), ids, x, labels))
    with pytest.raises(ArcalError, match="add perturbed_by first"):
        method_named("vanilla", 4, {}).assign_distances(ids, torch.ones(9))
