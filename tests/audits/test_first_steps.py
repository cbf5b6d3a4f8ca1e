"""What somebody new to the Python functions tries first."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import arcal
from arcal.auditing import as_predictions
from arcal.calibration.posthoc import Calibrated, Temperature
from arcal.errors import ArcalError
from arcal.store import load_calibrator

SURE = as_predictions(logits=[[3.0, 0.0]] * 400, labels=[0, 0, 0, 1] * 100)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_calibrated_classifier_takes_arrays(dtype):
    classifier = Calibrated(nn.Linear(3, 2), Temperature(2.0))
    x = np.random.default_rng(0).random((5, 3)).astype(dtype)
    expected = classifier.probabilities(torch.from_numpy(x).float())
    assert torch.equal(classifier.probabilities(x), expected)
    assert torch.equal(classifier.probabilities(torch.from_numpy(x)), expected)
    assert torch.equal(classifier(x).exp(), expected)


def test_the_probabilities_of_a_calibrated_classifier_are_numbers_and_its_output_has_gradients():
    classifier = Calibrated(nn.Linear(3, 2), Temperature(2.0))
    x = torch.rand(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    p, log_p = classifier.probabilities(x), classifier(x)
    assert not p.requires_grad
    np.testing.assert_array_equal(p.numpy(), log_p.exp().detach().numpy())
    log_p[:, 0].sum().backward()
    assert x.grad is not None
    assert x.grad.abs().min() > 0
    assert all(one.grad is not None for one in classifier.parameters())


def test_a_calibrator_is_read_from_the_folder_that_was_written(tmp_path):
    arcal.calibrate(SURE, calibrators=["temperature"]).save(tmp_path / "it")
    file = load_calibrator(tmp_path / "it" / "calibrator.safetensors")
    assert repr(load_calibrator(tmp_path / "it")) == repr(file)
    with pytest.raises(ArcalError, match=r"has no calibrator.safetensors, which is only"):
        load_calibrator(tmp_path)


def test_an_audit_is_written_to_the_folder_of_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audit = arcal.audit(SURE)
    assert audit.save() == Path("audit")
    assert audit.report() == Path("audit", "index.html")
    assert Path("audit", "index.html").exists()
