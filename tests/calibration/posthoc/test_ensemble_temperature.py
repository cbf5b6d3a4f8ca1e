import numpy as np
import pytest
import torch
from posthoc_examples import draw
from scipy.optimize import minimize

from arcal.calibration import brier
from arcal.calibration.posthoc import (
    EnsembleTemperature,
    Temperature,
    fit_ensemble_temperature,
    fit_temperature,
)


def mixture(log_p, T, w):
    """The paper's formula, of probabilities."""
    z, p = log_p.numpy() / T, log_p.exp().numpy()
    tempered = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    return w[0] * tempered + w[1] * p + w[2] / p.shape[1]


def with_noise(share, seed=0, **more):
    """Some labels are drawn at random: no temperature says so, the uniform part does."""
    log_p, labels = draw(seed=seed, **more)
    generator = torch.Generator().manual_seed(seed + 1)
    noisy = torch.rand(len(labels), generator=generator) < share
    any_class = torch.randint(log_p.shape[1], labels.shape, generator=generator)
    return log_p, torch.where(noisy, any_class, labels)


@pytest.mark.parametrize(("share", "T", "seed"), [(0, 2.0, 0), (0.2, 0.7, 1), (0.3, 3.0, 2)])
def test_weights_are_the_optimum_of_scipy(share, T, seed):
    log_p, labels = with_noise(share, seed, N=800, T=T)
    found = fit_ensemble_temperature(log_p, labels)
    assert found.T.item() == pytest.approx(fit_temperature(log_p, labels).T.item())
    T, found_weights = found.T.item(), found.weights.numpy()
    target = np.eye(5)[labels]

    def squared_error(w):
        return np.square(mixture(log_p, T, w) - target).sum(1).mean()

    sums = {"type": "eq", "fun": lambda w: w.sum() - 1}
    peers = [
        minimize(squared_error, start, bounds=[(0, 1)] * 3, constraints=sums, tol=1e-14)
        for start in np.eye(3) * 0.7 + 0.1
    ]
    best = min(peers, key=lambda peer: peer.fun)
    assert squared_error(found_weights) <= best.fun + 1e-12
    np.testing.assert_allclose(found_weights, best.x, atol=2e-4)
    assert min(found_weights) >= 0
    assert sum(found_weights) == pytest.approx(1, abs=1e-15)
    assert squared_error(found_weights) == pytest.approx(brier(found(log_p).exp(), labels))


def test_is_the_mixture():
    log_p, _ = draw(N=200)
    w = (0.5, 0.3, 0.2)
    expected = mixture(log_p, 2.5, w)
    np.testing.assert_allclose(EnsembleTemperature(2.5, w)(log_p).exp(), expected, rtol=1e-12)
    only = EnsembleTemperature(2.5, (1.0, 0.0, 0.0))(log_p)
    torch.testing.assert_close(only, Temperature(2.5)(log_p), rtol=1e-12, atol=1e-12)
    impossible = torch.tensor([[0.0, -torch.inf]])
    assert EnsembleTemperature(2.0, w)(impossible).exp()[0].tolist() == [1, 0]
    masked = torch.tensor([[0.3, 0.1, -torch.inf]], requires_grad=True)
    EnsembleTemperature(2.5, (1.0, 0.0, 0.0))(masked.log_softmax(1))[0, 0].backward()
    assert masked.grad is not None
    assert masked.grad.isfinite().all()
