"""Mixup under every criterion, against explicit soft targets."""

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import kstest
from torch import nn

from arcal.methods import AdaLS, method_named
from arcal.smoothing import soften

B, Z = 12, 5
IDS, LABELS = torch.arange(B) * 2, torch.arange(B) % Z


class Recorder(nn.Module):
    """A linear model that keeps what it was given; of one-hot inputs the mixture can be read."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(B, Z)
        self.seen = []

    def forward(self, x):
        self.seen.append(x.detach())
        return self.linear(x)

    def mixture(self):
        """The share of the batch itself and the partner of each row, from the only input.

        A share of exactly 1 shows no partners, and so gives none.
        """
        (x,) = self.seen
        self.seen = []
        off = x - torch.diag(x.diagonal())
        mixed = off.any(dim=1)
        if not mixed.any():
            return 1.0, torch.empty(0, dtype=torch.int64)
        share = x.diagonal()[mixed]
        assert torch.equal(share, share[:1].expand_as(share)), "one share a batch"
        return float(share[0]), torch.where(mixed, off.argmax(dim=1), torch.arange(B))


def learned(name, **settings):
    """A method and the epsilon `(B,)` that each example of the batch has in it."""
    method = method_named(name, Z, settings)
    if not isinstance(method, AdaLS):
        return method, torch.full((B,), settings.get("epsilon", 0.0))
    levels = torch.arange(B) % method.R
    method.assign("train", IDS, levels)
    method.smoothing.soft_label.copy_(torch.linspace(0.6, 0.95, method.R))
    return method, method.smoothing.epsilon[levels].float()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vanilla", {}),
        ("label-smoothing", {"epsilon": 0.3}),
        ("adals", {}),
        ("ar-adals", {"R": 3, "order": "gradient"}),
    ],
)
def test_loss_and_gradient_are_those_of_the_mixed_soft_labels(name, settings):
    torch.manual_seed(3)
    method, epsilon = learned(name, mixup=0.7, **settings)
    model, x = Recorder(), torch.eye(B)
    loss = method.loss(model, IDS, x, LABELS)
    weights = list(model.linear.parameters())
    gradient = torch.autograd.grad(loss, weights)
    share, j = model.mixture()
    assert 0.01 < share < 0.99
    assert not torch.equal(j, torch.arange(B))
    assert torch.equal(j.sort().values, torch.arange(B)), "a permutation"
    soft = soften(LABELS, epsilon, Z)
    target = share * soft + (1 - share) * soft[j]
    expected = F.cross_entropy(model.linear(share * x + (1 - share) * x[j]), target)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, weights))


def test_shares_are_from_beta_and_partners_are_any():
    torch.manual_seed(0)
    method, model = method_named("vanilla", Z, {"mixup": 0.2}), Recorder()
    mixtures, x = [], torch.eye(B)
    for _ in range(500):
        method.loss(model, IDS, x, LABELS)
        mixtures.append(model.mixture())
    shares = torch.tensor([share for share, _ in mixtures])
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.06)
    assert float(shares.var()) == pytest.approx(1 / (4 * (2 * 0.2 + 1)), abs=0.02)
    assert kstest(shares.numpy(), "beta", args=(0.2, 0.2)).pvalue > 0.01
    partners = torch.stack([j for _, j in mixtures if len(j)])
    counts = torch.stack([torch.bincount(column, minlength=B) for column in partners.T])
    assert counts.float().div(len(partners)).sub(1 / B).abs().max() < 0.05
