"""A calibrator that somebody else wrote, beside those of arcal."""

import pytest
import torch

import arcal
from arcal.auditing import as_predictions, calibrated
from arcal.calibration.posthoc import (
    CALIBRATORS,
    EVALUATED,
    POSTHOC,
    Calibrated,
    Calibrator,
    Temperature,
    fit_temperature,
    register,
)
from arcal.errors import ArcalError
from arcal.store import load_calibrator, save_calibrator


class Squeezed(Calibrator):
    """A temperature under another name."""

    kind = "squeezed"
    keeps_order = True
    T: torch.Tensor

    def __init__(self, T):
        super().__init__(T=T)

    def calibrate(self, log_p):
        return (log_p / self.T).log_softmax(1)


def fit_squeezed(log_p, labels, *, weights=None):
    return Squeezed(fit_temperature(log_p, labels, weights=weights).T)


@pytest.fixture
def registered():
    register(Squeezed, fit_squeezed)
    yield
    for table in (POSTHOC, EVALUATED, CALIBRATORS):
        table.pop("squeezed", None)


@pytest.fixture
def sure():
    """400 predictions of three classes, over-confident by a factor of 3."""
    draw = torch.Generator().manual_seed(0)
    z = torch.randn(400, 3, generator=draw)
    labels = torch.multinomial(z.softmax(1), 1, generator=draw)[:, 0]
    return as_predictions(logits=3 * z, labels=labels)


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("weights", [None, [1.0, 0.0, 2.0, 1.0] * 100])
def test_one_that_is_registered_is_compared_and_picked(sure, weights, tmp_path):
    names = ["squeezed", "temperature"]
    both = arcal.calibrate(sure, calibrators=names, weights=weights)
    mine, ours = (both.choice.candidates[name] for name in names)
    assert mine.nll.value == pytest.approx(ours.nll.value)
    assert both.choice.picked == "temperature"  # of equals the simplest, and others' come last
    alone = arcal.calibrate(sure, calibrators=["squeezed"], weights=weights)
    assert alone.choice.picked == "squeezed"
    assert "picked: squeezed, a calibrator of your own" in alone.summary(None)
    alone.save(tmp_path)
    found = load_calibrator(tmp_path / "calibrator.safetensors")
    assert isinstance(found, Squeezed)
    assert float(found.T) == pytest.approx(float(fit_squeezed_to(sure, weights)))


def fit_squeezed_to(sure, weights):
    return fit_temperature(sure.log_probabilities, sure.labels, weights=weights).T


def test_what_is_no_calibrator_of_ones_own_is_one_line():
    with pytest.raises(ArcalError, match="arcal has its own calibrator 'temperature'"):
        register(Temperature, fit_temperature)
    with pytest.raises(ArcalError, match="not a class with a kind"):
        register(Calibrator, fit_temperature)
    with pytest.raises(ArcalError, match="register it with"):
        save_calibrator(Squeezed(2.0), "squeezed.safetensors")


@pytest.mark.parametrize(
    ("returns", "says"),
    [
        (lambda log_p: 2 * log_p, r"their exponentials do not sum to 1: end with \.log_softmax"),
        (lambda log_p: log_p.exp(), "or take the logarithm of probabilities"),
        (lambda log_p: log_p + torch.nan, "did not return log-probabilities"),
        (lambda log_p: log_p[:, :1], r"returned \(400, 1\) for log-probabilities \(400, 3\)"),
        (lambda log_p: None, "returned <class 'NoneType'>"),
    ],
)
def test_what_is_no_log_probability_is_refused(sure, returns, says):
    class Wrong(Calibrator):
        kind = "wrong"

        def calibrate(self, log_p):
            return returns(log_p)

    with pytest.raises(ArcalError, match=says):
        calibrated(Wrong(), sure)
    with pytest.raises(ArcalError, match=says):
        Calibrated(torch.nn.Identity(), Wrong())(sure.logits[0])
