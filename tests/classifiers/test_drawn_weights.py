"""A network that code builds without loading weights is said to be drawn, and nothing else is."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from arcal.classifiers import open_classifier
from arcal.classifiers._drawn_weights import random_state

CODE = """
import random
import sys
import numpy as np
import torch
from torch import nn

calls = []

class Net(nn.Sequential):
    def __init__(self):
        calls.append("Net")
        print("building", file=sys.stderr)
        super().__init__(nn.Flatten(), nn.Linear(784, 2))

def trained():
    net = Net()
    net.load_state_dict(torch.load("net.pt", weights_only=True))
    return net

def with_new_head():
    net = nn.Sequential(trained(), nn.Linear(2, 2))
    return net

def of_numpy():
    net = trained()
    net[1].bias.data = torch.tensor(np.random.randn(2)).float()
    return net

def of_python():
    net = trained()
    net[1].bias.data.fill_(random.random())
    return net

def zeros():
    calls.append("zeros")
    with torch.random.fork_rng():
        net = Net()
    for one in net.parameters():
        one.data.zero_()
    return net

once = []

def fails_the_second_time():
    assert not once
    once.append(True)
    return Net()

shared = zeros()

def answers():
    bias = torch.rand(2)
    return lambda x: x.flatten(1)[:, :2] + bias

calls.clear()
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    Path("mine.py").write_text(CODE)
    torch.save(nn.Sequential(nn.Flatten(), nn.Linear(784, 2)).state_dict(), "net.pt")


def opened(name, **options):
    classifier = open_classifier(f"mine.py:{name}", **options)
    return classifier, " ".join(one.sentence for one in classifier.caveats)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("Net", r"its weights are drawn anew each time Net() is called"),
        ("with_new_head", "2 of its 4 parameter tensors, first 1.weight, are drawn anew"),
        ("of_numpy", "1 of its 2 parameter tensors, first 1.bias, are drawn"),
        ("of_python", "1 of its 2 parameter tensors, first 1.bias, are drawn"),
        ("trained", ""),
        ("zeros", ""),
        ("fails_the_second_time", ""),
        ("shared", ""),
        ("answers", ""),
    ],
)
def test_weights_that_are_drawn_are_said_and_no_others(name, says, capsys):
    _, line = opened(name)
    assert line.startswith(says)
    assert bool(line) == bool(says)
    assert capsys.readouterr().err.count("building") <= 2  # of the file itself, and of one call


@pytest.mark.parametrize("name", ["Net", "fails_the_second_time"])
def test_the_audited_network_and_the_generators_are_those_of_one_call(name):
    def after(build):
        for seed in (torch.manual_seed, np.random.seed, random.seed):
            seed(5)
        return build().state_dict(), random_state()

    namespace = {}
    exec(CODE, namespace)
    expected, state = after(namespace[name])
    expected = [one.clone() for one in expected.values()]
    network, left = after(lambda: opened(name)[0].model)
    assert left == state
    assert all(map(torch.equal, network.values(), expected))
