"""Which classifiers in code may change while their code and their tensors stay the same."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from arcal.classifiers import open_classifier
from arcal.classifiers._opaque import held_by

HEAD = """
from functools import partial
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

TABLE = np.eye(12)[:, :3].astype("float32")
SIZE = 12


def by_table(x):
    return x @ torch.from_numpy(TABLE)


def by_layer(layer, x):
    return layer(x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(SIZE, 3)
        self.register_buffer("mean", torch.zeros(SIZE), persistent=False)
"""
METHOD = "    def forward(self, x):\n        return"
PLAIN = {
    "a helper": f"{METHOD} by_layer(self.layer, x)",
    "a parent's method": f"{METHOD} super().eval().layer(x)",
    "plain values": f"    kinds = {{'a': (1, None)}}\n\n{METHOD} F.relu(self.layer(x - self.mean))",
    "a static method": f"    @staticmethod\n    def two(x): return 2 * x\n\n{METHOD} self.two(x)",
    "a property": f"    @property\n    def size(self): return SIZE\n\n{METHOD} x * self.size",
}
MORE = {
    "a global array": f"{METHOD} self.layer(x) @ TABLE",
    "what a helper reads": f"{METHOD} self.layer(x) + by_table(x)",
    "an array of the class": f"    table = TABLE\n\n{METHOD} self.layer(x)",
    "a tensor that is no buffer": "        self.scale = torch.ones(3)",
    "a layer in a list": "        self.layers = [nn.Linear(3, 3)]",
    "an argument of a partial": "        self.last = partial(np.dot, TABLE)",
    "a variable of a closure": "        t = np.ones(3)\n        self.last = lambda x: x * t",
    "an attribute's attribute": "        self.held = type('Held', (), {})()\n"
    "        self.held.table = np.ones(3)",
}


def opened(body: str):
    Path("net.py").write_text(f"{HEAD}\n{body}\n\n\nnet = Net()\n")
    return open_classifier("net.py:net")


@pytest.mark.parametrize("what", PLAIN)
def test_a_module_of_plain_values_and_tensors_is_known_by_its_weights(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not opened(PLAIN[what]).opaque


@pytest.mark.parametrize("what", MORE)
def test_a_module_that_holds_more_is_opaque(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert opened(MORE[what]).opaque


def test_layers_of_torch_are_not():
    block = nn.TransformerEncoderLayer(8, 2, dim_feedforward=8)
    for module in (
        nn.Sequential(block, nn.Linear(8, 2)),
        nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)),
    ):
        assert held_by(module) is not None
    with warnings.catch_warnings(action="ignore"):  # new releases of torch warn of it
        scripted = torch.jit.script(nn.Linear(2, 2))
    assert held_by(scripted) is not None


def test_a_number_read_from_a_file_makes_another_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    read = "        from pathlib import Path\n        self.t = float(Path('t.txt').read_text())"
    body = f"{read}\n\n{METHOD} self.layer(x.clamp(max=self.t))"
    prints = []
    for number in ("1.5", "1.5", "1.6"):
        Path("t.txt").write_text(number)
        torch.manual_seed(0)
        prints.append(opened(body).fingerprint())
    assert prints[0] == prints[1] != prints[2]
