"""`arcal --classes`: the names of the classes, typed or in a file with one name a line."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.test_cli import succeeds

NAMES = [f"intent {z:02}" for z in range(77)][::-1]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Logits of 77 intents whose order is not that of the alphabet, and labels that are names."""
    monkeypatch.chdir(tmp_path)
    labels = np.arange(154) % 77
    logits = np.random.default_rng(0).normal(size=(154, 77)) + 4 * np.eye(77)[labels]
    np.savez("logits.npz", logits=logits, labels=np.array(NAMES)[labels])
    return labels, logits


@pytest.mark.parametrize("text", ["\n".join(NAMES), "\ufeff" + "\r\n".join(NAMES) + "\r\n\n"])
def test_the_classes_of_a_file_are_those_typed(here, text):
    labels, logits = here
    Path("names.txt").write_bytes(text.encode())
    typed = json.loads(succeeds("audit", "logits.npz", "--classes", *NAMES, "--json").stdout)
    read = json.loads(succeeds("audit", "logits.npz", "--classes", "names.txt", "--json").stdout)
    assert read == typed
    (found,) = read["models"]
    assert found["figures"]["accuracy"] == (logits.argmax(axis=1) == labels).mean()
    Path("config.toml").write_text('command = "calibrate"\nclasses = "names.txt"\n')
    succeeds("calibrate", "logits.npz", "--config", "config.toml", "--calibrators", "temperature")


def test_a_model_on_images_has_its_classes_in_a_file(here):
    Path("names.txt").write_text("light\ndark\n")
    pixels = np.repeat(np.array([[0, 255]] * 20, np.uint8).ravel(), 64).reshape(40, 8, 8)
    np.savez("shades.npz", images=pixels, labels=np.array(["dark", "light"] * 20))
    Path("net.py").write_text(
        "import torch\n\ndef net(x):\n    m = x.mean(dim=(1, 2, 3))\n"
        "    return torch.stack([m - 0.5, 0.5 - m], dim=1)\n"
    )
    options = "--order", "none", "--shift", "none", "--json"
    done = succeeds("audit", "net.py:net", "shades.npz", "--classes", "names.txt", *options)
    (found,) = json.loads(done.stdout)["models"]
    assert found["figures"]["accuracy"] == 1
