"""A classifier with its calibrator, as it is and exported."""

import copy

import pytest
import torch
from posthoc_examples import draw, energy_of
from torch import nn
from torch.export import Dim, export, load, save

from arcal.calibration import average
from arcal.calibration.posthoc import POSTHOC, Calibrated, Calibrator, Temperature
from arcal.errors import ArcalError
from arcal.networks import build

FAST = ("temperature", "irova-ts")
"""A number and a step function."""


@pytest.fixture(scope="module")
def model():
    generator = torch.Generator().manual_seed(0)
    return build("small", classes=5, shape=(3, 16, 16), generator=generator).eval()


def images(N: int) -> torch.Tensor:
    return torch.rand(N, 3, 16, 16, generator=torch.Generator().manual_seed(N))


def reloaded(classifier: Calibrated, path) -> nn.Module:
    """Exported for any number of inputs, saved and loaded."""
    shapes = {"x": {0: Dim("inputs")}}
    save(export(classifier, (images(4),), dynamic_shapes=shapes), path)
    return load(path).module()


def fitted(kind: str) -> Calibrator:
    log_p, labels = draw(N=500)
    return POSTHOC[kind](log_p, labels, energy=energy_of(log_p))


@pytest.mark.parametrize("kind", POSTHOC)
def test_is_the_calibrator_of_the_models_predictions(kind, model):
    calibrator = fitted(kind)
    with torch.no_grad():
        log_p, logits = Calibrated(model, calibrator)(images(7)), model(images(7))
        energy = -logits.double().logsumexp(1)
        expected = calibrator(average(logits[None]), energy=energy)
        torch.testing.assert_close(log_p, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "kind",
    [pytest.param(one, marks=() if one in FAST else pytest.mark.slow) for one in POSTHOC],
)
def test_exported_it_gives_the_same_probabilities(kind, model, tmp_path):
    classifier = Calibrated(model, fitted(kind)).eval()
    program = reloaded(classifier, tmp_path / "calibrated.pt2")
    for N in (1, 2, 9):
        with torch.no_grad():
            expected, log_p = classifier(images(N)), program(images(N))
        assert log_p.dtype == torch.float64
        torch.testing.assert_close(log_p.exp(), expected.exp(), rtol=0, atol=1e-6)
    assert program(images(1) * torch.nan).isnan().all(), "nan is not checked, and stays nan"


def test_gradients_flow_to_the_inputs_and_the_model_alone(model):
    classifier, by_hand = Calibrated(copy.deepcopy(model), Temperature(2.0)), copy.deepcopy(model)
    x, its_x = images(3).requires_grad_(), images(3).requires_grad_()
    classifier(x)[:, 0].sum().backward()
    (by_hand(its_x).double() / 2).log_softmax(1)[:, 0].sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, its_x.grad, rtol=1e-4, atol=1e-7)
    for parameter, its in zip(classifier.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, its.grad, rtol=1e-4, atol=1e-6)


class Wrapped(nn.Module):
    """Returns no logits but a dictionary."""

    def forward(self, x):
        return {"logits": x}


def test_what_is_no_classifier_is_one_line():
    with pytest.raises(ArcalError, match=r"returns shape \(2, 3, 16, 16\): wrap it"):
        Calibrated(nn.Identity(), Temperature(2.0))(images(2))
    with pytest.raises(ArcalError, match="returns dict: wrap it"):
        Calibrated(Wrapped(), Temperature(2.0))(images(2))


def test_probabilities_of_a_model_are_not_taken_for_logits(model):
    returns_probabilities = nn.Sequential(model, nn.Softmax(dim=1))
    classifier = Calibrated(returns_probabilities, Temperature(2.0)).eval()
    with pytest.raises(ArcalError, match="so these are probabilities: give what comes before"):
        classifier(images(8))
    by_chance = torch.tensor([[0.25, 0.75]])  # one row of logits may sum to 1
    assert Calibrated(nn.Identity(), Temperature(2.0))(by_chance).shape == (1, 2)
