"""Inputs on another scale than in training are suspected, and those on the same are not."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.auditing import suspect_scale

MEAN, DEVIATION = 0.45, 0.25


def images(N=200):
    generator = torch.Generator().manual_seed(0)
    return torch.rand(N, 3, 8, 8, generator=generator), torch.arange(N) % 2


@pytest.fixture
def trained():
    """A network whose batch norms have met normalised images; the second one comes first."""
    torch.manual_seed(0)

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.late = nn.BatchNorm2d(8)
            self.early = nn.BatchNorm2d(8, momentum=None)
            self.convolution = nn.Conv2d(3, 8, 3)
            self.dense = nn.Linear(8, 2)

        def forward(self, x):
            x = self.late(self.early(self.convolution(x)).relu())
            return self.dense(x.mean((2, 3)))

    network = Network()
    network((images()[0] - MEAN) / DEVIATION)
    return network.eval()


def test_inputs_that_are_not_normalised_as_in_training_are_suspected(trained):
    x, _ = images()
    good = (x - MEAN) / DEVIATION
    assert suspect_scale(trained, good) is None
    assert suspect_scale(trained, 1.5 * good) is None
    assert "0.25 times the deviation" in str(suspect_scale(trained, x))
    assert "4 times the deviation" in str(suspect_scale(trained, (good - MEAN) / DEVIATION))
    assert "64 times the deviation" in str(suspect_scale(trained, 255 * x))


def test_pixels_that_nobody_divided_are_suspected_where_no_batch_norm_tells():
    x, y = images()
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()
    said = "the images reach up to 255: if the model was trained on pixels in [0, 1], divide them"
    assert suspect_scale(model, x) is None
    assert said in str(suspect_scale(model, 255 * x.div(x.max())))
    assert suspect_scale(model, 255 * x, bounds=(0, 255)) is None
    assert suspect_scale(model, 255 * x, bounds=None) is None
    assert suspect_scale(model, (x - MEAN) / DEVIATION) is None, "normalised images"
    assert suspect_scale(model, 255 * x.flatten(1)) is None, "rows of a table"
    y = model(255 * x).argmax(1) ^ (y.roll(3) & (torch.arange(len(y)) % 3 == 0))
    doubts = arcal.calibrate(model, (255 * x.div(x.max()), y), calibrators=["temperature"]).doubts
    assert any(said in doubt for doubt in doubts)
    assert said in arcal.audit(model, (255 * x.div(x.max()), y), order=None).summary(None)


def test_nothing_is_said_where_nothing_was_kept(trained):
    x, _ = images()
    never = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(192, 2)).eval()
    assert suspect_scale(never, 2 * x) is None
    assert suspect_scale(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), 2 * x) is None
    assert suspect_scale(lambda x: trained(x), x) is None
    few = nn.BatchNorm1d(2)
    few(torch.randn(100, 2))
    assert suspect_scale(few.eval(), 50 * torch.randn(20, 2)) is None


@pytest.mark.parametrize("kind", ["pair", "loader"])
def test_an_audit_says_so(trained, kind):
    x, y = images(40)
    data = (x, y) if kind == "pair" else DataLoader(TensorDataset(x, y), batch_size=40)
    audit = arcal.audit(trained, data, order=None)
    (said,) = (line for line in audit.doubts if "batch norm" in line)
    assert said.startswith("model: the first batch norm sees 0.25 times the deviation")
    assert "0.25 times the deviation" in audit.summary(None)
