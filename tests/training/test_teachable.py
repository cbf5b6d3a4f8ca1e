"""What a run is told to have too little of, and of soft labels that teach no class."""

import pytest

from arcal.data import load
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.teachable import doubts_of_run, uniform_labels
from command_line import arcal


@pytest.mark.parametrize(
    ("method", "settings", "validation", "images", "says"),
    [
        ("ar-adals", {"R": 10}, 499, 129, ["499 validation images in 10 levels are 49 in each"]),
        ("ar-adals", {"R": 10}, 500, 129, []),
        ("ar-adals", {"R": 1}, 20, 129, []),
        ("adals", {}, 20, 129, []),
        ("vanilla", {}, 20, 128, ["a batch of 128 holds all 128 training images"]),
    ],
)
def test_too_little_to_learn_from(method, settings, validation, images, says):
    assert RECIPES["small"].batch_size == 128
    run = Run(method=method, settings=settings)
    doubts = list(doubts_of_run(run, load("fashion", images=images, validation=validation)))
    assert len(doubts) == len(says)
    for doubt, begins in zip(doubts, says, strict=True):
        assert doubt.startswith(begins)


def test_soft_labels_at_their_bound():
    assert uniform_labels("vanilla", {"loss": 0.5}, 10) is None
    assert uniform_labels("ar-adals", {"epsilon": [0.99, 0.0]}, 10) is None
    both = uniform_labels("ar-adals", {"epsilon": [0.2, 0.9999986, 1.0]}, 10)
    assert (both or "").startswith("the soft label of 2 of the 3 levels (1, 2) fell to 1/10, which")


def test_the_command_says_both(tmp_path, monkeypatch):
    """A rate of 50 sends the label of any over-confident level to its bound in one update."""
    monkeypatch.chdir(tmp_path)
    options = "--images", 60, "--validation", 60, "--epochs", 2, "--order", "random"
    done = arcal("train", *options, "--method", "ar-adals", "--levels", 30, "--alpha", 50)
    assert done.code == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert "arcal: a batch of 128 holds all 60 training images" in said
    assert "arcal: 60 validation images in 30 levels are 2 in each" in said
    assert "of the 30 levels (" in said
    assert "fell to 1/10, which teaches no class: give fewer --levels" in said
