"""Files of weights: every form gives the same tensors, and nothing is unpickled."""

import argparse
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from arcal.classifiers import load_into, read_weights
from arcal.errors import ArcalError


@pytest.fixture
def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))


def prefixed(prefix, state):
    return {prefix + name: value for name, value in state.items()}


FORMS = {
    "alone": lambda net: net.state_dict(),
    "ordered": lambda net: OrderedDict(net.state_dict()),
    "state_dict": lambda net: {"epoch": 3, "state_dict": net.state_dict(), "best": 0.5},
    "model": lambda net: {"model": net.state_dict(), "args": argparse.Namespace(lr=0.1)},
    "with its average": lambda net: {
        "state_dict": net.state_dict(),
        "state_dict_ema": prefixed("x.", net.state_dict()),
    },
    "parallel": lambda net: nn.DataParallel(net).state_dict(),
    "lightning": lambda net: {
        "state_dict": prefixed("model.", net.state_dict()) | {"loss.weight": torch.ones(2)}
    },
    "a wrapper's": lambda net: {"state_dict": prefixed("net.", net.state_dict())},
    "a wrapper's, with metrics": lambda net: {
        "state_dict": {"train_accuracy.tp": torch.ones(2), "loss.weight": torch.ones(2)}
        | prefixed("net.", net.state_dict())
    },
    "compiled": lambda net: prefixed("_orig_mod.", net.state_dict()),
    "both": lambda net: prefixed("_orig_mod.module.", net.state_dict()),
    "averaged": lambda net: AveragedModel(net).state_dict(),
    "half": lambda net: net.half().state_dict(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_network(form, net, tmp_path):
    own = {name: value.clone().half().float() for name, value in net.state_dict().items()}
    net.load_state_dict(own)
    torch.save(FORMS[form](net), tmp_path / "weights.pt")
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    fitted = load_into(other, read_weights(tmp_path / "weights.pt"), "net")
    for name, value in other.state_dict().items():
        assert torch.equal(value.float(), own[name].float()), name
    words = {"lightning": "1 without the prefix model. left out", "parallel": "prefix module. rem"}
    words["a wrapper's"] = "prefix net. removed"
    words["a wrapper's, with metrics"] = "2 without the prefix net. left out, prefix net. removed"
    assert words.get(form, "SHA-256") in fitted.words


def test_a_checkpoint_with_a_name_of_its_own_and_numbers_of_numpy(net, tmp_path):
    best = [np.float64(0.7), np.float32(0.7), np.int64(3), np.bool_(True)]
    content = {
        "net": net.state_dict(),
        "optimizer": {"state": {}},
        "best": best,
        "at": torch.ones(1),
    }
    torch.save(content, tmp_path / "w.pt")
    weights = read_weights(tmp_path / "w.pt")
    assert weights.changes == ("its entry net",)
    assert weights.state.keys() == net.state_dict().keys()


def test_safetensors_without_the_counts_of_batch_norms(net, tmp_path):
    state = {k: v for k, v in net.state_dict().items() if "num_batches" not in k}
    save_file(state, tmp_path / "w.safetensors")
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    load_into(other, read_weights(tmp_path / "w.safetensors"), "net")
    assert torch.equal(other.state_dict()["0.weight"], net.state_dict()["0.weight"])


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def test_nothing_is_unpickled(net, tmp_path):
    trace = tmp_path / "was here"
    torch.save({"state_dict": net.state_dict(), "hook": Evil(trace)}, tmp_path / "evil.pt")
    torch.save(net, tmp_path / "whole.pt")
    for name in ("evil.pt", "whole.pt"):
        with pytest.raises(
            ArcalError, match=r"holds more than tensors.* save `model.state_dict"
        ) as c:
            read_weights(tmp_path / name)
        assert "\n" not in str(c.value)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1, 2], "holds no state dict"),
        ({"epoch": 3}, "holds no state dict but epoch: save"),
        ({"a": {"w": torch.ones(1)}, "b": {"w": torch.ones(1)}}, "no state dict but a, b: save"),
        ({"state_dict": {"a": 1}}, "holds no state dict"),
        (torch.ones(3), "holds no state dict"),
    ],
)
def test_what_is_no_state_dict_is_one_line(content, says, tmp_path):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(ArcalError, match=says):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.pth"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"version https://git-lfs", b"\x80"])
def test_a_damaged_file_is_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArcalError, match=name) as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_torchscript_program_is_named_as_one(net, tmp_path):
    state = "name a function of a .py file that returns `torch.jit.load"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch deprecates it
        torch.jit.save(torch.jit.trace(net.eval(), torch.rand(2, 3)), tmp_path / "w.pt")
    with pytest.raises(ArcalError, match=rf"w\.pt is a TorchScript program: {state}"):
        read_weights(tmp_path / "w.pt")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    with pytest.raises(ArcalError, match="is missing: give a file of weights"):
        read_weights(tmp_path / "w.pt")
    with pytest.raises(ArcalError, match="is a folder"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: {k: v for k, v in s.items() if k[0] != "2"}, r"lacks 2.weight and 1 more"),
        (lambda s: s | {"3.w": s["0.bias"]}, "has in addition 3.w"),
        (lambda s: s | {"2.weight": torch.ones(5, 4)}, r"2.weight is \(5, 4\) in the file and \(2"),
        (
            lambda s: {f"{k[0]}x{k[1:]}": v for k, v in s.items()},
            "lacks 0.weight and 7 more and has in",
        ),
    ],
)
def test_weights_of_another_network_are_one_line(change, says, net, tmp_path):
    torch.save(change({k: v + 1 for k, v in net.state_dict().items()}), tmp_path / "w.pt")
    before = {k: v.clone() for k, v in net.state_dict().items()}
    with pytest.raises(ArcalError, match=says) as caught:
        load_into(net, read_weights(tmp_path / "w.pt"), "mine")
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert "does not fit mine" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_layers_that_take_their_width_from_the_first_input_take_it_from_the_weights(tmp_path):
    lazy = lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2))  # noqa: E731
    trained = lazy()
    trained(torch.ones(1, 3))
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    weights = read_weights(tmp_path / "w.pt")
    load_into(net := lazy(), weights, "mine")
    assert torch.equal(net(torch.ones(1, 3)), trained(torch.ones(1, 3)))
    for change in ({"2.weight": torch.ones(5, 4)}, {"3.w": torch.ones(1)}):
        torch.save(trained.state_dict() | change, tmp_path / "other.pt")
        with pytest.raises(ArcalError, match="does not fit mine"):
            load_into(lazy(), read_weights(tmp_path / "other.pt"), "mine")
