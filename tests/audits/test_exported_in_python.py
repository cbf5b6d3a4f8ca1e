"""`Calibration.export`: the calibrated model from any form of data."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import as_predictions
from arcal.classifiers import open_classifier
from arcal.errors import ArcalError

X = torch.rand(400, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + 0.6 * torch.randn(400, generator=torch.Generator().manual_seed(1)) > 0.5).long()
TRIED = ["temperature"]


@pytest.fixture
def sure() -> nn.Module:
    model = nn.Linear(3, 2).eval()
    model.weight.data = torch.tensor([[-20.0, 0, 0], [20, 0, 0]])
    model.bias.data = torch.tensor([10.0, -10])
    return model


@pytest.mark.parametrize(
    "data",
    [
        (X, Y),
        (X.double().numpy(), Y.numpy()),
        DataLoader(TensorDataset(X, Y), 64),
        TensorDataset(X, Y),
        "read once",
    ],
)
def test_a_program_gives_the_probabilities_of_the_classifier(sure, data, tmp_path):
    read_once = isinstance(data, str)
    data = iter([(X, Y)]) if isinstance(data, str) else data
    calibration = arcal.calibrate(sure, data, calibrators=TRIED, classes=["no", "yes"])
    if read_once:
        with pytest.raises(ArcalError, match="cannot be read again: give a few of them as `x`"):
            calibration.export(tmp_path)
    x = X[:4].double().numpy() if read_once else None
    (path,) = calibration.export(tmp_path, x=x)
    program = torch.export.load(path).module()
    expected = calibration.classifier.probabilities(X[:50]).numpy()
    np.testing.assert_allclose(program(X[:50]).exp().numpy(), expected, atol=1e-6)
    assert open_classifier(str(path)).class_names == ("no", "yes")
    (weights,) = calibration.export(tmp_path / "more", ["safetensors"], x=x)
    assert weights.name == "calibrated.safetensors"


def test_what_cannot_be_exported_is_one_line(sure, tmp_path):
    p = X.softmax(1)[:, :2]
    calibrated = as_predictions(probabilities=p / p.sum(1, keepdim=True), labels=Y)
    with pytest.raises(ArcalError, match="there is no model, only its predictions"):
        arcal.calibrate(calibrated, calibrators=TRIED).export(tmp_path)
    function = arcal.calibrate(lambda x: sure(x), (X, Y), calibrators=TRIED)
    with pytest.raises(ArcalError, match="model is a function, and only a torch module can be ex"):
        function.export(tmp_path)
    flat = nn.Linear(3, 2).eval()
    flat.weight.data.zero_()
    as_it_is = arcal.calibrate(flat, (X, torch.arange(400) % 2), calibrators=TRIED)
    assert as_it_is.choice.picked is None
    with pytest.raises(ArcalError, match="no calibrator is picked, so there is nothing to export"):
        as_it_is.export(tmp_path)
    with pytest.raises(ArcalError, match=r"formats is the text 'pt2': give a list"):
        arcal.calibrate(sure, (X, Y), calibrators=TRIED).export(tmp_path, "pt2")
    assert not [*tmp_path.iterdir()]
