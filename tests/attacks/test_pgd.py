"""PGD against closed forms, foolbox and a transcription in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from arcal.attacks.pgd import OBJECTIVES, PGD, STARTS


def inputs(N=16, D=6, Z=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(N, D, generator=generator)
    return x, torch.randint(Z, (N,), generator=generator)


def network(D=6, Z=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(D, 16), nn.Tanh(), nn.BatchNorm1d(16), nn.Linear(16, Z)).eval()


@pytest.mark.parametrize("step", [0.01, 0.07, 0.3])
def test_of_a_linear_model_it_is_the_corner_that_steps_can_reach(step):
    x, y = inputs(Z=2)
    linear = nn.Linear(6, 2)
    found = PGD(radius=0.1, step=step)(linear, x, y)
    w = (linear.weight[1] - linear.weight[0]).detach()
    uphill = torch.where(y.unsqueeze(1) == 0, w.sign(), -w.sign())
    expected = (x + min(0.1, 10 * step) * uphill).clamp(0, 1)
    torch.testing.assert_close(found, expected)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_plain_it_is_foolbox():
    import foolbox

    x, y = inputs()
    model = network()
    theirs = foolbox.attacks.LinfPGD(  # pyright: ignore[reportPrivateImportUsage]
        abs_stepsize=0.004, steps=10, random_start=False
    )
    wrapped = foolbox.models.pytorch.PyTorchModel(model, bounds=(0, 1), device="cpu")
    _, (expected,), _ = theirs(wrapped, x, y, epsilons=[0.03])
    found = PGD(radius=0.03, step=0.004)(model, x, y)
    torch.testing.assert_close(found, expected)
    assert 0.02 < (found - x).abs().max() <= 0.03 + 1e-6


def transcribed(W, b, x, y, radius, step, iterations, momentum, backtracking):
    """The attack of Stutz et al. on one input of a softmax of a linear map, float64 numpy."""

    def objective(at):
        f = np.exp(W @ at + b)
        f /= f.sum()
        z = max((z for z in range(len(f)) if z != y), key=lambda z: f[z])
        return f[z], f[z] * (W[z] - f @ W)

    def project(at):
        return np.clip(np.clip(at, x - radius, x + radius), 0, 1)

    at, velocity, best, highest = x, np.zeros_like(x), x, -1.0
    rejected = 0
    for i in range(iterations + 1):
        at = project(at)
        value, gradient = objective(at)
        if value > highest:
            best, highest = at, value
        if i == iterations:
            break
        velocity = momentum * velocity + (1 - momentum) * np.sign(gradient)
        if objective(project(at + step * velocity))[0] >= value:
            at = at + step * velocity
        else:
            step, rejected = step / backtracking, rejected + 1
    return best, rejected


def test_momentum_and_backtracking_are_stutz_et_al():
    x, y = inputs(N=40, seed=1)
    torch.manual_seed(1)
    linear = nn.Linear(6, 4, dtype=torch.float64)
    linear.weight.data *= 8  # curved within the ball, so that steps go too far
    x = x.double()
    how = {"radius": 0.2, "step": 0.5, "iterations": 7, "momentum": 0.3, "backtracking": 1.5}
    found = PGD(**how, objective="wrong-confidence")(linear, x, y)
    W, b = linear.weight.detach().numpy(), linear.bias.detach().numpy()
    expected, rejected = zip(
        *(transcribed(W, b, *pair, **how) for pair in zip(x.numpy(), y.numpy(), strict=True)),
        strict=True,
    )
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-6)
    assert min(rejected) == 0, "some inputs must go on without backtracking"
    assert max(rejected) >= 2, "some must backtrack, twice at least"


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("backtracking", [1.0, 1.5])
def test_it_never_ends_below_its_start(objective, backtracking):
    x, y = inputs(N=64)
    model = network()
    attack = PGD(0.05, 0.3, 5, objective, momentum=0.5, backtracking=backtracking)
    found = attack(model, x, y)
    assert torch.equal(found, found.clamp(0, 1))
    assert (found - x).abs().max() <= 0.05 + 1e-6
    measure = OBJECTIVES[objective]
    with torch.no_grad():
        before = measure(model(x).log_softmax(1), y)
        after = measure(model(found).log_softmax(1), y)
    assert (after >= before - 1e-5).all(), "up to rounding"
    assert (after > before).float().mean() > 0.9


def test_starts():
    torch.manual_seed(0)
    shape = torch.Size((4000, 3, 4, 4))
    assert not STARTS["zero"](shape, 0.5).any()
    norm = STARTS["uniform-norm"](shape, 0.5).flatten(1).abs().amax(dim=1)
    assert norm.max() <= 0.5
    assert norm.mean() == pytest.approx(0.25, abs=0.01)
    assert norm.std() == pytest.approx(0.5 / 12**0.5, abs=0.005)
    noise = STARTS["gaussian"](shape, 0.5)
    assert noise.std() == pytest.approx(0.5 / (2 * np.log(48)), rel=0.01)
    assert noise.mean() == pytest.approx(0, abs=0.001)


def test_starts_are_drawn_from_the_global_generator():
    x, y = inputs()
    attack = PGD(0.1, 1e-9, 1, start=("gaussian", "uniform-norm", "zero"))
    model, found = network(), []
    for seed in (*range(12), 0):
        torch.manual_seed(seed)
        found.append(attack(model, x, y))
    assert torch.equal(found[0], found[-1])
    still = [bool(torch.allclose(at, x, atol=1e-6)) for at in found]
    assert 0 < sum(still) < len(still), "some calls start at the inputs, some elsewhere"
