import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from posthoc_examples import draw
from sklearn.isotonic import IsotonicRegression

from arcal.calibration.posthoc import (
    MultiClassIsotonic,
    fit_irm,
    fit_irova_ts,
    fit_temperature,
)
from arcal.calibration.posthoc.isotonic import SLOPE, fit_isotonic, interpolate
from arcal.errors import ArcalError


def unweighted(p, hit):
    """What `fit_isotonic` takes."""
    return torch.tensor(p), torch.ones(len(p)), torch.tensor(p[hit]), torch.ones(int(hit.sum()))


def peer(p, hit, at):
    """Isotonic regression by scikit-learn."""
    return IsotonicRegression(out_of_bounds="clip").fit(p, hit).predict(at)


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_is_scikit_learns(digits):
    generator = np.random.default_rng(digits)
    p = generator.random(500).round(digits)  # with ties, unless there are many digits
    hit = generator.random(500) < p**2
    at = np.linspace(0, 1, 301)
    x, y = fit_isotonic(*unweighted(p, hit))
    values = interpolate(torch.tensor(at)[None], x[None], y[None])[0]
    np.testing.assert_allclose(values, peer(p, hit, at), atol=1e-12)
    assert (x.diff() > 0).all()
    assert (y.diff() >= 0).all()
    assert len(x) < 60, "only the ends of what is pooled are kept"


def test_equal_probabilities_are_one_point_whatever_rounding_did():
    """Of votes, ten an input; 0.5 has other first bits than what is just below it."""
    generator = np.random.default_rng(0)
    exact = generator.integers(1, 10, 3000) / 10
    p = exact * (1 + generator.integers(-4, 5, 3000) * 2.0**-52)
    hit = generator.random(3000) < exact**2
    x, y = fit_isotonic(*unweighted(p, hit))
    values = interpolate(torch.tensor(p)[None], x[None], y[None])[0]
    np.testing.assert_allclose(values, peer(exact, hit, exact), atol=1e-12)


@pytest.mark.parametrize("K", [1, 2, 9])
def test_interpolation_is_numpys(K):
    generator = np.random.default_rng(K)
    x, y = (np.sort(generator.random((3, K))) for _ in range(2))
    p = np.concatenate([x, generator.random((3, 200)), np.tile([0.0, 1.0], (3, 1))], axis=1)
    expected = np.stack([np.interp(*row) for row in zip(p, x, y, strict=True)])
    values = interpolate(*map(torch.tensor, (p, x, y)))
    np.testing.assert_allclose(values, expected, rtol=1e-13)
    padded = (np.concatenate([knots, knots[:, -1:]], axis=1) for knots in (x, y))
    again = interpolate(torch.tensor(p), *map(torch.tensor, padded))
    torch.testing.assert_close(again, values)  # a last knot that is repeated changes nothing


ascending = st.lists(st.floats(0, 1), min_size=1, max_size=6).map(sorted)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-80, 80), min_size=12, max_size=12), ascending, ascending)
def test_irm_never_changes_a_prediction(eighths, x, y):
    log_p = (torch.tensor(eighths, dtype=torch.float64) / 8).reshape(4, 3).log_softmax(1)
    K = min(len(x), len(y))
    knots = (torch.tensor(values[:K], dtype=torch.float64) for values in (x, y))
    assert torch.equal(MultiClassIsotonic(*knots)(log_p).argmax(1), log_p.argmax(1))


def test_irm_keeps_predictions_in_float32_too():
    """Its slope is lost there, and the first of two classes on a flat piece was predicted."""
    log_p, labels = draw(N=60)  # few, so that pieces are long
    fresh, _ = draw(N=20_000, seed=1)
    fresh = fresh.float().log_softmax(1)
    irm = fit_irm(log_p, labels)
    log_q = irm(fresh.double())
    assert (log_q.exp().sum(1) - 1).abs().max() < 1e-12
    assert torch.equal(log_q.float().argmax(1), fresh.argmax(1))
    assert torch.equal(irm.to(torch.float32)(fresh).argmax(1), fresh.argmax(1))
    alone = torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf, -torch.inf]])
    assert irm(alone).exp().tolist() == [[1, 0, 0, 0, 0]]


def test_irm_is_one_function_of_all_classes():
    log_p, labels = draw(N=400)
    fresh, _ = draw(N=300, seed=1)
    found = fit_irm(log_p, labels)(fresh).exp().numpy()
    p = log_p.exp().numpy().ravel()
    values = peer(p, np.eye(5)[labels].ravel(), fresh.exp().numpy().ravel()).reshape(300, 5)
    values += SLOPE * fresh.exp().numpy()
    np.testing.assert_allclose(found, values / values.sum(1, keepdims=True), rtol=1e-4, atol=1e-9)


def test_irova_ts_is_one_function_a_class_after_temperature():
    log_p, labels = draw(N=400)
    fresh, _ = draw(N=300, seed=1)
    T = fit_temperature(log_p, labels).T.item()
    p, at = ((z / T).softmax(1).numpy() for z in (log_p, fresh))
    values = np.stack([peer(p[:, z], labels.numpy() == z, at[:, z]) for z in range(5)], 1)
    values += SLOPE * at
    found = fit_irova_ts(log_p, labels)(fresh).exp().numpy()
    np.testing.assert_allclose(found, values / values.sum(1, keepdims=True), rtol=1e-4, atol=1e-9)


def test_one_vs_all_needs_every_class():
    log_p, labels = draw(N=100)
    with pytest.raises(ArcalError, match="no input is of class 2"):
        fit_irova_ts(log_p[labels != 2], labels[labels != 2])
    calibrator = fit_irova_ts(log_p, labels)
    with pytest.raises(ArcalError, match="has 3 classes, and it was fitted to 5"):
        calibrator(log_p[:, :3].log_softmax(1))
