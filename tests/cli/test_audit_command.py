"""`arcal audit` and `arcal score` as a stranger types them: their flags, and all that is wrong."""

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from arcal.cli.audit import AnalysisFlags
from arcal.cli.model_and_data import DataFlags, MachineFlags, ModelFlags
from tests.audits import tiny
from tests.test_cli import arcal, succeeds

SHARED = [one.name for group in (ModelFlags, DataFlags, MachineFlags) for one in fields(group)]
COLUMNS = {
    "classes",
    "label",
    "labels_from",
    "weight",
    "id",
    "one_per",
    "by",
    "cluster",
    "against",
    "text",
}
COLUMNS |= {"cluster", "confidence", "probabilities", "positive"}
"""Flags of data that files of predictions have as well."""
ANALYSIS = {one.name for one in fields(AnalysisFlags)}
NEED_A_MODEL = sorted({*SHARED, *ANALYSIS} - COLUMNS)


def typed(name):
    return f"--{name.replace('_', '-')}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_norm_is_said_on_the_page(images):
    usual = "audit", "net.py:net", "data.npz", "--shift", "none", "--limit", 20
    facts = {}
    for norm in ("l2", "linf"):
        done = succeeds(*usual, "--norm", norm, "--out", norm, "--json")
        (model,) = json.loads(done.stdout)["models"]
        assert model["norm"] == norm
        facts[norm] = model["facts"], model["figures"]["distance.median"]
    assert "Norm" not in facts["l2"][0]
    assert "L-infinity" in facts["linf"][0]["Norm"]
    assert facts["linf"][1] < facts["l2"][1] / 2


@pytest.mark.parametrize("name", NEED_A_MODEL[::3])
def test_what_needs_a_model_is_refused_of_predictions(here, name):
    np.savez("mine.npz", logits=9 * np.eye(3), labels=np.arange(3))
    value = [] if name in ("check", "skip_broken") else [3]
    line = arcal("audit", "mine.npz", typed(name), *value).line
    assert line.startswith(f"arcal: {typed(name)} is for a model and its data")
    assert not Path("audit").exists()


CODE = """
import numpy as np
import torch
from torch import nn

class Brightness(nn.Module):
    def forward(self, x):
        lead = 8 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()

class Inverted(nn.Module):
    def forward(self, x):
        return net(x).flip(1)

inverted = Inverted().eval()
dropout = nn.Sequential(net, nn.Dropout()).train()
probabilities = nn.Sequential(net, nn.Softmax(1)).eval()

def linear(classes=2, size=28):
    return nn.Sequential(nn.Flatten(), nn.Linear(size**2, classes)).eval()

def three():
    return linear(3)

def small():
    return linear(size=20)

def training(x):
    return dropout(x)

def nan(x):
    return net(x) * torch.nan

def detached(x):
    return net(x).detach()

def fails():
    raise RuntimeError("no\\nsuch thing")

"""


@pytest.fixture
def images(here):
    """`net.py` and images it is right on, as arrays."""
    (here / "net.py").write_text(CODE)
    part = tiny.part(60)
    np.savez("data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())
    return part


def test_another_order_of_classes_is_a_warning_and_can_be_mended(images):
    for label, name in enumerate(("dark", "light")):
        (folder := Path("photos", name)).mkdir(parents=True)
        for i in (images.labels == label).nonzero()[:, 0].tolist():
            Image.fromarray(images.pixels[i, 0].numpy()).save(folder / f"{i}.png")
    options = "photos", "--order", "none", "--shift", "none", "--size", 28, "--json"
    said = succeeds("audit", "net.py:inverted", *options)
    (warning,) = [line for line in said.stderr.splitlines() if line.startswith("arcal: ")]
    assert "what it calls dark is light and light is dark" in warning
    assert "give the model's order with --classes light dark; if they are numbers" in warning
    assert any("--classes light dark" in note for note in json.loads(said.stdout)["notes"])
    mended = succeeds("audit", "net.py:inverted", *options, "--classes", "light", "dark")
    assert "arcal: " not in mended.stderr
    assert json.loads(mended.stdout)["models"][0]["overall"]["accuracy"]["value"] == 0.9


@pytest.fixture
def files(images):
    """Models, weights and data, few of which are right."""
    pixels, labels = images.pixels.numpy(), images.labels.numpy()
    Path("imports.py").write_text("import nothere")
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    torch.save(linear.state_dict(), "weights.pt")
    torch.save(linear, "whole.pt")
    torch.save(nn.Linear(3, 3).state_dict(), "other.pt")
    np.savez("negative.npz", images=pixels, labels=labels - 1)
    np.savez("few.npz", images=pixels[:5], labels=labels[:5])
    Path("table.csv").write_text("a,b,label\n" + "1,2,0\n3,4,1\n" * 10)
    Path("file").touch()
    for name in ("a", "b"):
        (folder := Path("broken", name)).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(pixels[i, 0]).save(folder / f"{i}.png")
        (folder / "3.png").write_bytes(b"no image")
    for i in range(3):
        (folder := Path("single", "a")).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[i, 0]).save(folder / f"{i}.png")


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("nowhere.py:net", "nowhere.py is missing"),
        ("imports.py:net", "imports.py:1: ModuleNotFoundError: No module named 'nothere'"),
        ("net.py", "which name in net.py? Write net.py:NAME"),
        ("net.py:nett", "net.py has no nett: did you mean net?"),
        ("net.py:fails", "RuntimeError: no; fix it there"),
        ("net.py:training", "the model is stochastic"),
        ("net.py:probabilities", "returns probabilities: give logits"),
        ("net.py:nan", "logits that are not finite"),
        ("net.py:detached --order gradient", "no gradient to its inputs"),
        ("net.py:small", "cannot be multiplied (8x784 and 400x2); give inputs of the shape"),
        ("net.py:net --size 0", "at least 1 pixel"),
        ("net.py:linear --weights nowhere.pt", "nowhere.pt is missing"),
        ("net.py:linear --weights other.pt", "other.pt does not fit linear: it lacks"),
        ("net.py:linear --weights whole.pt", "is not unpickled: save `model.state_dict()`"),
        ("net.py:linear --weights weights.pt weights.pt", "2 --weights for 1 model"),
        ("net.py:net net.py:net data.npz", "two models are called"),
        ("net.py:net net.py:three data.npz", "net has 2 classes and three 3: audit them one by"),
        ("net.py:net nowhere", "nowhere is not there"),
        ("net.py:net single", "and the data has 1"),
        ("net.py:net broken --check", "2 of 8 images cannot be read (broken/a/3.png: no known"),
        ("net.py:net negative.npz", "labels -1 is not in"),
        ("net.py:net data.npz --part left", "has no part 'left'"),
        ("net.py:net data.npz --id left", "--id left is for files of predictions"),
        (
            "net.py:net data.npz --columns a",
            "--columns is for tables, and data.npz is read as images",
        ),
        ("net.py:net data.npz --classes dark", "--classes dark is one name and no file"),
        ("net.py:net data.npz --limit 0", "--limit 0: at least 1 input"),
        ("net.py:net data.npz --levels 61 --order margin", "cannot be cut into 61 levels"),
        ("net.py:net data.npz --order size", "--order size: choose from"),
        ("net.py:net data.npz --norm linf", "--norm is for the order attack"),
        ("net.py:net data.npz --validation data.npz", "is data, the audited data"),
        ("net.py:net data.npz --other data.npz", "data.npz holds the same inputs as data.npz"),
        ("net.py:net data.npz --out file", "--out file: file is a file: name a folder"),
        ("net.py:net data.npz --names a b", "2 names for 1 model: "),
        ("net.py:net data.npz --fail-if ece", "--fail-if 'ece' is not a condition"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(files, typed, says):
    command = typed.split()
    if len(command) == 1 or command[1].startswith("--"):
        command.insert(1, "data.npz")
    for flag in ("--order", "--shift"):
        command += [] if flag in command else [flag, "none"]
    line = arcal("audit", *command).line
    assert line.startswith("arcal: ")
    assert says in line
    assert not list(Path().glob("audit/[!.]*"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["broken", "--skip-broken"], "left out: 2 of 8 images that cannot be read, such as"),
        (["data.npz", "--validation", "few.npz"], "5 of the 5 validation inputs are audited"),
        (["few.npz"], "the labels are of 2 of the model's 3 classes"),
    ],
)
def test_what_must_be_known_is_said_aloud_and_written(files, options, says):
    model = "net.py:three" if options == ["few.npz"] else "net.py:net"
    done = succeeds("audit", model, *options, "--order", "none", "--shift", "none")
    assert any(says in line for line in done.stderr.splitlines())
    findings = json.loads(Path("audit/audit.json").read_text())
    assert any(says in note for note in findings["notes"])
    assert says in Path("audit/index.html").read_text()


@pytest.mark.parametrize(
    ("command", "model", "data", "named"),
    [
        ("audit", "small", ["data.npz"], True),
        ("score", "small", ["data.npz"], True),
        ("audit", "small", ["table.csv"], False),
    ],
)
def test_the_flags_that_change_images_are_named_where_they_do_not_fit(
    files, command, model, data, named
):
    line = arcal(command, f"net.py:{model}", *data, "--order", "margin").line
    assert line.endswith("another size, --channels 3 or 1 makes them colour or grey") == named


@pytest.mark.parametrize(
    ("command", "usual"),
    [
        ("audit", ("--order", "margin", "--shift", "fog-3")),
        ("calibrate", ("--calibrators", "temperature")),
    ],
)
def test_a_network_of_colour_images_gets_grey_ones_by_a_flag(images, command, usual):
    code = (
        "lambda x: x.mean((2, 3)) @ torch.tensor([[0, 9], [0, 0], [0, 0.0]]) - torch.tensor([0, 4])"
    )
    Path("colour.py").write_text(f"import torch\n\nlogits = {code}\n")
    assert "3" in arcal(command, "colour.py:logits", "data.npz", *usual).line
    succeeds(command, "colour.py:logits", "data.npz", *usual, "--channels", 3)


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_what_was_done_is_kept(images):
    code = (
        "import resource, sys; from arcal.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)); main()"
    )
    command = ["audit", "net.py:net", "data.npz", "--order", "none", "--shift", "none"]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, text=True)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("arcal: ")
    assert "audit/" in line
    assert line.endswith("finished work is kept, and the same command continues")
    assert list(Path("audit").glob(".work/*/00000.safetensors"))
