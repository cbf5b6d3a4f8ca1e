"""`arcal audit` and `arcal score` as a stranger types them: their flags, and all that is wrong."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arcal.audits import Reading
from arcal.cli.audit import AnalysisFlags, OutputFlags
from arcal.cli.model_and_data import DataFlags, MachineFlags, ModelFlags
from tests.audits import tiny
from tests.test_cli import arcal, succeeds

SHARED = [one.name for group in (ModelFlags, DataFlags, MachineFlags) for one in fields(group)]
NEED_A_MODEL = [*SHARED, *(one.name for one in fields(AnalysisFlags))]


def typed(name):
    return f"--{name.replace('_', '-')}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("command", ["audit", "score"])
def test_help_fits_80_columns_and_has_headings(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = succeeds(command, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    for heading in ("model", "data", "output", "machine"):
        assert f"{heading} options" in text
    for name in SHARED:
        assert f" {typed(name)} " in text


def test_every_way_of_reading_has_its_flag():
    reading = {one.name for one in fields(Reading)}
    assert reading == {one.name for one in fields(DataFlags)} - {"limit"} | {"classes"}


@pytest.mark.parametrize("name", NEED_A_MODEL)
def test_what_needs_a_model_is_refused_of_predictions(here, name):
    np.savez("mine.npz", logits=9 * np.eye(3), labels=np.arange(3))
    value = [] if name in ("check", "skip_broken") else [3]
    line = arcal("audit", "mine.npz", typed(name), *value).line
    assert line.startswith(f"arcal: {typed(name)} is of a model and its data")
    assert not Path("audit").exists()


@pytest.mark.parametrize("name", [one.name for one in fields(OutputFlags)])
def test_what_is_written_is_chosen_for_predictions_as_well(here, name):
    values = {"out": ["there"], "names": ["mine"], "fail_if": ["ece>2"]}
    np.savez("some.npz", logits=9 * np.eye(3), labels=np.arange(3))
    succeeds("audit", "some.npz", typed(name), *values.get(name, []))
    assert Path("there" if name == "out" else "audit", "index.html").exists()


CODE = """
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
    assert "give its order by --classes light dark; if they are numbers" in warning
    assert any("--classes light dark" in note for note in json.loads(said.stdout)["notes"])
    mended = succeeds("audit", "net.py:inverted", *options, "--classes", "light", "dark")
    assert "arcal: " not in mended.stderr
    assert json.loads(mended.stdout)["models"][0]["overall"]["accuracy"]["value"] == 0.9
