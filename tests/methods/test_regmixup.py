"""RegMixup against explicit soft targets over both halves."""

import pytest
import torch
from scipy.stats import beta, kstest
from torch.nn import functional as F

from arcal.methods import method_named
from arcal.smoothing import soften


def mixture(x, mixed):
    """The share and the partners, by trying every pair of images."""
    shares = []
    for i, one in enumerate(mixed):
        for j, other in enumerate(x):
            away = x[i] - other
            if i != j:
                share = float(((one - other) * away).sum() / away.square().sum())
                if torch.allclose(one, share * x[i] + (1 - share) * other, atol=1e-5):
                    shares.append((i, j, share))
        if torch.allclose(one, x[i], atol=1e-6):
            shares.append((i, i, None))
    return shares


@pytest.mark.parametrize(("name", "epsilon"), [("vanilla", 0.0), ("label-smoothing", 0.2)])
def test_loss_and_gradient_are_those_of_both_halves(name, epsilon, batch, network):
    ids, x, labels = batch
    settings = {"epsilon": epsilon} if epsilon else {}
    torch.manual_seed(4)
    model, method = network(), method_named(name, 4, settings | {"regmixup": 20.0})
    method.draw_from(lambda name: torch.Generator().manual_seed(7))
    (loss,) = method.losses(model, ids, x, labels)
    loss.backward()
    (shown,) = model.seen
    assert torch.equal(shown[:9], x)
    pairs = mixture(x, shown[9:])
    assert [i for i, _, _ in pairs] == list(range(9))
    j = torch.tensor([j for _, j, _ in pairs])
    assert torch.equal(j.sort().values, torch.arange(9)), "a permutation"
    (share, *others) = [share for _, _, share in pairs if share is not None]
    assert others == pytest.approx([share] * len(others), abs=1e-3), "one share a batch"
    assert 0.2 < share < 0.8

    soft = soften(labels, torch.full((9,), epsilon), 4)
    target = torch.cat([soft, share * soft + (1 - share) * soft[j]])
    twin = network()
    expected = F.cross_entropy(twin(shown), target)
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)
    expected.backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-3)


def test_shares_are_from_beta_and_from_the_generator_alone(network):
    x = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    ids, labels, model = torch.arange(2), torch.tensor([0, 1]), network().eval()
    method, generator = method_named("vanilla", 4, {"regmixup": 20.0}), torch.Generator()
    method.draw_from(lambda name: generator.manual_seed(0))
    state = torch.get_rng_state()
    for _ in range(400):
        list(method.losses(model, ids, x, labels))
    assert torch.equal(torch.get_rng_state(), state)
    shares = torch.stack([seen[3, 0, 0, 0] for seen in model.seen])
    shares = torch.minimum(shares, 1 - shares)[shares < 1]  # of those that are not with themselves
    assert 140 < len(shares) < 260
    assert kstest(shares.numpy(), lambda share: 2 * beta.cdf(share, 20, 20)).pvalue > 0.01
