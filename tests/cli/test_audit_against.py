"""`arcal audit --against`: last month's audit, on the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from command_line import arcal
from tests.test_cli import succeeds


def month(name, seed, wrong=0.1, n=100):
    """A file of predictions, of which so large a share is wrong."""
    draws = np.random.default_rng(seed)
    rows = ["id,label,no,yes,site"]
    for i in range(n):
        y, mistaken = i % 2, i % 50 < 50 * wrong
        p = draws.uniform(0.85, 0.95)
        yes = p if (y == 1) != mistaken else 1 - p
        rows.append(f"{1000 * seed + i},{('no', 'yes')[y]},{1 - yes:.4f},{yes:.4f},{i % 2}")
    Path(name).write_text("\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """The audit of October, and predictions of November that are worse."""
    folder = tmp_path_factory.mktemp("months")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        month("october.csv", 1)
        month("november.csv", 2, wrong=0.4)
        succeeds("audit", "october.csv", "--by", "site", "--out", "october", "--no-images")
        yield folder


def test_it_says_what_has_changed_and_fails_a_build(here):
    flags = ("--by", "site", "--out", "november", "--against", "october", "--no-images")
    holds = ("--fail-if", "changes.accuracy.high<0", "changes.by.site.0.accuracy<-0.1")
    done = arcal("audit", "november.csv", *flags, *holds)
    assert done.code == 1
    text = " ".join(done.stdout.split())
    assert "since october (october.csv, 100 inputs) it does worse, and " in text
    assert "changed since then: accuracy 90.0 -> 60.0 %, lower by 30.0" in text
    assert "where site is 0, since then: " in text
    says = "arcal: november.csv: changes.accuracy.high is -0."
    assert any(line.startswith(says) for line in done.stderr.splitlines())
    (model,) = json.loads(Path("november/audit.json").read_text())["models"]
    assert model["changes"]["since"] == "october"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--against", "october", "--out", "october"], "name another folder with --out"),
        (["--against", "october/audit.json", "--out", "october"], "name another folder with --out"),
        (["--against", "september"], "the audit september is missing"),
        (["--against", "october.csv"], "the audit october.csv: it is not complete JSON"),
        (["--against", "october", "--fail-if", "changes.acc<0"], "did you mean changes.a"),
        (["--against", "october", "--fail-if", "changes.by.site.0.gap>0"], "there is no figure"),
        (["--fail-if", "changes.accuracy<0"], "name it with --against"),
        (["--against", "october", "--one-per", "id"], "of all inputs and this of one input of"),
    ],
)
def test_what_cannot_be_compared_is_one_line(here, flags, says):
    done = arcal("audit", "november.csv", *flags)
    assert done.code == 2
    *before, line = done.stderr.splitlines()
    assert says in line
    assert before in ([], ["arcal: november.csv: columns not used: site"])
    assert not Path("audit").exists()


def test_a_model_is_compared_and_other_classes_are_refused_before_it_is_run(here):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
    np.savez("data.npz", images=images, labels=np.arange(20) % 2)
    Path("net.py").write_text("""
import torch

def network():
    layer = torch.nn.Linear(192, 2)
    layer.weight.data = torch.linspace(-1, 1, 384).view(2, 192)
    return torch.nn.Sequential(torch.nn.Flatten(), layer).eval()
""")
    flags = ("--order", "none", "--shift", "none", "--against", "october")
    line = arcal("audit", "net.py:network", "data.npz", *flags, "-q").line
    assert "the audit october: its classes are no, yes (2) and here 0, 1 (2)" in line
    assert not Path("audit").exists()
    usual = ("audit", "net.py:network", "data.npz", *flags[:4], "--no-images", "-q")
    succeeds(*usual, "--out", "june")
    done = succeeds(*usual, "--out", "july", "--against", "june", "--fail-if", "changes.nll.low>0")
    assert "the inputs seem to be those of june" in " ".join(done.stdout.split())
