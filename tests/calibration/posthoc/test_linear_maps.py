"""Vector scaling and Dirichlet calibration, against scikit-learn and against their own optimum."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from posthoc_examples import draw
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from arcal.calibration import nll
from arcal.calibration.posthoc import (
    Dirichlet,
    fit_dirichlet,
    fit_vector,
)
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor


def skewed(N: int = 3000, seed: int = 0):
    """Labels drawn from a known Dirichlet map of the predictions."""
    log_p, _ = draw(N=N, Z=3, seed=seed)
    W = torch.tensor([[0.6, 0.0, 0.2], [0.0, 0.4, 0.0], [0.1, 0.0, 0.8]], dtype=torch.float64)
    b = torch.tensor([0.5, 0.0, -0.5], dtype=torch.float64)
    truth = Dirichlet(W, b)(log_p)
    labels = truth.exp().multinomial(1, generator=torch.Generator().manual_seed(seed + 1))[:, 0]
    return log_p, labels, truth


def test_dirichlet_is_sklearns_multinomial_regression_of_log_probabilities():
    """Without a penalty both are the same convex problem."""
    log_p, labels, _ = skewed()
    ours = fit_dirichlet(log_p, labels, strength=1e-10)(log_p).exp().numpy()
    peer = LogisticRegression(C=1e9, max_iter=5000, tol=1e-10).fit(log_p.numpy(), labels.numpy())
    np.testing.assert_allclose(ours, peer.predict_proba(log_p.numpy()), atol=2e-5)


@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_dirichlet_is_the_optimum_of_its_objective(strength):
    log_p, labels, _ = skewed(N=500)
    found = fit_dirichlet(log_p, labels, strength=strength)

    def objective(flat):
        W, b = flat[:9].reshape(3, 3), flat[9:]
        z = log_p.clamp(min=-50).numpy() @ W.T + b
        loss = np.log(np.exp(z).sum(1)) - z[np.arange(500), labels]
        odir = (W**2).sum() - (np.diag(W) ** 2).sum()
        return loss.mean() + strength * (odir / 6 + (b**2).sum() / 3)

    own = np.concatenate([found.W.numpy().ravel(), found.b.numpy()])
    peer = minimize(objective, np.concatenate([np.eye(3).ravel(), np.zeros(3)]), method="BFGS")
    assert objective(own) <= peer.fun + 1e-9
    np.testing.assert_allclose(own[9:] - own[9:].mean(), peer.x[9:] - peer.x[9:].mean(), atol=1e-3)


def test_vector_is_the_optimum_of_its_objective():
    log_p, labels, _ = skewed(N=500)
    found = fit_vector(log_p, labels)

    def objective(flat):
        w, b = torch.from_numpy(flat[:3]), torch.from_numpy(flat[3:])
        loss = F.cross_entropy(w * log_p.clamp(min=-50) + b, labels, reduction="sum")
        return (loss + ((w - w.mean()).square().sum() + b.square().sum()) / 2).item()

    own = np.concatenate([found.w.numpy(), found.b.numpy()])
    peer = minimize(objective, np.concatenate([np.ones(3), np.zeros(3)]), method="BFGS")
    assert objective(own) <= peer.fun + 1e-6
    np.testing.assert_allclose(own, peer.x, atol=2e-3)


def test_a_class_without_inputs_has_finite_values():
    log_p, labels = draw(N=500)
    some = labels != 4
    for fit in (fit_vector, fit_dirichlet):
        found = fit(log_p[some], labels[some])
        assert all(value.isfinite().all() for value in found.buffers())
        assert found(log_p)[:, 4].exp().mean() < log_p[:, 4].exp().mean()


@pytest.mark.parametrize("fit", [fit_vector, fit_dirichlet])
def test_a_masked_class_changes_nothing_for_the_others(fit):
    log_p, labels = draw(N=200, Z=4)
    masked = log_p[:, [0, 0, 1, 2, 3]].clone()
    masked[:, 1] = -torch.inf
    calibrated = fit(masked, labels + (labels > 0))(masked)
    assert calibrated[:, 1].isneginf().all()
    others = calibrated[:, [0, 2, 3, 4]].exp()
    torch.testing.assert_close(others, fit(log_p, labels)(log_p).exp(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("fit", [fit_vector, fit_dirichlet])
def test_a_label_that_cannot_be_is_one_line(fit):
    log_p, labels = draw(N=100)
    log_p[7, labels[7]] = -torch.inf
    with pytest.raises(ArcalError, match=f"the label {labels[7]} of input 7 has a log-probability"):
        fit(log_p.log_softmax(1), labels)


@pytest.mark.parametrize("fit", [fit_vector, fit_dirichlet])
def test_inputs_of_one_class_are_counted_as_they_were_given(fit):
    log_p, _ = draw(N=9)
    with pytest.raises(ArcalError, match="9 validation inputs of fewer than two classes"):
        fit(log_p.log_softmax(1), torch.ones(9, dtype=torch.int64))


def test_dirichlet_is_fitted_where_most_classes_have_no_inputs():
    """The objective's matrix of second derivatives is singular there."""
    logits = torch.tensor(
        [
            [-1, 0, -2, -6, 1, -6],
            [0, 0, 1, -11, 4, -8],
            [0, 2, -6, -10, 2, -6],
            [-1, 3, -3, -10, 3, -5],
            [0, 4, -1, -12, 4, -9],
            [-2, 1, -1, -7, 3, -7],
        ]
    )
    log_p, labels = logits.double().log_softmax(1), torch.tensor([4, 4, 4, 1, 1, 4])
    found = fit_dirichlet(log_p, labels)
    assert nll(found(log_p), labels) < nll(log_p, labels)
