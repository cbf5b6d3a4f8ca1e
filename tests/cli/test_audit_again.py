"""`arcal audit` once more in the same folder: what was done is taken, and nothing stale is."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tests.audits import tiny
from tests.test_cli import arcal, succeeds

CODE = """
import os, time
import torch

class Brightness(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.sharpness = torch.nn.Parameter(torch.tensor(8.0))

    def forward(self, x):
        time.sleep(float(os.environ.get("SECONDS_A_BATCH", 0)))
        lead = self.sharpness * (x.mean((1, 2, 3)) - 0.5)
        return torch.stack([-lead, lead], dim=1)

net = Brightness().eval()
"""
OPTIONS = ("--order", "margin", "--shift", "none", "--threads", "1")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A model that can be slow, and a block of images."""
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)
    write(tiny.part(80, size=8))


def write(part):
    np.savez("data.npz", images=part.pixels.numpy(), labels=part.labels.numpy())


def audited(*options, out="audit"):
    succeeds("audit", "net.py:net", "data.npz", *OPTIONS, *options, "--out", out)
    return json.loads(Path(out, "audit.json").read_text())


def blocks(out="audit"):
    """The blocks that are done, with the time when each was."""
    return {path: path.stat().st_mtime_ns for path in Path(out).glob(".work/*/0*.safetensors")}


@pytest.mark.slow
def test_a_killed_audit_goes_on_to_the_same_findings(here):
    write(tiny.part(900, size=8))  # five blocks
    command = ["audit", "net.py:net", "data.npz", *OPTIONS]
    with subprocess.Popen(
        [sys.executable, "-m", "arcal", *command],
        env=os.environ | {"SECONDS_A_BATCH": "0.1"},
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 120
        while len(blocks()) < 2:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    done = blocks()
    assert 2 <= len(done) < 5, "it must have been killed midway"
    assert not Path("audit/audit.json").exists()
    findings = audited()
    assert len(blocks()) == 5
    assert blocks() | done == blocks(), "what was done was not done again"
    assert findings == audited(out="undisturbed")


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["code", "weights", "labels", "pixels", "order"])
def test_nothing_stale_is_taken(here, changed):
    part, options = tiny.part(80, size=8), []
    weights = ["--weights", "net.safetensors"]
    save_file({"sharpness": torch.tensor(8.0)}, "net.safetensors")
    before = audited(*weights)
    if changed == "code":
        Path("net.py").write_text(
            CODE.replace("return torch", "lead = lead / 2\n        return torch")
        )
    elif changed == "weights":
        save_file({"sharpness": torch.tensor(4.0)}, "net.safetensors")
    elif changed == "labels":
        part.labels[:20] = 1 - part.labels[:20]
        write(part)
    elif changed == "pixels":
        part.pixels[:20] = 255 - part.pixels[:20]
        write(part)
    else:
        options = ["--order", "gradient"]
    after = audited(*weights, *options)
    assert after["models"] != before["models"]
    assert after == audited(*weights, *options, out="fresh")


def test_an_audit_that_is_done_is_only_written_again(here):
    first, done = audited(), blocks()
    assert audited() == first
    assert blocks() == done


READS = """
import torch

W = torch.load("w.pt", weights_only=True)


def net(x):
    return x.flatten(1) @ W
"""


def test_what_code_reads_is_seen_by_what_it_computes(here):
    """A refit that moves one weight a little."""
    Path("net.py").write_text(READS)
    torch.manual_seed(0)
    part = tiny.part(80, size=8)
    x = part.pixels.flatten(1).double() / 255
    W = torch.randn(x.shape[1], 2).double()
    torch.save(W.float(), "w.pt")
    score = ("score", "net.py:net", "data.npz", "--order", "margin", "--out", "scores.parquet")
    before = audited()["models"][0]["overall"]["nll"]["value"]
    succeeds(*score)
    done = blocks()
    assert audited()["models"][0]["overall"]["nll"]["value"] == before
    assert blocks() == done, "which is read again"
    succeeds(*score)
    W[0, 0] += 1e-4
    torch.save(W.float(), "w.pt")
    after = audited()["models"][0]["overall"]["nll"]["value"]
    assert after == pytest.approx(float(torch.nn.functional.cross_entropy(x @ W, part.labels)))
    assert after != before
    assert "scores.parquet is stale: its model is" in arcal(*score).line
