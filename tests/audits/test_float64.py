"""Inputs in float64, as NumPy has them, are what a model of float32 is given in float32."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import check_model
from arcal.errors import ArcalError

X = np.random.default_rng(0).random((60, 5))
Y = np.arange(60) % 2


def network(dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2)).to(dtype).eval()


def of_numpy(x):
    """A function as around a classifier of scikit-learn."""
    return torch.tensor(x.numpy() @ np.eye(5, 2)).to(x.dtype)


def as_given(kind: str, x: np.ndarray):
    data = torch.from_numpy(x), torch.from_numpy(Y[: len(x)])
    if kind == "arrays":
        return x, Y[: len(x)]
    return data if kind == "tensors" else DataLoader(TensorDataset(*data), batch_size=16)


@pytest.mark.parametrize("kind", ["arrays", "tensors", "loader"])
def test_they_are_audited_calibrated_and_scored_as_the_same_in_float32(kind):
    net, figures = network(), []
    for x in (X, X.astype(np.float32)):
        data, other = as_given(kind, x), {"new": as_given(kind, x[:30])}
        more = {"validation": as_given(kind, x[:40]), "other": other}
        audit = arcal.audit(net, data, order="gradient", **more)
        unlabelled = x if kind == "arrays" else data
        calibration = arcal.calibrate(net, data, unlabelled=unlabelled, calibrators=["temperature"])
        scores = arcal.score(net, as_given(kind, x[:10])).robustness.tolist()
        figures.append((audit.figures(), calibration.figures(), scores))
    assert figures[0] == figures[1]


def test_a_function_takes_them_as_they_are():
    net = network(torch.float64)
    assert arcal.audit(lambda x: net(x), (X, Y), order=None).models[0].overall.n == 60
    assert arcal.audit(of_numpy, (X, Y), bounds=None, order="margin").models[0].levels
    assert arcal.calibrate(of_numpy, (X, Y), calibrators=["temperature"]).choice.inputs == 60
    assert len(arcal.score(of_numpy, (X, Y), "margin").ids) == 60


def test_of_one_input_a_distance_takes_them():
    assert arcal.distance(network(), X[0]) == arcal.distance(network(), X[0].astype(np.float32))


def test_other_dtypes_are_refused_as_before():
    with pytest.raises(ArcalError, match=r"the inputs are torch.float32 and .* torch.float64"):
        arcal.audit(network(torch.float64), (X.astype(np.float32), Y))
    with pytest.raises(ArcalError, match=r"float16"):
        arcal.audit(network(), (X.astype(np.float16), Y))
    with pytest.raises(ArcalError, match=r"the inputs are torch.float64 and .* torch.float32"):
        check_model(network(), torch.from_numpy(X))
