import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from posthoc_examples import draw
from scipy.interpolate import CubicSpline
from scipy.optimize import minimize

from arcal.calibration.posthoc import Spline, fit_spline
from arcal.errors import ArcalError


def test_its_slope_is_that_of_the_least_squares_natural_spline():
    """Found anew by a general minimiser over the values at the knots."""
    log_p, labels = draw(N=300)
    found = fit_spline(log_p, labels)
    s, predicted = log_p.max(1)
    order = s.argsort()
    cumulative = (predicted == labels)[order].double().cumsum(0).numpy() / 300
    t, knots = np.arange(1, 301) / 300, np.linspace(0, 1, 6)

    def squares(values):
        h = CubicSpline(knots, [0, *values], bc_type="natural")
        return 1e4 * np.square(h(t) - cumulative).sum()

    best = minimize(squares, knots[1:], method="BFGS", options={"gtol": 1e-8})
    h = CubicSpline(knots, [0, *best.x], bc_type="natural")
    sure = s[order].exp().numpy()
    at = [int(np.abs(sure - x).argmin()) for x in found.x.numpy()]
    expected = h(t[at] - 0.5 / 300, 1).clip(0, 1)
    np.testing.assert_allclose(found.y.numpy(), expected, atol=2e-3)


def test_equal_scores_are_one_whatever_rounding_did():
    """Of votes, ten an input, of any of the classes: their sums are rounded in another order."""
    generator = torch.Generator().manual_seed(0)
    votes = torch.tensor([[7, 2, 1], [2, 7, 1], [1, 2, 7], [6, 3, 1], [1, 6, 3], [3, 1, 6]])
    votes = votes[torch.randint(6, (600,), generator=generator)].double()
    labels = votes.multinomial(1, generator=generator)[:, 0]
    log_p = (votes / 10).log()
    sure = fit_spline(log_p, labels)(log_p).exp().amax(1)
    for most in (6, 7):
        same = sure[votes.amax(1) == most]
        assert same.max() - same.min() < 1e-12


def test_all_right_has_an_optimum_and_few_inputs_have_none():
    log_p, _ = draw(N=100)
    sure = fit_spline(log_p, log_p.argmax(1))(log_p).exp().amax(1)
    assert sure.min() > 0.9
    with pytest.raises(ArcalError, match="8 validation inputs are too few for a spline of 6 knots"):
        fit_spline(log_p[:8], log_p[:8].argmax(1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-80, 80), min_size=12, max_size=12), st.floats(0, 1), st.floats(0, 1))
def test_never_changes_a_prediction(eighths, low, high):
    log_p = (torch.tensor(eighths, dtype=torch.float64) / 8).reshape(4, 3).log_softmax(1)
    spline = Spline(torch.tensor([0.3, 0.9]), torch.tensor([low, high]))
    for some in (log_p, log_p.float()):
        assert torch.equal(spline(some).argmax(1), log_p.argmax(1))
