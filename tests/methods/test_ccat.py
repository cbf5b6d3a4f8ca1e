"""CCAT's target, its attack and its loss, against the paper's formulas in numpy."""

import numpy as np
import pytest
import torch
from torch import nn

from arcal.compute.fabric import Fabric
from arcal.errors import ArcalError
from arcal.methods import CCAT

Z = 4


def batch(B=9):
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(B, 3, 2, 2, generator=generator)
    return torch.arange(B), x, torch.randint(Z, (B,), generator=generator)


def test_lambda_is_1_at_no_perturbation_and_0_at_the_radius():
    method = CCAT(Z, radius=0.02, rho=10)
    delta = torch.zeros(4, 3, 2, 2)
    delta[1, 0, 1, 1], delta[2, 2, 0, 0], delta[3, 1, 1, 0] = -0.02, 0.01, 0.5
    found = method.transition(delta)
    assert found.tolist() == pytest.approx([1, 0, 0.5**10, 0], abs=1e-6)


@pytest.mark.parametrize("B", [8, 9, 1])
def test_half_of_each_batch_is_attacked_in_evaluation_mode(B, network):
    ids, x, labels = batch(B)
    model = network().train()
    if B == 1:
        model.layers[2].eval()
    CCAT(Z, radius=0.05).loss(model, ids, x, labels)
    *attack, last = model.seen
    assert model.modes == [False] * 11 + [True]
    assert all(len(seen) == B - B // 2 for seen in attack)
    assert torch.equal(last[: B // 2], x[: B // 2])
    moved = (last[B // 2 :] - x[B // 2 :]).abs().flatten(1).amax(dim=1)
    assert (moved > 0).all()
    assert (moved <= 0.05 + 1e-6).all()
    assert torch.equal(last, last.clamp(0, 1))


def test_the_loss_is_cross_entropy_with_targets_between_one_hot_and_uniform(network):
    torch.manual_seed(5)
    ids, x, labels = batch()
    model = network()
    method = CCAT(Z, radius=0.05, rho=3.0, step=0.01, iterations=4)
    loss = method.loss(model, ids, x, labels)
    loss.backward()
    last = model.seen[-1]

    size = np.abs((last - x).numpy()).reshape(9, -1).max(axis=1)
    share = (1 - np.minimum(1, size / 0.05)) ** 3
    target = share[:, None] * np.eye(Z)[labels.numpy()] + (1 - share[:, None]) / Z
    np.testing.assert_allclose(target.sum(axis=1), 1)
    assert (share[:4] == 1).all()
    assert np.ptp(share[4:]) > 0
    twin = network()
    explicit = -(torch.from_numpy(target).float() * twin(last).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss, explicit)
    explicit.backward()
    for found, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad)


class Scaled(nn.Module):
    """A network that calls another its `module`."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(2 * x)


def test_the_attack_is_on_the_whole_network_whatever_its_parts_are_called(network):
    ids, x, labels = batch()
    method, inner = CCAT(Z, radius=0.05), network().train()
    trained = Fabric(accelerator="cpu").setup_module(Scaled(inner))
    for model in (Scaled(inner), trained):
        inner.seen.clear()
        method.loss(model, ids, x, labels)
        assert len(inner.seen) == 12
        for seen in inner.seen[:11]:
            assert ((seen / 2 - x[4:]).abs() <= 0.05 + 1e-6).all()


def test_bad_settings_are_one_line():
    for settings, says in [
        ({"rho": 0.0}, "rho is 0.0"),
        ({"radius": -1.0}, "radius is -1.0: it must be above 0"),
        ({"step": float("nan")}, "step is nan"),
        ({"iterations": 0}, "iterations is 0: it must be at least 1"),
    ]:
        with pytest.raises(ArcalError, match=says):
            CCAT(Z, **settings)
