"""The folded twin of a model."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from arcal.attacks.folding import folded
from arcal.attacks.model import frozen


def network(first: nn.Module) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: Any = nn.Sequential(
            first, nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
        )
        for _ in range(10):
            model(torch.rand(16, 3, 6, 6))
        model[2].weight.data.uniform_(0.5, 2)
    return model


class Untraceable(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Unsteady(nn.Module):
    def forward(self, x):
        return x + torch.rand_like(x)


def test_a_model_that_cannot_be_traced_or_disagrees_is_used_as_it_is():
    for first in (Untraceable(), Unsteady()):
        model, x = network(first), torch.rand(9, 3, 6, 6)
        with frozen(model):
            assert folded(model, x) is model


def test_recurrent_layers_run_without_cudnn_and_it_is_restored():
    """In evaluation mode it refuses their backward pass."""
    before = torch.backends.cudnn.enabled
    with frozen(nn.Linear(2, 2)):
        assert torch.backends.cudnn.enabled == before
    with frozen(nn.Sequential(nn.GRU(2, 2))):
        assert not torch.backends.cudnn.enabled
    assert torch.backends.cudnn.enabled == before


PRECISIONS = """
import torch
from arcal.attacks import frozen

on = torch.backends

def precisions():
    places = on.cuda.matmul, on.cudnn.conv, on.cudnn.rnn, on.mkldnn.matmul, on.mkldnn.conv
    return [place.fp32_precision for place in places]

def under_another():
    # only a place that has a precision of its own keeps it
    general = on.fp32_precision
    on.fp32_precision = "bf16"
    theirs = precisions()
    on.fp32_precision = general
    return theirs

def check():
    before, own = precisions(), under_another()
    with frozen(torch.nn.Linear(2, 2)):
        assert set(precisions()) == {"ieee"}
    assert precisions() == before
    assert under_another() == own

check()
for place, precision in (on, "tf32"), (on.cudnn, "tf32"), (on.mkldnn.conv, "bf16"):
    place.fp32_precision = precision
    check()
    place.fp32_precision = "none"
torch.set_float32_matmul_precision("medium")
check()
assert torch.get_float32_matmul_precision() == "medium"
"""


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="torch 2.9 or newer"
)
def test_a_precision_set_anywhere_is_whole_inside_and_restored():
    done = subprocess.run([sys.executable, "-c", PRECISIONS], capture_output=True, text=True)
    assert not done.returncode, done.stderr


@pytest.mark.parametrize("kind", ["cpu", "cuda", "mps"])
def test_a_frozen_model_runs_without_autocast(kind):
    before = torch.is_autocast_enabled(kind)
    torch.set_autocast_enabled(kind, True)  # which a context refuses where there is no such device
    try:
        with frozen(nn.Linear(2, 2)):
            assert not torch.is_autocast_enabled(kind)
    finally:
        torch.set_autocast_enabled(kind, before)
