"""`arcal train`: what it says of a run."""

import numpy as np
import torch
from PIL import Image
from torch import nn

from command_line import arcal

IMAGES = "--images", 60, "--validation", 60, "--epochs", 1


def test_validation_images_that_are_trained_on_and_classes_that_are_not(tmp_path, monkeypatch):
    """As of a folder in which the images of a rare class were copied, so that it weighs more."""
    monkeypatch.chdir(tmp_path)
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (40, 16, 16, 3), np.uint8)
    for part, N in (("train", 40), ("test", 10)):
        for i in range(N):
            path = tmp_path / "photos" / part / ("cat", "dog")[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image = pixels[i % 20] if part == "train" else 255 - pixels[i]
            Image.fromarray(image).save(path)
    options = "--data", "photos", "--size", 16, "--epochs", 1
    said = arcal("train", *options, "--validation", 10).stderr
    assert "of the 10 validation images are among the training images" in said
    assert "no training image" not in said
    said = arcal("train", *options, "--validation", 38, "--images", 1, "--runs", "others").stderr
    assert "arcal: no training image is of the class " in said
    one = "--validation", 1, "--runs", "few"
    assert "arcal: no validation image is of the class " in arcal("train", *options, *one).stderr
    (run,) = (tmp_path / "others").iterdir()
    assert "arcal: no training image is of the class " in arcal("evaluate", run).stderr


NETWORK = """
from torch import nn
def make(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
"""


def test_the_layer_that_does_not_fit_and_is_drawn_anew_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(NETWORK)
    for classes in (3, 10):
        layers = nn.Sequential(nn.Flatten(), nn.Linear(784, classes))
        torch.save(layers.state_dict(), tmp_path / f"{classes}.pt")
    network = "train", "--network", "mine.py:make", *IMAGES
    first = "training vanilla (network mine.py:make from the weights "
    said = arcal(*network, "--weights", "3.pt").stderr
    assert f"{first}3.pt, its layer 1 initialised anew for 10 classes, recipe" in said
    assert f"{first}10.pt, recipe" in arcal(*network, "--weights", "10.pt").stderr
