"""`arcal audit --fail-if`: what can be known of a condition is known before the work."""

from pathlib import Path

import numpy as np
import pytest

from tests.audits import tiny
from tests.test_cli import arcal

CODE = """
import torch

def net(x):
    lead = 8 * (x.mean((1, 2, 3)) - 0.5)
    return torch.stack([-lead, lead], dim=1)
"""


FEW, ALONE = "has too few inputs for it", "coverage_at_90<0.1"


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)
    part = tiny.part(40)
    more = {"labels": part.labels.numpy(), "site": list("abcd" * 10)}
    np.savez("data.npz", images=part.pixels.numpy(), **more)
    np.savez("mine.npz", logits=9 * np.eye(3), labels=np.arange(3))


@pytest.mark.parametrize(
    ("options", "condition", "says"),
    [
        (["--order", "none", "--shift", "none"], "least_robust.gap>0.1", "no levels"),
        (["--order", "margin", "--shift", "none"], "distance.median<1", "'distance.median'"),
        (["--order", "none", "--shift", "none"], "shift.ece>0.1", "'shift.ece'"),
        (
            ["--order", "none", "--shift", "fog-3"],
            "shift.fog-4.ece>0.1",
            "did you mean shift.fog-3",
        ),
        (["--order", "margin", "--shift", "none", "--levels", 3], "level_3.ece>0.1", "'level_3"),
        (["--order", "none", "--shift", "none"], "class.cat.gap>0", "no figure 'class.cat.gap'"),
        (["--order", "none", "--shift", "none"], "eec>0.1", "did you mean ece"),
        (["--order", "margin", "--shift", "none", "--levels", 4], "least_robust.ece>0.1", FEW),
        (["--order", "none", "--shift", "none", "--by", "site"], "by.site.c.ece.low>0.1", FEW),
    ],
)
def test_a_condition_on_no_figure_is_refused_before_the_work(files, options, condition, says):
    done = arcal("audit", "net.py:net", "data.npz", *options, "--fail-if", "ece>0.9", condition)
    assert done.line.startswith(f"arcal: --fail-if {condition}: there is no figure")
    assert says in done.line
    assert not Path("audit").exists(), "no block was run"


@pytest.mark.parametrize("name", ["least_robust.gap", "shift.ece", "distance.median", "class.3.n"])
def test_a_condition_on_what_predictions_cannot_have_is_refused_before_the_work(
    files, monkeypatch, name
):
    monkeypatch.setattr("arcal.auditing._audited.overall", None)  # nothing is computed
    line = arcal("audit", "mine.npz", "--fail-if", f"{name}>0.1").line
    assert f"there is no figure {name!r}" in line
    assert not Path("audit").exists()


@pytest.mark.parametrize("condition", ["ece>5", "ece.low>=1.1", "class.1.gap>1", "accuracy<70"])
def test_a_condition_that_holds_always_or_never_is_refused(files, condition):
    done = arcal("audit", "mine.npz", "--fail-if", condition)
    assert "so this always or never holds; write points as hundredths" in done.line
    assert not Path("audit").exists()


def test_a_condition_on_what_is_unknown_is_an_error_after_the_work(files):
    np.savez("first.npz", logits=[[9.0, 0, 0]] * 40, labels=np.arange(40) % 3)
    done = arcal("audit", "first.npz", "--fail-if", "class.1.gap>0.1")
    assert done.code == 2
    assert (
        "class.1.gap has no value, as no input belongs to it or the log-loss is inf" in done.stderr
    )
    assert Path("audit", "index.html").exists()


def test_a_difference_is_from_the_first_model_and_needs_two(files):
    labels = np.arange(60) % 3
    for name, lead in (("old", 2.0), ("new", 4.0)):
        np.savez(f"{name}.npz", logits=lead * np.eye(3)[labels], labels=labels)
    condition = ("--fail-if", "difference.nll<0")
    done = arcal("audit", "old.npz", "new.npz", *condition)
    assert done.code == 1
    assert "new.npz: difference.nll is -0.2" in done.stderr
    assert "old.npz: difference" not in done.stderr
    assert "against old.npz, on the same inputs, it is better: accuracy no different" in done.stdout
    assert "difference needs two models" in arcal("audit", "old.npz", *condition).line
    twice = arcal("audit", "old.npz", "new.npz", "--fail-if", "difference.accuracy<-2")
    assert "lies between -1 and 1" in twice.line
