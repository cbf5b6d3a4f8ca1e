"""Inputs of several tensors, of which an attack cannot choose one, and their calibrated model."""

import pytest
import torch
from torch import nn

import arcal
from arcal.auditing import as_model
from arcal.calibration.posthoc import Calibrated, Temperature
from arcal.classifiers import export_calibrated, open_classifier
from arcal.errors import ArcalError


class Graph(nn.Module):
    """Node features `(N, 5, 3)` and the adjacency `(N, 5, 5)`, both of floats."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 2)

    def forward(self, x, adjacency):
        return self.layer(adjacency @ x).mean(dim=1)


@pytest.fixture
def graphs():
    torch.manual_seed(1)
    x, adjacency = torch.randn(60, 5, 3), torch.rand(60, 5, 5).round()
    return (x, adjacency), torch.arange(60) % 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", ["margin", "confidence", "random"])
def test_orders_that_only_run_the_model_take_two_tensors_of_floats(graphs, order, dtype):
    x, labels = tuple(part.to(dtype) for part in graphs[0]), graphs[1]
    network = Graph().to(dtype).eval()
    scores = arcal.score(as_model(network), [(x, labels)], order)
    for data in ((x, labels), [(x, labels)]) if order == "margin" else ():
        audit = arcal.audit(network, data, order=order)
        assert len(audit.models[0].levels or ()) == 10
    if order == "margin":
        top = network(*x).topk(2).values
        assert torch.allclose(scores.robustness, (top[:, 0] - top[:, 1]).float())


@pytest.mark.parametrize("listed", [False, True])
def test_an_attack_on_two_tensors_of_floats_says_how_to_name_one(graphs, listed):
    with pytest.raises(ArcalError, match=r"arcal\.attacks\.Inputs.*or choose the order margin"):
        arcal.audit(Graph().eval(), [graphs] if listed else graphs)


@pytest.mark.parametrize("named", [False, True])
def test_a_calibrated_copy_of_several_inputs_is_a_model_again(graphs, named, tmp_path):
    x, labels = graphs
    parts = {"adjacency": x[1], "x": x[0]} if named else x
    classifier = Calibrated(as_model(Graph().eval()), Temperature(2.0))
    (path,) = export_calibrated(classifier, parts, tmp_path, ["pt2"])
    for model in (open_classifier(str(path)).model, torch.export.load(path)):
        audit = arcal.audit(model, (parts, labels), order="margin")
        expected = classifier.probabilities(parts)
        given = audit.models[0].predictions.log_probabilities.exp()
        assert torch.allclose(given, expected.to(given), atol=1e-6)


def test_a_value_that_the_model_does_not_know_is_one_line():
    model = nn.Sequential(nn.Embedding(9, 2), nn.Flatten(), nn.Linear(4, 2)).eval()
    x = torch.arange(200).reshape(100, 2) % 9
    x[50, 1] = 9
    with pytest.raises(ArcalError, match=r"ids 0 to 99: .*look for values that it does not know"):
        arcal.audit(model, (x, torch.arange(100) % 2), order="margin")
