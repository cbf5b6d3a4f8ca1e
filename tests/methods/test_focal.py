"""Focal loss against numpy, and its gradient against the paper's."""

import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn

from arcal.errors import ArcalError
from arcal.methods import method_named

LOGITS = 3 * torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
IDS, LABELS = torch.arange(200), torch.arange(200) % 5


def focal(logits, labels, gamma):
    """The loss and its gradient to the logits, in float64; gamma is a number an example."""
    p = softmax(logits.double().numpy(), axis=1)
    p_y = p[np.arange(len(p)), labels.numpy()]
    loss = -((1 - p_y) ** gamma) * np.log(p_y)
    # By p_y, and dp_y/dl_k = p_y (1[k = y] - p_k)
    slope = gamma * (1 - p_y) ** (gamma - 1) * np.log(p_y) - (1 - p_y) ** gamma / p_y
    one_hot = np.eye(p.shape[1])[labels.numpy()]
    return loss.mean(), (slope * p_y)[:, None] * (one_hot - p) / len(p)


@pytest.mark.parametrize("gamma", [None, 0.0, 1.0, 2.5, 3.0])
def test_loss_and_gradient_are_the_formula_s(gamma):
    logits = LOGITS.clone().requires_grad_()
    settings = {} if gamma is None else {"gamma": gamma}
    (loss,) = method_named("focal", 5, settings).losses(nn.Identity(), IDS, logits, LABELS)
    loss.backward()
    p_y = softmax(LOGITS.double().numpy(), axis=1)[np.arange(200), LABELS.numpy()]
    assert 20 < (p_y < 0.2).sum() < 180, "both of FLSD-53's are there"
    by_probability = np.where(p_y < 0.2, 5.0, 3.0) if gamma is None else np.full(200, gamma)
    expected, gradient = focal(LOGITS, LABELS, by_probability)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert logits.grad is not None
    np.testing.assert_allclose(logits.grad.numpy(), gradient, atol=1e-6)


@pytest.mark.parametrize("gamma", [None, 0.0, 0.5, 1.0])
def test_what_is_certain_has_a_finite_gradient(gamma):
    logits = torch.tensor([[500.0, 0.0], [0.0, 500.0]], requires_grad=True)
    settings = {} if gamma is None else {"gamma": gamma}
    loss = method_named("focal", 2, settings).criterion(
        logits, torch.arange(2), torch.zeros(2).long()
    )
    loss.backward()
    assert loss.item() == pytest.approx(250)
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[1, 1] > 0.4


def test_it_is_in_float32_or_better_and_gamma_has_bounds(request):
    method = method_named("focal", 5, {})
    assert method.criterion(LOGITS.bfloat16(), IDS, LABELS).dtype == torch.float32
    request.getfixturevalue("float64_by_default")
    assert method.criterion(LOGITS, IDS, LABELS).dtype == torch.float32
    with pytest.raises(ArcalError, match=r"gamma is -1: it must be at least 0"):
        method_named("focal", 5, {"gamma": -1})
