"""`arcal score MODEL DATA`: anybody's model on anybody's data."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from arcal._version import __version__
from arcal.store import load_scores
from tests.audits import tiny
from tests.test_cli import arcal, succeeds

CODE = """
import torch

class Brightness(torch.nn.Module):
    def forward(self, x):
        lead = 8 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()

def swapped(x):
    return net(x).flip(1)

narrow = torch.nn.Sequential(torch.nn.BatchNorm2d(1), net).eval()
narrow[0].running_var.fill_(1e-4)  # of inputs that were divided by a hundred

def flat(x):
    return torch.tensor([0.0, 9.0]) + 0 * net(x)

def guess(x):
    return (x[:, 0, 0, :2] * 1e4).sin()
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(CODE)
    part = tiny.part(40)
    np.savez("data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())
    return part


def test_distances_of_a_model_of_ones_own(here):
    done = succeeds("score", "net.py:net", "data.npz", "--json")
    summary = json.loads(done.stdout)
    assert summary["inputs"] == 40
    assert summary["kind"] == "distance"
    scores = load_scores(Path("scores.parquet"))
    assert torch.allclose(scores.robustness.double(), tiny.distance(here.pixels), atol=2e-3)


def test_scores_of_files_have_their_names_and_the_median_is_that_of_numpy(here):
    for i, pixels in enumerate(here.pixels[:6]):
        file = Path(f"photos/{here.labels[i]}", os.fsdecode(b"\xff%d.png" % i))  # no UTF-8
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0].numpy()).save(file)
    done = succeeds("score", "net.py:net", "photos", "--limit", "4", "--json")
    table = pq.read_table("scores.parquet").to_pydict()
    assert sorted(set(table["name"])) == sorted(table["name"])
    for name, distance in zip(table["name"], table["robustness"], strict=True):
        row = int(name[-len("0.png")])
        assert distance == pytest.approx(float(tiny.distance(here.pixels)[row]), abs=2e-3)
    median = np.median(table["robustness"])
    assert json.loads(done.stdout)["median"] == pytest.approx(median, rel=1e-6)
    assert len(load_scores(Path("scores.parquet")).ids) == 4


def test_what_is_scored_is_not_scored_again_and_another_scoring_is_refused(here):
    succeeds("score", "net.py:net", "data.npz", "--order", "margin", "--out", "m.parquet")
    before = pq.read_table("m.parquet")
    about = json.loads((before.schema.metadata or {})[b"arcal"])
    assert about["of"] == {"model": "net.py:net", "data": "data.npz", "arcal": __version__}
    succeeds("score", "net.py:net", "data.npz", "--order", "margin", "--out", "m.parquet")
    assert pq.read_table("m.parquet").equals(before)
    done = arcal("score", "net.py:net", "data.npz", "--order", "gradient", "--out", "m.parquet")
    assert done.code == 2
    assert "m.parquet is stale: its order" in done.line
    line = arcal("score", "net.py:net", "data.npz", "--out", "m.parquet").line
    assert "attack is none, not BoundaryProjection; delete it" in line
    assert pq.read_table("m.parquet").equals(before)


def test_another_norm_is_another_scoring(here):
    """The lead is 8 (mean - 1/2): its distance is |mean - 1/2|, and sqrt(D) times that in L2."""
    done = succeeds("score", "net.py:net", "data.npz", "--norm", "linf", "--json")
    assert json.loads(done.stdout)["norm"] == "linf"
    scores = load_scores(Path("scores.parquet"))
    lead = (here.pixels.double().mean((1, 2, 3)) / 255 - 0.5).abs()
    D = here.pixels[0].numel()
    assert torch.allclose(tiny.distance(here.pixels), lead * D**0.5, atol=2e-3)
    assert torch.allclose(scores.robustness.double(), lead, atol=2e-4)
    refused = arcal("score", "net.py:net", "data.npz")
    assert refused.code == 2
    assert "scores.parquet is stale: its attack norm is linf" in refused.line
    assert torch.equal(load_scores(Path("scores.parquet")).robustness, scores.robustness)
    succeeds("score", "net.py:net", "data.npz", "--out", "l2.parquet")
    columns = [pq.read_table(name).schema.names for name in ("scores.parquet", "l2.parquet")]
    assert columns[0] == columns[1]
    refused = arcal("score", "net.py:net", "data.npz", "--out", "l2.parquet", "--norm", "linf")
    assert "l2.parquet is stale: its attack norm is l2, not linf" in refused.line
    again = succeeds("score", "net.py:net", "data.npz", "--out", "l2.parquet", "--norm", "l2")
    assert " in L2, " in again.stderr


def test_robust_accuracy_at_radii(here):
    radii = "0", "0.1", "51/255"
    done = succeeds(
        "score", "net.py:net", "data.npz", "--norm", "linf", "--radii", *radii, "--json"
    )
    scores = load_scores(Path("scores.parquet"))
    right = scores.predicted == scores.labels
    rows = json.loads(done.stdout)["robust_accuracy"]
    assert [row["radius"] for row in rows] == [0.0, 0.1, 0.2]
    for typed, row in zip(radii, rows, strict=True):
        stays = right if typed == "0" else right & (scores.robustness > row["radius"])
        assert row["accuracy"] == float(stays.double().mean())
        assert row["low"] <= row["accuracy"] <= row["high"]
        assert f"robust accuracy at {typed}: {100 * row['accuracy']:.1f} % [" in done.stderr
    assert "counts" not in done.stderr


def test_inputs_without_a_distance_are_told_beside_robust_accuracy(here):
    done = succeeds("score", "net.py:flat", "data.npz", "--radii", "9")
    assert "the attack failed on 40 of 40 inputs" in done.stderr
    assert "counts those that are right as right at every radius" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["net.py:net", "data.npz", "third"], "3 names are given: name MODEL and DATA, or RUN"),
        (["net.py:net", "data.npz", "--data", "x"], "--data is for a run"),
        (["net.py:net", "data.npz", "--id", "x"], "--id x is for files of predictions"),
        (["net.py:net", "data.npz", "--devices", 0], "0 devices"),
        (
            ["net.py:net", "data.npz", "--devices", 2, "--ray", "10.0.0.1:6379"],
            "--devices counts those of this machine, and the Ray cluster at 10.0.0.1:6379 counts",
        ),
        (["nowhere", "--ray", "local"], "--ray is for MODEL and DATA"),
        (["nowhere", "--weights", "w"], "--weights is for MODEL and DATA"),
        (["net.py:net", "data.npz", "--norm", "l1"], "norm 'l1' is unknown: choose from l2, linf"),
        (
            ["net.py:net", "data.npz", "--norm", "l2", "--order", "margin"],
            "are for the order attack",
        ),
        (
            ["net.py:net", "data.npz", "--norm", "linf", "--attack", "carlini-wagner"],
            "--norm is for boundary-projection: leave it out with carlini-wagner",
        ),
        (["net.py:net", "data.npz", "--radii", "1/0"], "--radii 1/0: give numbers of at least 0"),
        (
            ["net.py:net", "data.npz", "--radii", "1", "--order", "margin"],
            "--radii is for the order",
        ),
    ],
)
def test_what_is_wrong_is_one_line(here, arguments, says):
    done = arcal("score", *arguments)
    assert done.code == 2
    assert says in done.line
