"""What commands print for people, and what for programs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from command_line import arcal

TALKATIVE = """\
import os
import torch

print("loading the network")

def network(x):
    print("a batch")
    os.write(1, b"from a library\\n")
    dark = 0.5 - x.flatten(1).mean(1)
    return torch.stack([dark, -dark], 1)
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talkative.py").write_text(TALKATIVE)
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4)).astype("uint8")
    np.savez("data.npz", images=images, labels=(images.mean((1, 2)) > 125).astype(int))
    return "audit", "talkative.py:network", "data.npz", "--order", "margin", "--shift", "none"


def test_what_a_model_prints_does_not_come_between_results(here):
    done = arcal(*here, "--json")
    assert json.loads(done.stdout)["models"]
    assert "loading the network\n" in done.stderr
    assert "a batch\n" in done.stderr
    assert arcal(*here, "--markdown").stdout.startswith("### Calibration")


@pytest.mark.slow
def test_nor_what_a_library_prints_past_python(here):
    done = subprocess.run(
        [sys.executable, "-m", "arcal", *here, "--json"], capture_output=True, text=True
    )
    assert json.loads(done.stdout)["models"], done.stderr
    for line in ("loading the network\n", "a batch\n", "from a library\n"):
        assert line in done.stderr


@pytest.mark.parametrize("command", ["audit", "calibrate"])
def test_a_doubt_is_printed_once_on_standard_error_where_who_pipes_the_results_sees_it(
    command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i % 2},{0.1 + 0.8 * (i % 3 > 0)}\n" for i in range(240))
    Path("a.csv").write_text(f"label,prob_1\n{rows}")
    done = arcal(command, "a.csv", "--out", "out")
    assert "right on 50 % of 240 inputs, not clearly more than chance" in done.stderr
    both = " ".join((done.stdout + done.stderr).split())
    assert both.count("not clearly more than chance") == 1
    if command == "audit":
        assert done.stdout.startswith("a.csv is right on 50.0 % of 240 inputs")
        for option in ("--json", "--markdown"):  # for programs and builds: there as well
            done = arcal(command, "a.csv", "--out", "out", option)
            assert done.stderr.count("not clearly more than chance") == 1
            assert "not clearly more than chance" in done.stdout
