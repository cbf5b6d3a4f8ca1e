"""What a run is told to have too little of, and of soft labels that teach no class."""

import pytest

from arcal.data import load
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.teachable import doubts_of_run


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
