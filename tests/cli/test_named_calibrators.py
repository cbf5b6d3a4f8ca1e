"""`arcal calibrate --calibrators FILE.py:NAME`: somebody's own calibrator beside arcal's."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from arcal.calibration.posthoc import CALIBRATORS, EVALUATED, POSTHOC
from arcal.classifiers import open_classifier
from arcal.store import load_calibrator
from tests.test_cli import arcal, succeeds

CODE = """
import torch
from arcal.calibration.posthoc import Calibrator, register

class Heated(Calibrator):
    kind = "heated"
    keeps_order = True

    def __init__(self, T):
        super().__init__(T=T)

    def calibrate(self, log_p):
        return (log_p / self.T).log_softmax(1)

    @classmethod
    def fit(cls, log_p, labels):
        sizes = torch.linspace(0.5, 5, 46).double()
        nll = torch.nn.functional.nll_loss
        return cls(min(sizes, key=lambda T: nll((log_p / T).log_softmax(1), labels)))

class Registered(Heated):
    kind = "registered"
    fit = None

def fit_registered(log_p, labels):
    return Registered(Heated.fit(log_p, labels).T)

register(Registered, fit_registered)

class Same(Heated):
    kind = "heated"

class Taken(Heated):
    kind = "temperature"

class Unfitted(Heated):
    kind = "unfitted"
    fit = None

class Failing(Heated):
    kind = "failing"
    @staticmethod
    def fit(log_p, labels):
        return 1 / 0

class Other(Heated):
    kind = "other"
    @staticmethod
    def fit(log_p, labels):
        return Heated(1.0)

class Refusing(Heated):
    kind = "refusing"
    @staticmethod
    def fit(log_p, labels):
        from arcal import ArcalError
        raise ArcalError("too few inputs")

class Breaking(Heated):
    kind = "breaking"
    def calibrate(self, log_p):
        return log_p[self.nothing]

number = 3

layer = torch.nn.Linear(16, 3)
net = torch.nn.Sequential(torch.nn.Flatten(), layer).eval()
layer.weight.data.copy_(20 * torch.randn(3, 16, generator=torch.Generator().manual_seed(0)))
layer.bias.data.zero_()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("mine.py").write_text(CODE)
    generator = torch.Generator().manual_seed(0)
    z = 4 * torch.randn(600, 3, generator=generator, dtype=torch.float64)
    labels = (z / 2.5).softmax(1).multinomial(1, generator=generator)[:, 0]
    np.savez("mine.npz", logits=z.numpy(), labels=labels.numpy())
    tables = POSTHOC, EVALUATED, CALIBRATORS
    before = [dict(table) for table in tables]
    yield
    for table, usual in zip(tables, before, strict=True):
        for kind in table.keys() - usual.keys():
            del table[kind]


@pytest.mark.parametrize("name", ["Heated", "Registered"])
def test_one_of_ones_own_is_compared_picked_saved_and_loaded(name):
    spec, kind = f"mine.py:{name}", name.lower()
    done = succeeds("calibrate", "mine.npz", "--calibrators", spec, "ets", "--json")
    figures = json.loads(done.stdout)
    assert [one["name"] for one in figures["calibrators"]] == [kind, "ets"]
    about = json.loads(Path("calibrated/calibration.json").read_text())
    assert about["facts"][f"Calibrator {kind}"].startswith(f"{spec}, of the code ")
    succeeds("calibrate", "mine.npz", "--calibrators", spec, "--apply", "mine.npz")
    calibrator = load_calibrator("calibrated/calibrator.safetensors")
    assert calibrator.kind == kind
    assert float(calibrator.get_buffer("T")) == pytest.approx(2.5, abs=0.5)
    assert Path("calibrated/calibrated.parquet").exists()


def data():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(800, 1, 4, 4, generator=generator)
    logits = open_classifier("mine.py:net").model(x)
    labels = (logits.detach() / 4).softmax(1).multinomial(1, generator=generator)
    np.savez("data.npz", images=(255 * x).round().byte().numpy(), labels=labels[:, 0].numpy())


def test_it_is_exported_inside_the_model():
    data()
    options = "--calibrators", "mine.py:Heated", "--export", "pt2", "safetensors"
    done = succeeds("calibrate", "mine.py:net", "data.npz", *options)
    assert "picked: heated, a calibrator of your own" in done.stdout
    calibrator = load_calibrator("calibrated/calibrator.safetensors")
    exported = open_classifier("calibrated/calibrated.pt2").model
    x = torch.rand(5, 1, 4, 4)
    with torch.no_grad():
        expected = calibrator(open_classifier("mine.py:net").model(x).log_softmax(1)).float()
        torch.testing.assert_close(exported(x), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ("mine.py:number", "mine.py:number is an int: name a subclass of"),
        ("mine.py:Taken", "mine.py:Taken: arcal has its own calibrator 'temperature'"),
        ("mine.py:Unfitted", "mine.py:Unfitted does not say how it is fitted: write"),
        ("mine.py:Heated mine.py:Same", "mine.py:Heated and mine.py:Same are both of the kind"),
        ("mine.py:Failing temperature", "fails while it was fitted or applied, in "),
        ("mine.py:Breaking", "AttributeError: 'Breaking' object has no attribute 'nothing'"),
        ("heated", "or name one of your own as FILE.py:NAME"),
    ],
)
def test_what_is_wrong_is_one_line(names, says):
    assert says in arcal("calibrate", "mine.npz", "--calibrators", *names.split()).line
