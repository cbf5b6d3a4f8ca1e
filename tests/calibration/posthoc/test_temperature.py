from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from posthoc_examples import draw, energy_of
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from arcal.calibration import nll
from arcal.calibration.posthoc import POSTHOC, Temperature, check_posthoc, fit_temperature
from arcal.errors import ArcalError

pytestmark = pytest.mark.processor


def nll_at(z, labels, beta):
    """Of every inverse temperature in `beta`, by cross-entropy."""
    return torch.stack([F.cross_entropy(b * z, labels) for b in beta])


@st.composite
def problems(draw_):
    """Logits and labels with at least one error, and better than chance."""
    N, Z = draw_(st.integers(2, 12)), draw_(st.integers(2, 5))
    logit = st.integers(-80, 80).map(lambda n: n / 8)
    z = torch.tensor(draw_(st.lists(logit, min_size=N * Z, max_size=N * Z)), dtype=torch.float64)
    labels = draw_(st.lists(st.integers(0, Z - 1), min_size=N, max_size=N))
    return z.reshape(N, Z).log_softmax(1), torch.tensor(labels)


@settings(max_examples=60, deadline=None)
@given(problems())
@example((torch.tensor([[0.0, 4.125], [0.0, 4.125]]).double().log_softmax(1), torch.arange(2)))
def test_is_the_lowest_of_a_convex_function(problem):
    log_p, labels = problem
    try:
        T = fit_temperature(log_p, labels).T.item()
    except ArcalError:
        own = log_p.gather(1, labels[:, None])[:, 0]
        separated = bool((own == log_p.amax(1)).all())
        useless = bool((log_p.mean(1) - own).mean() >= -1e-12)  # or a tie, but for rounding
        assert separated or useless or len(labels.unique()) < 2
        return
    grid = torch.linspace(
        0, 2 / T, 101, dtype=torch.float64
    )  # of beta; the optimum is in its middle
    values = nll_at(log_p, labels, grid)
    assert (values.diff().diff() >= -1e-12).all(), "convex in beta"
    assert values.argmin() == 50 or values[50] <= values.min() + 1e-12
    assert (values.diff()[:50] <= 1e-12).all()
    assert (values.diff()[50:] >= -1e-12).all()


def test_is_the_optimum_of_a_fine_grid_and_of_scipy():
    log_p, labels = draw()
    T = fit_temperature(log_p, labels).T.item()
    grid = torch.linspace(1.5, 2.5, 2001, dtype=torch.float64)
    best = grid[nll_at(log_p, labels, 1 / grid).argmin()].item()
    assert pytest.approx(best, abs=2.5e-4) == T
    found: Any = minimize_scalar(
        lambda beta: F.cross_entropy(beta * log_p, labels).item(), (0.1, 1), tol=1e-12
    )
    assert pytest.approx(found.x, rel=1e-6) == 1 / T
    beta = torch.tensor(1 / T, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(F.cross_entropy(beta * log_p, labels), beta)
    assert abs(slope.item()) < 1e-9, "a real optimum: autograd's slope is zero"


class AsTheyAre(ClassifierMixin, BaseEstimator):
    """A classifier of scikit-learn's whose logits are its inputs."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X

    def predict(self, X):
        return X.argmax(1)


@pytest.mark.parametrize("T", [0.6, 4.0])
def test_is_scikit_learns_temperature(T):
    log_p, labels = draw(N=1000, T=T)
    z, y = log_p.numpy(), labels.numpy()
    options: dict[str, Any] = {"method": "temperature", "ensemble": False}
    peer = CalibratedClassifierCV(FrozenEstimator(AsTheyAre().fit(z, y)), **options).fit(z, y)
    ours = fit_temperature(log_p, labels)(log_p).exp().numpy()
    np.testing.assert_allclose(peer.predict_proba(z), ours, atol=2e-4)


@settings(max_examples=50, deadline=None)
@given(problems(), st.floats(0.05, 50))
def test_never_changes_a_prediction(problem, T):
    log_p, _ = problem  # multiples of 1/8: many ties
    assert torch.equal(Temperature(T)(log_p).argmax(1), log_p.argmax(1))


def test_is_a_softmax_over_t_and_one_leaves_it_alone():
    log_p, _ = draw()
    torch.testing.assert_close(Temperature(2.5)(log_p).exp(), (log_p / 2.5).softmax(1))
    torch.testing.assert_close(Temperature(1.0)(log_p), log_p)
    out = Temperature(2.5)(log_p.float())
    assert out.dtype == torch.float64
    torch.testing.assert_close(out.exp().sum(1), torch.ones(len(out), dtype=torch.float64))
    impossible = torch.tensor([[0.0, -torch.inf], [0.5, 0.5]]).softmax(1).log()
    assert Temperature(2.0)(impossible)[0].tolist() == [0, -torch.inf]


@pytest.mark.parametrize("fit", POSTHOC.values(), ids=POSTHOC)
def test_same_input_same_bits(fit):
    log_p, labels = draw(N=500)
    energy = energy_of(log_p)
    first, again = (
        fit(z, y, energy=energy)(log_p, energy=energy)
        for z, y in [(log_p, labels), (log_p.clone(), labels.int())]
    )
    assert torch.equal(first, again)
    assert first.dtype == torch.float64
    assert nll(first, labels) < nll(log_p, labels)


@pytest.mark.parametrize("fit", POSTHOC.values(), ids=POSTHOC)
def test_what_cannot_be_fitted_is_one_line(fit):
    log_p, labels = draw(N=100)
    energy = energy_of(log_p)
    bad = log_p.clone()
    bad[3, 1] = torch.nan
    with pytest.raises(ArcalError, match="is nan: leave out inputs"):
        fit(bad, labels, energy=energy)
    with pytest.raises(ArcalError, match="0 validation inputs"):
        fit(log_p[:0], labels[:0], energy=energy[:0])
    with pytest.raises(ArcalError, match="log-softmax"):
        fit(log_p.exp(), labels, energy=energy)
    with pytest.raises(ArcalError, match="one per input"):
        fit(log_p, labels[:-1], energy=energy)


SHARED = [name for name in POSTHOC if name not in ("vector", "dirichlet")]
"""Those whose map is the same for all classes, or begins with one temperature."""


@pytest.mark.parametrize("name", SHARED)
def test_an_underflow_is_one_line_and_a_masked_class_is_left_out(name):
    log_p, labels = draw(N=400)
    energy = energy_of(log_p)
    bad = log_p.clone()
    bad[3] = torch.tensor([0, *[-torch.inf] * 4])
    with pytest.raises(ArcalError, match="input 3 hold -inf"):
        POSTHOC[name](bad, labels, energy=energy)
    some = labels != 2
    masked = log_p[some].clone()
    masked[:, 2] = -torch.inf
    masked, energy = masked.log_softmax(1), energy[some]
    left = [0, 1, 3, 4]
    whole = POSTHOC[name](masked, labels[some], energy=energy)(masked, energy=energy)
    renumbered = labels[some] - (labels[some] > 2).long()
    alone = POSTHOC[name](masked[:, left], renumbered, energy=energy)
    without = alone(masked[:, left], energy=energy)
    torch.testing.assert_close(whole[:, left].exp(), without.exp(), rtol=0, atol=1e-4)
    assert whole[:, 2].isneginf().all()
    hidden = log_p.clone()
    hidden[:, 2] = -torch.inf
    row = int((labels == 2).nonzero()[0])
    with pytest.raises(ArcalError, match=f"label 2 of input {row} is of a class that is -inf"):
        POSTHOC[name](hidden.log_softmax(1), labels, energy=energy_of(log_p))


@pytest.mark.parametrize("name", ["vector", "dirichlet", "irova-ts"])
def test_a_map_of_each_class_needs_two(name):
    log_p, labels = draw(N=100)
    one = labels == 0
    with pytest.raises(ArcalError, match=r"fewer than two classes|no input is of class"):
        POSTHOC[name](log_p[one], labels[one])


def test_bfloat16_and_rounded_rows_are_taken():
    log_p, labels = draw(Z=10)
    T = fit_temperature(log_p, labels).T.item()
    assert pytest.approx(T, rel=0.02) == fit_temperature(log_p.bfloat16(), labels).T.item()
    with pytest.warns(UserWarning, match=r"rows .* do not sum to 1, by up to 0.00[45]"):
        rounded = fit_temperature((0.995 * log_p.exp()).log(), labels).T.item()
    assert pytest.approx(T, rel=1e-9) == rounded
    with pytest.raises(ArcalError, match="do not sum to 1"):
        fit_temperature((0.98 * log_p.exp()).log(), labels)


@pytest.mark.parametrize("name", ["temperature", "ets"])
def test_a_tie_of_two_classes_has_no_optimum(name):
    for apart in torch.linspace(0.1, 2, 50):  # whichever way its sums are rounded
        same = torch.tensor([[0, apart]]).double().log_softmax(1).expand(20, 2)
        with pytest.raises(ArcalError, match="no temperature is better than the uniform"):
            POSTHOC[name](same, torch.tensor([0, 1] * 10))


@pytest.mark.parametrize("name", ["temperature", "ets", "irova-ts"])
def test_no_optimum_is_said(name):
    log_p, _ = draw(N=100)
    with pytest.raises(ArcalError, match="all 100 validation inputs are classified correctly"):
        POSTHOC[name](log_p, log_p.argmax(1))
    with pytest.raises(ArcalError, match="no temperature is better than the uniform"):
        POSTHOC[name](log_p, log_p.argmin(1))
    constant = torch.zeros(6, 3).log_softmax(1)
    with pytest.raises(ArcalError, match="equally probable for each of 6 validation inputs"):
        POSTHOC[name](constant, torch.arange(6) % 3)
    ties = torch.tensor([[2.0, 2.0, 0.0]] * 4 + [[3.0, 0.0, 0.0]] * 2).log_softmax(1)
    with pytest.raises(ArcalError, match=r"4 of 6 validation inputs .* and the others are ties"):
        POSTHOC[name](ties, torch.tensor([0, 1, 1, 0, 0, 0]))
    with pytest.raises(ArcalError, match="'beta' is unknown: choose from temperature, ets, irm"):
        check_posthoc("beta")
    check_posthoc(name)
