"""The confidence penalty and margin-based label smoothing against numpy, on every criterion."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from scipy.stats import entropy

from arcal.methods import AdaLS, method_named
from arcal.methods.penalties import margin_penalty, mean_entropy

LOGITS = 4 * torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
IDS, LABELS = torch.arange(12), torch.arange(12) % 5
EVERY = pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("vanilla", {}),
        ("ar-adals", {"R": 3, "order": "gradient"}),
    ],
)


def loss_of(name, settings):
    """The loss of the logits, which a model of one parameter gives, and its gradient to them."""
    method = method_named(name, 5, settings)
    if isinstance(method, AdaLS):
        method.assign("train", IDS, IDS % method.R)
        method.smoothing.soft_label.fill_(0.8)
    logits = LOGITS.clone().requires_grad_()
    (loss,) = method.losses(torch.nn.Identity(), IDS, logits, LABELS)
    (gradient,) = torch.autograd.grad(loss, logits)
    return loss.item(), gradient.numpy()


@EVERY
def test_the_confidence_penalty_is_entropy(name, settings):
    plain, gradient = loss_of(name, settings)
    found, penalised = loss_of(name, settings | {"entropy": 0.3})
    p = softmax(LOGITS.double().numpy(), axis=1)
    H = np.asarray(entropy(p, axis=1))
    assert found == pytest.approx(plain - 0.3 * H.mean(), rel=1e-5)
    # dH/dl_k = -p_k (log p_k + H)
    slope = -p * (np.log(p) + H[:, None])
    expected = gradient - 0.3 * slope / 12
    np.testing.assert_allclose(penalised, expected, atol=1e-6)


@EVERY
def test_mbls_penalises_what_is_beyond_the_margin(name, settings):
    plain, gradient = loss_of(name, settings)
    found, penalised = loss_of(name, settings | {"mbls": 6.0})
    logits = LOGITS.double().numpy()
    beyond = np.maximum(0, logits.max(axis=1, keepdims=True) - logits - 6)
    assert (beyond > 0).any()
    assert (beyond == 0).sum() > 12
    assert found == pytest.approx(plain + 0.1 * beyond.mean(), rel=1e-5)
    slope = -(beyond > 0).astype(float)
    slope[np.arange(12), logits.argmax(axis=1)] = (beyond > 0).sum(axis=1)
    expected = gradient + 0.1 * slope / 60
    np.testing.assert_allclose(penalised, expected, atol=1e-6)


def test_a_masked_class_is_at_no_distance():
    logits = torch.tensor([[9.0, 1.0, -torch.inf]], requires_grad=True)
    penalty = margin_penalty(logits, m=6.0)
    penalty.backward()
    assert penalty.item() == pytest.approx(2 / 3)
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([1 / 3, -1 / 3, 0])


def test_a_masked_class_has_no_share_of_the_entropy():
    logits = torch.tensor([[1.0, 0.0, -torch.inf]], requires_grad=True)
    entropy = mean_entropy(logits)
    entropy.backward()
    assert entropy.item() == pytest.approx(mean_entropy(logits[:, :2]).item())
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
