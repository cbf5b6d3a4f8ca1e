"""The attack against closed forms, which no attack may undercut, and against foolbox's."""

import math

import numpy as np
import pytest
import torch
from closed_forms import Scaled, exact_distance, linear, small_images, small_network
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from arcal.attacks import CarliniWagner
from arcal.errors import ArcalError


@pytest.mark.parametrize(
    ("bounds", "searches"),
    [(None, 4), ((0.0, 1.0), 4), pytest.param((-2.0, 3.0), 6, marks=pytest.mark.slow)],
)
def test_linear_binary_is_exact(bounds, searches):
    model = linear(2, 20)
    x = torch.rand(60, 20, generator=torch.Generator().manual_seed(1))
    if bounds:
        x = bounds[0] + (bounds[1] - bounds[0]) * x
    found = CarliniWagner(search_steps=searches, initial_c=0.1)(model, x, bounds)
    exact = exact_distance(model, x, bounds)
    reachable = exact.isfinite()
    assert reachable.sum() > 50
    ratio = found.distance[reachable] / exact[reachable]
    assert found.success[reachable].all()
    assert ratio.min() > 1 - 1e-5
    assert ratio.median() < 1.003
    assert ratio.max() < 1.05


def test_linear_multiclass_paper_settings():
    model = linear(6, 30)
    x = torch.rand(100, 30, generator=torch.Generator().manual_seed(2))
    found = CarliniWagner()(model, x)
    ratio = found.distance / exact_distance(model, x, (0.0, 1.0))
    assert found.success.all()
    assert ratio.min() > 1 - 1e-5, "no perturbation can be smaller than the exact one"
    assert ratio.median() < 1.01


@pytest.fixture
def network():
    return small_network()


@pytest.fixture
def images():
    return small_images()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_agrees_with_foolbox(network, images):
    import foolbox

    network.eval()
    theirs = foolbox.attacks.L2CarliniWagnerAttack(  # pyright: ignore[reportPrivateImportUsage]
        binary_search_steps=3, steps=500, stepsize=0.005, initial_const=0.01, abort_early=False
    )
    model = foolbox.models.pytorch.PyTorchModel(network, bounds=(0, 1), device="cpu")
    _, perturbed, success = theirs(
        model, images.clone(), network(images.clone()).argmax(1), epsilons=None
    )
    expected = (perturbed - images).flatten(1).norm(dim=1)
    ours = CarliniWagner(early_stop=False)(network, images)
    assert success.all()
    assert ours.success.all()
    ratio = ours.distance / expected
    assert abs(float(ratio.median()) - 1) < 0.005
    assert (ours.passes == 1500).all()


def test_perturbations_really_flip_the_model_as_given(network, images):
    found = CarliniWagner(iterations=100)(network, images)
    network.eval()
    with torch.no_grad():
        clean, perturbed = network(images.clone()), network(found.x.clone())
    assert torch.equal(clean.argmax(1), found.predicted)
    assert torch.equal(perturbed.argmax(1) != found.predicted, found.success)
    assert found.x.min() >= 0
    assert found.x.max() <= 1
    torch.testing.assert_close(found.distance, (found.x - images).flatten(1).norm(dim=1))


@pytest.mark.slow
def test_a_distance_does_not_depend_on_its_neighbours(network, images):
    attack = CarliniWagner(iterations=200)
    together = attack(network, images)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    shuffled = attack(network, images[order])
    torch.testing.assert_close(shuffled.distance, together.distance[order], rtol=1e-3, atol=0)
    for i in (0, 17):
        alone = attack(network, images[i : i + 1])
        torch.testing.assert_close(alone.distance, together.distance[i : i + 1], rtol=1e-3, atol=0)
    assert torch.equal(attack(network, images).distance, together.distance), "same call, same bits"


@pytest.mark.parametrize("scale", [1e-4, pytest.param(1e4, marks=pytest.mark.slow)])
def test_c_from_the_gradient_knows_no_scale_of_logits(network, images, scale):
    attack = CarliniWagner(initial_c="gradient", iterations=100)
    plain, scaled = attack(network, images), attack(Scaled(network, scale), images)
    assert plain.success.all()
    assert scaled.success.all()
    assert abs(float((scaled.distance / plain.distance).median()) - 1) < 0.005


@pytest.mark.slow
def test_tiny_margins_need_a_c_from_the_gradient(network, images):
    hardly_trained = Scaled(network, 1e-5)
    assert CarliniWagner()(hardly_trained, images).success.float().mean() < 0.2
    assert CarliniWagner(initial_c="gradient")(hardly_trained, images).success.all()


def test_c_from_the_gradient_is_what_a_linear_model_needs():
    model = linear(2, 20)
    x = torch.rand(60, 20, generator=torch.Generator().manual_seed(1))
    found = CarliniWagner(search_steps=1, initial_c="gradient")(model, x, bounds=None)
    assert found.success.all(), "one value of c is enough"
    assert (found.distance / exact_distance(model, x, None)).median() < 1.003


def reference(model, x, y, c, iterations, bounds):
    """One search step a line at a time, its gradient by autograd and torch's own Adam."""
    lo, hi = bounds
    w = torch.atanh(0.999999 * (2 * (x - lo) / (hi - lo) - 1)).requires_grad_()
    adam = torch.optim.Adam([w], lr=0.005)
    best = torch.full_like(x[:, 0], torch.inf)
    for _ in range(iterations):
        perturbed = lo + (hi - lo) * (torch.tanh(w) + 1) / 2
        squared = (perturbed - x).square().sum(dim=1)
        z = model(perturbed)
        lead = z.gather(1, y[:, None])[:, 0] - z.scatter(1, y[:, None], -torch.inf).amax(dim=1)
        best = torch.where(lead < -1e-5 * z.abs().amax(1), best.minimum(squared.detach()), best)
        adam.zero_grad()
        (squared + c * lead.clamp(min=0)).sum().backward()
        adam.step()
    return best.sqrt()


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-2.0, 3.0)])
def test_each_step_is_that_of_autograd_and_adam(bounds):
    model = linear(6, 30).double()
    x = torch.rand(50, 30, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    attack = CarliniWagner(search_steps=1, iterations=100, initial_c=0.1, early_stop=False)
    found = attack(model, x, bounds)
    expected = reference(model, x, found.predicted, 0.1, 100, bounds)
    assert found.success.sum() > 10
    torch.testing.assert_close(found.distance.double(), expected, rtol=1e-5, atol=0)


def test_no_backward_pass_once_all_have_crossed(images):
    class Counted(torch.autograd.Function):
        calls = 0

        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, *gradients):
            Counted.calls += 1
            return gradients[0]

    layer = linear(3, 64)
    found = CarliniWagner(search_steps=1, early_stop=False, initial_c="gradient")(
        lambda x: layer(Counted.apply(x)), images[:1]
    )
    assert found.success.all()
    assert found.passes.item() == 501
    assert 10 < Counted.calls < 490


@pytest.mark.slow
def test_early_stop_spends_less_and_loses_little(network, images):
    whole, stopped = (
        CarliniWagner(early_stop=False)(network, images),
        CarliniWagner()(network, images),
    )
    assert stopped.passes.sum() < 0.8 * whole.passes.sum()
    assert stopped.distance.median() < 1.01 * whole.distance.median()


def test_the_model_is_left_as_it_was_found(network, images):
    network.train()
    network.net[4].eval()
    network.net[1].bias.requires_grad_(False)
    before = {name: t.clone() for name, t in network.state_dict().items()}
    modes = [m.training for m in network.modules()]
    required = [p.requires_grad for p in network.parameters()]
    CarliniWagner(iterations=20)(network, images[:4])
    assert [m.training for m in network.modules()] == modes
    assert [p.requires_grad for p in network.parameters()] == required
    assert all(p.grad is None for p in network.parameters())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_no_boundary_is_a_failure_and_inf():
    def always_first(x):
        return torch.tensor([3.0, 1.0]) + 0 * x.sum(dim=1, keepdim=True)

    found = CarliniWagner(iterations=30)(always_first, torch.rand(3, 4))
    assert not found.success.any()
    assert found.distance.isposinf().all()
    assert found.x.isnan().all()


def test_some_may_fail_while_others_succeed():
    def model(x):  # the boundary x_0 = 0.5 exists only where x_1 < 0.5
        lead = torch.where(x[:, 1] < 0.5, x[:, 0] - 0.5, torch.ones(len(x)))
        return torch.stack([lead, torch.zeros(len(x))], dim=1)

    x = torch.tensor([[0.9, 0.1], [0.9, 0.9]])
    found = CarliniWagner()(model, x)
    assert found.success.tolist() == [True, False]
    assert found.distance[0].item() == pytest.approx(0.4, rel=0.01)
    assert found.distance[1].isposinf()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(2, 1000),
    st.sampled_from([(5,), (1, 4, 4), (3, 5, 3)]),
    st.sampled_from([None, (0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)]),
    st.integers(1, 5),
)
def test_any_shape_and_bounds(Z, shape, bounds, N):
    model = linear(Z, int(np.prod(shape)))
    lo, hi = bounds or (-3.0, 3.0)
    x = lo + (hi - lo) * torch.rand(N, *shape, generator=torch.Generator().manual_seed(6))
    found = CarliniWagner(search_steps=2, iterations=30)(model, x, bounds)
    assert found.x.shape == x.shape
    assert found.distance.shape == found.success.shape == found.predicted.shape == (N,)
    assert found.distance.dtype == torch.float32
    assert torch.equal(found.distance.isfinite(), found.success)
    inside = found.x[found.success]
    if bounds and len(inside):
        assert inside.min() >= bounds[0]
        assert inside.max() <= bounds[1]


@pytest.mark.parametrize(
    ("model", "x", "says"),
    [
        (linear(3, 4), torch.full((1, 4), 1.5), "outside the bounds"),
        (linear(3, 4), torch.full((1, 4), torch.nan), "NaN"),
        (linear(3, 4), torch.zeros(1, 4).long(), "float32"),
        (nn.Sequential(linear(3, 4), nn.Softmax(1)), torch.rand(5, 4), "probabilities"),
        (linear(1, 4), torch.rand(5, 4), "at least 2 classes"),
        (lambda x: x.sum(dim=1), torch.rand(5, 4), "logits"),
        (lambda x: x / 0, torch.rand(5, 4), "not finite"),
    ],
)
def test_bad_input_is_one_line(model, x, says):
    with pytest.raises(ArcalError, match=says) as caught:
        CarliniWagner(iterations=2)(model, x)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    [
        {"initial_c": math.inf},
        {"initial_c": "grad"},
        {"iterations": 50.5},
        {"search_steps": 0},
        {"learning_rate": math.nan},
        {"kappa": -1.0},
        {"kappa": math.nan},
    ],
)
def test_bad_settings_are_one_line(bad):
    with pytest.raises(ArcalError, match=next(iter(bad))) as caught:
        CarliniWagner(**bad)
    assert "\n" not in str(caught.value)
