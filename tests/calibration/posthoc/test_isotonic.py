import numpy as np
import pytest
import torch
from posthoc_examples import draw
from sklearn.isotonic import IsotonicRegression

from arcal.calibration import brier, class_wise_ece
from arcal.calibration.posthoc import fit_irm, fit_irova_ts, fit_temperature
from arcal.calibration.posthoc.isotonic import SLOPE, fit_isotonic
from arcal.errors import ArcalError


def peer(p, hit, at):
    """Isotonic regression by scikit-learn."""
    return IsotonicRegression(out_of_bounds="clip").fit(p, hit).predict(at)


@pytest.mark.parametrize("digits", [1, 2, 12])
def test_is_scikit_learns(digits):
    generator = np.random.default_rng(digits)
    p = generator.random(500).round(digits)  # with ties, unless there are many digits
    hit = generator.random(500) < p**2
    at = np.linspace(0, 1, 301)
    found = fit_isotonic(torch.tensor(p), torch.tensor(hit))
    np.testing.assert_allclose(found(torch.tensor(at)), peer(p, hit, at), atol=1e-12)
    assert (found.x.diff() > 0).all()
    assert (found.y.diff() >= 0).all()
    assert len(found.x) < 60, "only the ends of what is pooled are kept"


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
    T = fit_temperature(log_p, labels).T
    p, at = ((z / T).softmax(1).numpy() for z in (log_p, fresh))
    values = np.stack([peer(p[:, z], labels.numpy() == z, at[:, z]) for z in range(5)], 1)
    values += SLOPE * at
    found = fit_irova_ts(log_p, labels)(fresh).exp().numpy()
    np.testing.assert_allclose(found, values / values.sum(1, keepdims=True), rtol=1e-4, atol=1e-9)


def test_irm_keeps_the_order_of_classes_and_their_ties():
    log_p, labels = draw(N=300)
    fresh, _ = draw(N=2000, seed=1)
    fresh[::3, 1] = fresh[::3, 3]
    fresh = fresh.log_softmax(1)
    found = fit_irm(log_p, labels)(fresh)
    assert torch.equal(found.argmax(1), fresh.argmax(1))
    assert torch.equal(found[::3, 1], found[::3, 3])
    ranked = found.gather(1, fresh.argsort(1))
    assert (ranked.diff(dim=1) >= 0).all()
    assert found.isfinite().all()


@pytest.mark.parametrize("fit", [fit_irm, fit_irova_ts])
def test_calibrates_new_inputs(fit):
    calibrator = fit(*draw(N=10_000))
    fresh, labels = draw(N=10_000, seed=1)
    before, after = fresh.exp(), calibrator(fresh).exp()
    assert class_wise_ece(after, labels) < 0.4 * class_wise_ece(before, labels)
    assert brier(after, labels) < brier(before, labels)
    torch.testing.assert_close(after.sum(1), torch.ones(10_000, dtype=torch.float64))


def test_calibrated_predictions_stay_as_they_are():
    log_p, labels = draw(N=100_000, Z=3, T=1.0)
    moved = (fit_irm(log_p, labels)(log_p).exp() - log_p.exp()).abs()
    assert moved.mean() < 0.005
    assert moved.max() < 0.05


def test_one_vs_all_needs_every_class():
    log_p, labels = draw(N=100)
    with pytest.raises(ArcalError, match="no validation input is of class 2"):
        fit_irova_ts(log_p[labels != 2], labels[labels != 2])
    calibrator = fit_irova_ts(log_p, labels)
    with pytest.raises(ArcalError, match="have 3 classes, fitted were 5"):
        calibrator(log_p[:, :3].log_softmax(1))
