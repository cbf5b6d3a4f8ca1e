"""What users have on a device and what they have on the processor meet, on one that is pretended.

Without float64, as Apple's GPUs are, wherever that is the stricter of the two.
"""

from typing import Any

import pytest
import torch
from torch import nn

import arcal
from arcal.auditing import check_model
from arcal.calibration.posthoc import (
    EVALUATED,
    Calibrated,
    Dirichlet,
    Temperature,
    TemperatureByBatch,
    VectorScaling,
)
from arcal.errors import ArcalError
from arcal.robustness import score
from arcal.smoothing import AdaptiveLabelSmoothing, smooth_cross_entropy
from pretended_device import CPU, DEVICE, Pretended

X = torch.rand(40, 3, 4, 4, generator=torch.Generator().manual_seed(0))
IDS, LABELS = torch.arange(40), torch.arange(40) % 3
LOGITS = 3 * X.flatten(1)[:, :3]


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()


def there(*held: Any, float64: bool = False) -> Pretended:
    """On the device: these tensors, and those of these modules."""
    tensors = [one for one in held if isinstance(one, torch.Tensor)]
    modules = [one for one in held if isinstance(one, nn.Module)]
    tensors += [one for module in modules for one in (*module.parameters(), *module.buffers())]
    return Pretended(tensors, float64=float64)


def test_inputs_and_weights_on_two_devices_are_one_line():
    model = network()
    line = "inputs are on cpu and the model's weights on cuda:0: move one of them"
    with there(model):
        for order in ("attack", "margin"):
            with pytest.raises(ArcalError, match=line):
                score(model, [(IDS, X, LABELS)], order)
        with pytest.raises(ArcalError, match=line + ".*or pass its name as `device=`"):
            check_model(model, X)


def elsewhere(model: nn.Module) -> Any:
    """A function that takes inputs of the processor's, and answers on the device."""
    return lambda x: model(x.to(DEVICE))


def test_a_function_that_answers_on_another_device_is_audited_and_scored():
    model, expected = network(), arcal.audit(network(), (X, LABELS), order="gradient", R=2)
    with there(model):
        audit = arcal.audit(elsewhere(model), (X, LABELS), order="gradient", R=2)
        scores = score(elsewhere(model), [(IDS, X, LABELS)], "margin")
    inputs, found = expected.inputs(), audit.inputs()
    assert inputs["level"].equals(found["level"])
    for name in ("confidence", "robustness"):
        assert found[name].to_pylist() == pytest.approx(inputs[name].to_pylist(), rel=1e-4)
    here = score(network(), [(IDS, X, LABELS)], "margin").robustness
    torch.testing.assert_close(scores.robustness, here)


@pytest.mark.parametrize(
    "calibrator",
    [
        Temperature(2.0),
        VectorScaling(torch.ones(3).double(), torch.zeros(3).double()),
        Dirichlet(torch.eye(3).double(), torch.zeros(3).double()),
    ],
    ids=lambda one: one.kind,
)
def test_a_calibrated_classifier_runs_without_float64(calibrator):
    whole, x = Calibrated(network(), calibrator).to(torch.float32), X.clone()
    expected = whole(X)
    with there(whole, x):
        log_p = whole(x)
        assert log_p.device == DEVICE
        torch.testing.assert_close(log_p.cpu(), expected)
        with pytest.raises(ArcalError, match="pass a log-softmax"):
            whole.calibrator(x.flatten(1)[:, :3])


@pytest.mark.parametrize("float64", [True, False])
@pytest.mark.parametrize("kind", ["vector", "pts", TemperatureByBatch.kind])
def test_a_calibrated_classifier_moves_to_a_device_without_float64(kind, float64):
    log_p = LOGITS.log_softmax(1)
    whole, x = (
        Calibrated(nn.Identity(), EVALUATED[kind](log_p, LABELS, energy=None)),
        LOGITS.clone(),
    )
    expected = whole(LOGITS)
    with there(x, float64=float64):
        log_p = whole.to(DEVICE)(x)
        assert log_p.device == DEVICE
        assert log_p.dtype == (torch.float64 if float64 else torch.float32)
    torch.testing.assert_close(log_p.cpu(), expected, check_dtype=False, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("float64", [True, False])
@pytest.mark.parametrize("update", ["own", "joint"])
def test_soft_labels_move_with_a_module_that_has_them(update, float64):
    logits, ids = LOGITS.clone(), IDS.clone()
    confidence, correct = torch.linspace(0.4, 1, 40), LABELS == 0

    def losses(moved: bool) -> list[torch.Tensor]:
        whole = nn.ModuleDict({"loss": AdaptiveLabelSmoothing(3, 2, 0.1, update=update)})
        loss: Any = whole["loss"]
        loss.assign("train", ids, LABELS % 2)
        if moved:
            whole.to(DEVICE)
            assert loss.soft_label.device == loss.train_levels.ids.device
            assert loss.soft_label.device == (DEVICE if float64 else CPU)
        loss.assign("validation", IDS, LABELS % 2)
        gap = loss.update(confidence, correct, ids)
        assert gap.device == CPU, "a GPU adds in any order"
        return [loss(logits, LABELS, ids).cpu(), gap, loss.soft_label.cpu()]

    expected = losses(moved=False)
    with there(logits, ids, float64=float64):
        for mine, same in zip(losses(moved=True), expected, strict=True):
            torch.testing.assert_close(mine, same, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("epsilon", [[0.1] * 40, torch.full((40,), 0.1), 0.1])
def test_a_loss_takes_epsilon_weight_and_labels_from_the_processor(epsilon):
    weight, logits = torch.tensor([1.0, 2.0, 0.5]), LOGITS.clone()
    expected = smooth_cross_entropy(logits, LABELS, 0.1, weight)
    with there(logits):
        mine = smooth_cross_entropy(logits, LABELS, epsilon, weight)
        assert mine.device == DEVICE
    torch.testing.assert_close(mine, expected)
