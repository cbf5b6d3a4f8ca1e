"""`--attack FILE.py:NAME`: somebody's own attack in `arcal score` and `arcal audit`."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from arcal.store import load_scores
from tests.audits import tiny
from tests.test_cli import arcal, succeeds

CODE = """
import torch
from arcal.attacks import Adversarial

class Brightness(torch.nn.Module):
    def forward(self, x):
        lead = 8 * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()
linear = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2)).eval()
"""
ATTACKS = """
import torch
from arcal.attacks import Adversarial

def straight(model, x, bounds):
    lead = x.flatten(1).mean(1) - 0.5
    there = x - (1.01 * lead).view(-1, 1, 1, 1)
    distance = (there - x).flatten(1).norm(dim=1)
    ones = torch.ones(len(x))
    return Adversarial(distance, ones.bool(), there, model(x).argmax(1), ones.long())

class Largest:
    norm = "linf"
    def __call__(self, model, x, bounds):
        attacked = straight(model, x, bounds)
        distance = (attacked.x - x).flatten(1).abs().amax(1)
        return Adversarial(
            distance, attacked.success, attacked.x, attacked.predicted, attacked.passes
        )

def nothing(model, x, bounds):
    return straight(model, x, bounds).x

def wrong(model, x, bounds):
    attacked = straight(model, x, bounds)
    return Adversarial(attacked.distance, attacked.success, x, attacked.predicted, attacked.passes)
"""
SCORE = "score", "net.py:net", "data.npz"
AUDIT = "audit", "net.py:net", "data.npz", "--shift", "none", "--levels", 4


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)
    Path("mine.py").write_text(ATTACKS)
    part = tiny.part(40, size=8)
    np.savez("data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())
    return part


def test_distances_are_those_of_the_attack(here):
    done = succeeds(*SCORE, "--attack", "mine.py:straight", "--json", "--radii", "0.1")
    about = json.loads(done.stdout)
    assert (about["norm"], about["success"], about["passes"]) == ("l2", 1.0, 1.0)
    scores = load_scores(Path("scores.parquet"))
    exact = tiny.distance(here.pixels).float()
    assert torch.allclose(scores.robustness, 1.01 * exact, rtol=1e-4)


def test_scores_of_changed_code_are_refused():
    command = *SCORE, "--attack", "mine.py:straight"
    succeeds(*command)
    before = pq.read_table("scores.parquet")
    succeeds(*command)
    Path("mine.py").write_text(ATTACKS.replace("1.01", "1.05"))
    assert "scores.parquet is stale: its attack code is " in arcal(*command).line
    assert pq.read_table("scores.parquet").equals(before)
    assert "its attack kind is straight, not BoundaryProjection; delete" in arcal(*SCORE).line


def median(*options):
    done = succeeds(*AUDIT, "--attack", "mine.py:straight", "--json", *options)
    (model,) = json.loads(done.stdout)["models"]
    assert model["facts"]["Attack"].startswith("mine.py:straight, your own, of the code ")
    return model["figures"]["distance.median"]


def test_an_audit_of_changed_code_takes_nothing_of_the_one_before():
    first = median()
    (kept,) = Path("audit/.work").glob("*/*")
    written = kept.stat().st_mtime_ns
    assert median() == first
    assert kept.stat().st_mtime_ns == written
    Path("mine.py").write_text(ATTACKS.replace("1.01", "1.05"))
    assert median() == pytest.approx(first * 1.05 / 1.01, rel=1e-4)


def test_several_processes_attack_alike():
    alone = median("--out", "one", "--threads", 1)
    assert median("--out", "two", "--threads", 1, "--devices", 2) == alone
    files = [sorted(Path(out, ".work").glob("*/*")) for out in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--attack mine.py:nothing", "the attack mine.py:nothing returned a Tensor"),
        ("--attack mine.py:wrong", "the attack mine.py:wrong claims success on"),
        (
            "--attack mine.py:straight --norm linf",
            "--norm is for boundary-projection: leave it out",
        ),
        ("--attack mine.py:straight --order margin", "--attack"),
        ("--attack straight", "or name one of your own as FILE.py:NAME"),
    ],
)
@pytest.mark.parametrize("command", [SCORE, AUDIT], ids=["score", "audit"])
def test_what_is_wrong_is_one_line(command, options, says):
    assert says in arcal(*command, *options.split()).line
