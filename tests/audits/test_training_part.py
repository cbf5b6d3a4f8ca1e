"""Inputs that a model was trained or calibrated on are audited with a warning."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import arcal as command

SAID = "is a training part: if the model was trained on it"
NETWORK = "from torch import nn\nnet = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()\n"


@pytest.fixture
def pets(tmp_path):
    """A training part of classes, beside test images without any."""
    rng = np.random.default_rng(0)
    names = [f"train/{kind}/{i}.png" for kind in ("cat", "dog") for i in range(30)]
    for name in (*names, "test/1.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
    (tmp_path / "linear.py").write_text(NETWORK)
    return tmp_path / "pets"


def test_an_audit_and_a_calibration_of_the_only_labelled_part_which_is_for_training_are_warned(
    pets, monkeypatch
):
    monkeypatch.chdir(pets.parent)
    done = command("audit", "linear.py:net", "pets", "--order", "none", "--shift", "none")
    said = " ".join(done.stderr.split())
    assert f"pets/train {SAID}, accuracy and calibration look better than they are" in said
    done = command("calibrate", "linear.py:net", "pets", "--calibrators", "temperature")
    assert f"pets/train {SAID}" in " ".join(done.stderr.split())


SURE = """
net[1].weight.data[:] = torch.tensor([[-0.2], [0.2]])
net[1].bias.data[:] = torch.tensor([20.0, -20.0])
"""


def test_an_audit_of_the_inputs_that_a_model_was_calibrated_on_is_warned(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    for i, brightness in enumerate(rng.normal([110, 145], 30, (60, 2)).clip(0, 255)):
        for kind, grey in zip(("dark", "light"), brightness, strict=True):
            path = Path("lamps", kind, f"{i}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(path)
    Path("sure.py").write_bytes(f"import torch\n{NETWORK}{SURE}".encode())
    options = ("--calibrators", "temperature", "--export", "pt2")
    done = command("calibrate", "sure.py:net", "lamps", *options)
    assert done.code == 0, done.stderr
    usual = ("--order", "none", "--shift", "none")
    said = "the model was calibrated on these inputs: on others its calibration will look worse"
    done = command("audit", "calibrated/calibrated.pt2", "lamps", *usual)
    assert said in " ".join(done.stderr.split())
    Path("lamps/dark/0.png").unlink()
    done = command("audit", "calibrated/calibrated.pt2", "lamps", *usual)
    assert done.code == 0, done.stderr
    assert said not in " ".join(done.stderr.split())
