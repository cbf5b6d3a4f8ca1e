"""The attack against closed forms, which no attack may undercut, and against foolbox's."""

import math

import pytest
import torch
from closed_forms import (
    Scaled,
    assert_same_distances,
    exact_distance,
    linear,
    small_images,
    small_network,
)

from arcal.attacks import CarliniWagner
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor


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


@pytest.mark.slow
def test_a_distance_does_not_depend_on_its_neighbours(network, images):
    attack = CarliniWagner(iterations=200)
    together = attack(network, images)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    shuffled = attack(network, images[order])
    assert_same_distances(shuffled.distance, together.distance[order])
    for i in (0, 17):
        alone = attack(network, images[i : i + 1])
        assert_same_distances(alone.distance, together.distance[i : i + 1])
    assert torch.equal(attack(network, images).distance, together.distance), "same call, same bits"


@pytest.mark.parametrize("scale", [1e-4, pytest.param(1e4, marks=pytest.mark.slow)])
def test_c_from_the_gradient_knows_no_scale_of_logits(network, images, scale):
    attack = CarliniWagner(initial_c="gradient", iterations=100)
    plain, scaled = attack(network, images), attack(Scaled(network, scale), images)
    assert plain.success.all()
    assert scaled.success.all()
    assert abs(float((scaled.distance / plain.distance).median()) - 1) < 0.005


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
