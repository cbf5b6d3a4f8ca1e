"""SMART, PTS and EBS: a temperature for each input. None has a package; closed forms hold them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from posthoc_examples import draw, energy_of
from scipy.optimize import minimize
from scipy.stats import norm
from torch import Tensor

from arcal.calibration import nll
from arcal.calibration.posthoc import (
    EnergyScaling,
    ParameterizedTemperature,
    Smart,
    fit_ebs,
    fit_pts,
    fit_smart,
    fit_temperature,
)
from arcal.calibration.posthoc.smart import logit_gap
from arcal.errors import ArcalError


def by_gap(N: int = 8000, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Labels drawn at a temperature that rises with the gap: sure predictions are too sure."""
    log_p, _ = draw(N=N, seed=seed)
    T = 1 + 3 * torch.sigmoid(logit_gap(log_p) - 3)
    truth = (log_p / T).log_softmax(1)
    labels = truth.exp().multinomial(1, generator=torch.Generator().manual_seed(seed + 1))[:, 0]
    return log_p, labels, truth


@pytest.mark.parametrize("fit", [fit_smart, fit_pts])
def test_a_temperature_that_depends_on_the_gap_is_found(fit):
    log_p, labels, _ = by_gap()
    fresh, its_labels, truth = by_gap(seed=7)
    one, found = fit_temperature(log_p, labels), fit(log_p, labels)
    assert nll(found(fresh), its_labels) < nll(one(fresh), its_labels) - 0.01
    assert nll(found(fresh), its_labels) < nll(truth, its_labels) + 0.005


def softplus(x):
    return np.log1p(np.exp(x))


def test_smart_is_its_formula():
    log_p, labels, _ = by_gap(N=500)
    found = fit_smart(log_p, labels)
    value = {name: tensor.numpy() for name, tensor in found.state_dict().items()}
    ordered = np.sort(log_p.numpy(), axis=1)
    g = (ordered[:, -1] - ordered[:, -2] - value["mean"]) / value["scale"]
    hidden = np.tanh(g[:, None] * value["weight_1"][:, 0] + value["bias_1"])
    T = softplus(hidden @ value["weight_2"][0] + value["bias_2"]) + 0.05 * softplus(value["bias_2"])
    expected = (log_p / torch.from_numpy(T)[:, None]).log_softmax(1)
    torch.testing.assert_close(found(log_p), expected)
    assert sum(v.numel() for k, v in found.state_dict().items() if k[0] in "wb") == 49
    assert (T > 0).all()


def test_pts_is_its_formula():
    log_p, labels = draw(N=300, Z=14)
    found = fit_pts(log_p, labels)
    value = {name: tensor.numpy() for name, tensor in found.state_dict().items()}
    largest = np.sort(log_p.numpy(), axis=1)[:, :-11:-1].clip(-50)
    hidden = (largest - value["mean"]) / value["scale"]
    for i in (1, 2):
        hidden = np.tanh(hidden @ value[f"weight_{i}"].T + value[f"bias_{i}"])
    T = softplus(hidden @ value["weight_3"].T + value["bias_3"]) + 0.05 * softplus(value["bias_3"])
    torch.testing.assert_close(found(log_p), (log_p / torch.from_numpy(T)).log_softmax(1))


def test_pts_sees_the_largest_ten_in_any_order():
    log_p, labels = draw(N=600, Z=14)
    found = fit_pts(log_p, labels)
    assert found.mean.shape == (10,)
    order = torch.randperm(14, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found(log_p[:, order]), found(log_p)[:, order])
    with pytest.raises(ArcalError, match="log_p has 9 classes, and it was fitted to 10 or more"):
        found(log_p[:, :9].log_softmax(1))


@pytest.mark.parametrize("kind", [Smart, ParameterizedTemperature])
def test_what_is_far_outside_has_a_temperature_in_bounds(kind):
    log_p, labels, _ = by_gap(N=1000)
    found = (fit_smart if kind is Smart else fit_pts)(log_p, labels)
    for scale in (0.0, 50.0):
        far = (scale * log_p).log_softmax(1)
        T = (far[:, :1] - far[:, 1:2]) / (found(far)[:, :1] - found(far)[:, 1:2])
        assert scale == 0 or (T.isfinite().all() and T.min() > 0.01 and T.max() < 100)
        assert torch.equal(found(far).argmax(1), far.argmax(1))


def by_energy(N: int = 6000, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs of high energy are right less often than their probabilities say."""
    log_p, _ = draw(N=N, seed=seed)
    generator = torch.Generator().manual_seed(seed + 2)
    energy = torch.randn(N, generator=generator, dtype=torch.float64)
    T = 1 + 3 * torch.sigmoid(4 * energy)
    q = (log_p / T[:, None]).softmax(1)
    return log_p, q.multinomial(1, generator=generator)[:, 0], energy


def test_ebs_is_its_formula_and_no_worse_than_scipys_optimum():
    log_p, labels, energy = by_energy()
    found = fit_ebs(log_p, labels, energy=energy)
    correct = (log_p.argmax(1) == labels).numpy()
    E = energy.numpy()
    T = fit_temperature(log_p, labels).T.item()
    right, wrong = (norm.pdf(E, *norm.fit(E[which])) for which in (correct, ~correct))

    def q(theta):
        each = np.maximum(T - theta[0] * right + theta[1] * wrong, 0.1 * T)
        return (log_p / torch.from_numpy(each)[:, None]).softmax(1)

    torch.testing.assert_close(found(log_p, energy=energy).exp(), q(found.theta.numpy()))
    target = F.one_hot(labels, 5)

    def squared_error(theta):
        return (q(theta) - target).square().sum(1).mean().item()

    peer = minimize(squared_error, (0.5, 0.5), method="Nelder-Mead", bounds=[(0, 20)] * 2)
    assert squared_error(found.theta.numpy()) <= peer.fun + 1e-5


def test_ebs_without_logits_is_one_line():
    log_p, labels = draw(N=200)
    with pytest.raises(ArcalError, match="needs logits; probabilities all have the same energy"):
        fit_ebs(log_p, labels, energy=-log_p.logsumexp(1))
    with pytest.raises(ArcalError, match="must have shape"):
        fit_ebs(torch.tensor(0.5), labels, energy=labels.float())
    far = EnergyScaling(2.0, (-5.0, -2.0), (1.0, 1.0), (100.0, 0.0))
    p = far(torch.tensor([[0.9, 0.1]]).log(), energy=torch.tensor([-5.0])).exp()
    assert p[0, 0].item() == pytest.approx(9**5 / (9**5 + 1), rel=1e-6), "T is .2 at the least"
    assert math.isclose(energy_of(log_p).max().item(), -1, abs_tol=0.1)
