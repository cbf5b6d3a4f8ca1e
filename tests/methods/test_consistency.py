"""AugMix's consistency loss against its formula in numpy."""

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from torch.nn import functional as F

from arcal.methods import method_named
from arcal.methods.augmix import jensen_shannon
from arcal.transforms.augmix import augmix


def divergence(*logits):
    """The Jensen-Shannon divergence of each row, averaged, in float64."""
    p = np.stack([softmax(one.detach().double().numpy(), axis=1) for one in logits])
    return float(np.mean(sum(rel_entr(one, p.mean(axis=0)).sum(axis=1) for one in p) / len(p)))


def test_the_divergence_is_its_formula():
    generator = torch.Generator().manual_seed(0)
    logits = [10 * torch.randn(20, 5, generator=generator) for _ in range(3)]
    assert float(jensen_shannon(*logits)) == pytest.approx(divergence(*logits), rel=1e-5)
    half = [one.bfloat16() for one in logits]
    assert jensen_shannon(*half).dtype == torch.float32
    sure = [
        torch.tensor([[500.0, 0, 0]]),
        torch.tensor([[0, 500.0, 0]]),
        torch.tensor([[0, 0, 1e4]]),
    ]
    for one in sure:
        one.requires_grad_()
    apart = jensen_shannon(*sure)
    assert apart.item() == pytest.approx(np.log(3), rel=1e-6)
    apart.backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in sure)
    masked = [F.pad(one.detach()[:, :2], (0, 1), value=-torch.inf) for one in logits]
    for one in masked:
        one.requires_grad_()
    less = jensen_shannon(*masked)
    assert less.item() == pytest.approx(divergence(*masked), rel=1e-5)
    less.backward()
    assert all(one.grad is not None and one.grad.isfinite().all() for one in masked)


@pytest.mark.parametrize("name", ["vanilla", "label-smoothing", "adals", "focal"])
def test_loss_and_gradient_are_the_method_s_and_12_times_the_divergence(name, batch, network):
    ids, x, labels = batch
    model, method = network(), method_named(name, 4, {"augmix": 12.0})
    torch.manual_seed(3)
    (loss,) = method.losses(model, ids, x, labels)
    loss.backward()
    torch.manual_seed(3)
    two = augmix(torch.cat([x, x]))
    (shown,) = model.seen
    assert torch.equal(shown, torch.cat([x, two])), "one pass, in which batch norm sees all"
    assert (two[:9] - two[9:]).abs().max() > 0.05, "each view is drawn by itself"

    twin = network()
    logits = twin(torch.cat([x, two])).split(9)
    p = [one.softmax(dim=1) for one in logits]
    mean = torch.stack(p).mean(dim=0)
    apart = torch.stack([(one * (one / mean).log()).sum(dim=1).mean() for one in p]).mean()
    expected = method_named(name, 4, {}).criterion(logits[0], ids, labels) + 12 * apart
    torch.testing.assert_close(loss, expected)
    assert 12 * apart.item() == pytest.approx(12 * divergence(*logits), rel=1e-3)
    expected.backward()
    for ours, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)
