"""Noise on the inputs: its distribution, and that it is all that changes."""

import pytest
import torch
from scipy.stats import kstest, norm
from torch.nn import functional as F

from arcal.methods import method_named
from arcal.methods.noise import noisy


def test_strengths_are_uniform_and_noise_is_gaussian():
    grey = torch.full((500, 3, 16, 16), 0.5)
    noise = (noisy(grey, 0.1, torch.Generator().manual_seed(0)) - grey).flatten(1)
    sigma = noise.std(dim=1)
    assert kstest(sigma.numpy(), "uniform", args=(0, 0.1)).pvalue > 0.01
    scaled = (noise / sigma[:, None]).flatten()[::50]
    assert kstest(scaled.numpy(), norm.cdf).pvalue > 0.01
    assert noise.mean().abs() < 1e-3


def test_a_seed_draws_the_same_whatever_the_default_dtype(request):
    x = torch.full((4, 3, 8, 8), 0.5)
    expected = noisy(x, 0.1, torch.Generator().manual_seed(0))
    request.getfixturevalue("float64_by_default")
    assert torch.equal(noisy(x, 0.1, torch.Generator().manual_seed(0)), expected)


def test_a_named_generator_decides_the_draws(batch, network):
    ids, x, labels = batch
    method, losses = method_named("vanilla", 4, {"noise": 0.3}), []
    state = torch.get_rng_state()
    model = network()
    torch.set_rng_state(state)
    for seed in (1, 2, 1):
        method.draw_from(lambda name, seed=seed: torch.Generator().manual_seed(seed + len(name)))
        (loss,) = method.losses(model, ids, x, labels)
        losses.append(loss.item())
    assert losses[0] == losses[2] != losses[1]
    assert torch.equal(torch.get_rng_state(), state), "nothing else is drawn from"


def test_the_loss_is_the_method_s_at_the_noisy_images(batch, network):
    ids, x, labels = batch
    for name in ("vanilla", "ccat"):
        model, method = network(), method_named(name, 4, {"noise": 0.3})
        torch.manual_seed(5)
        (loss,) = method.losses(model, ids, x, labels)
        torch.manual_seed(5)
        by_hand = noisy(x, 0.3)
        assert (by_hand - x).abs().max() > 0.05
        if name == "vanilla":
            assert torch.equal(model.seen[0], by_hand)
            expected = F.cross_entropy(network()(by_hand), labels)
        else:
            expected = method_named(name, 4, {}).loss(network(), ids, by_hand, labels)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
