from itertools import islice

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from posthoc_examples import draw
from scipy.optimize import minimize_scalar

from arcal.calibration import average, confidence_and_correct, ece, nll
from arcal.calibration.posthoc import POSTHOC, Temperature, check_posthoc, fit_temperature
from arcal.data.parquet import LABEL, decode, encoded_images, integers
from arcal.errors import ArcalError
from benchmarks.networks import resnet20


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
def test_is_the_lowest_of_a_convex_function(problem):
    log_p, labels = problem
    try:
        T = fit_temperature(log_p, labels).T.item()
    except ArcalError:
        own = log_p.gather(1, labels[:, None])[:, 0]
        separated = bool((own == log_p.amax(1)).all())
        useless = bool((log_p.mean(1) - own).mean() >= 0)
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
    found = minimize_scalar(
        lambda beta: F.cross_entropy(beta * log_p, labels).item(), (0.1, 1), tol=1e-12
    )
    assert pytest.approx(found.x, rel=1e-6) == 1 / T
    beta = torch.tensor(1 / T, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(F.cross_entropy(beta * log_p, labels), beta)
    assert abs(slope.item()) < 1e-9, "a real optimum: autograd's slope is zero"


def test_finds_the_temperature_that_labels_were_drawn_at():
    assert pytest.approx(2, abs=0.05) == fit_temperature(*draw(N=50_000, T=2.0)).T.item()
    assert pytest.approx(1, abs=0.03) == fit_temperature(*draw(N=50_000, T=1.0)).T.item()


@pytest.mark.parametrize("s", [1e-3, 0.5, 3.0, 1e4])
def test_logits_scaled_by_s_have_s_times_the_temperature(s):
    log_p, labels = draw()
    T = fit_temperature(log_p, labels).T.item()
    scaled = fit_temperature((s * log_p).log_softmax(1), labels)
    assert pytest.approx(s * T, rel=1e-7) == scaled.T.item()
    torch.testing.assert_close(
        scaled((s * log_p).log_softmax(1)), Temperature(T)(log_p), rtol=1e-6, atol=1e-6
    )


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
    first, again = fit(log_p, labels)(log_p), fit(log_p.clone(), labels.int())(log_p)
    assert torch.equal(first, again)
    assert first.dtype == torch.float64
    assert nll(first, labels) < nll(log_p, labels)


@pytest.mark.parametrize("fit", POSTHOC.values(), ids=POSTHOC)
def test_what_cannot_be_fitted_is_one_line(fit):
    log_p, labels = draw(N=100)
    bad = log_p.clone()
    bad[3, 1] = torch.nan
    with pytest.raises(ArcalError, match="found nan at"):
        fit(bad, labels)
    bad[3] = torch.tensor([0, *[-torch.inf] * 4])
    with pytest.raises(ArcalError, match="input 3 hold -inf"):
        fit(bad, labels)
    with pytest.raises(ArcalError, match="fewer than two classes"):
        fit(log_p, torch.zeros(100, dtype=torch.int64))
    with pytest.raises(ArcalError, match="0 validation inputs"):
        fit(log_p[:0], labels[:0])
    with pytest.raises(ArcalError, match="log-softmax"):
        fit(log_p.exp(), labels)
    with pytest.raises(ArcalError, match="one per input"):
        fit(log_p, labels[:-1])


@pytest.mark.parametrize("name", ["temperature", "ets", "irova-ts"])
def test_no_optimum_is_said(name):
    log_p, _ = draw(N=100)
    with pytest.raises(ArcalError, match="all 100 validation inputs are classified correctly"):
        POSTHOC[name](log_p, log_p.argmax(1))
    with pytest.raises(ArcalError, match="no temperature is better than the uniform"):
        POSTHOC[name](log_p, log_p.argmin(1))
    with pytest.raises(ArcalError, match="'beta' is unknown: choose from temperature, ets, irm"):
        check_posthoc("beta")
    check_posthoc(name)


def test_of_an_ensemble_the_average_is_calibrated():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(3, 1000, 4, generator=generator)
    p = logits.softmax(2).mean(0)
    labels = torch.where(torch.rand(1000, generator=generator) < 0.6, p.argmax(1), 0)
    T = fit_temperature(average(logits), labels).T.item()
    grid = torch.linspace(0.5 * T, 1.5 * T, 1001)
    assert 400 < nll_at(p.log(), labels, 1 / grid).argmin() < 600


def test_on_a_network_the_copied_recipe_stops_short(shared):
    """Fitted on half of 500 CIFAR-10 test images, since the network was trained on the others.

    Over all 10,000, fitted on one half, the ECE of the other falls from .051 to .011, and from .055
    to .012 the other way round.
    """
    file, N = shared / "data" / "cifar10-test.parquet", 500
    images = [decode(file, row, data) for row, data in enumerate(islice(encoded_images(file), N))]
    pixels = torch.from_numpy(np.stack(images))
    labels = integers(file, LABEL)[:N]
    model = resnet20(shared / "models" / "cifar10-resnet20.safetensors")
    with torch.no_grad():
        logits = torch.cat([model(some / 255) for some in pixels.split(50)])
    (z, rest), (labels, its_labels) = logits.double().log_softmax(1).chunk(2), labels.chunk(2)
    fitted = fit_temperature(z, labels)
    grid = torch.arange(1.5, 4, 0.002, dtype=torch.float64)
    best = grid[nll_at(z, labels, 1 / grid).argmin()].item()
    assert pytest.approx(best, abs=1.1e-3) == fitted.T.item()

    copied = torch.nn.Parameter(torch.tensor(1.5))
    optimizer = torch.optim.LBFGS([copied], lr=0.01, max_iter=50)

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(logits[: N // 2] / copied, labels)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert copied.item() < best - 0.3

    before, after = (
        ece(*confidence_and_correct(p.exp(), its_labels)) for p in (rest, fitted(rest))
    )
    assert after < before / 1.5
    assert torch.equal(fitted(rest).argmax(1), rest.argmax(1))
