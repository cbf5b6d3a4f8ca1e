"""Recipes and runs as TOML files: what is written is read back, what is wrong is one line."""

import sys
from dataclasses import replace

import pytest
import tomli_w
import torch

from arcal._version import __version__
from arcal.errors import ArcalError
from arcal.training import train
from arcal.training.recipe_files import as_table, open_recipe, write_command
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of, read_run

NETWORK = """
from torch import nn


def make(classes):
    return nn.Sequential(nn.MaxPool2d(4), nn.Flatten(), nn.Dropout(0.5), nn.Linear(49, classes))
"""


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_recipe_is_read_back_from_its_file(name, tmp_path):
    path = tmp_path / "any.toml"
    path.write_text(tomli_w.dumps(as_table(RECIPES[name])))
    assert open_recipe(str(path)) == RECIPES[name]
    path.write_text(tomli_w.dumps({"command": "train", "recipe": as_table(RECIPES[name])}))
    assert open_recipe(str(path)) == RECIPES[name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs = 3", "lacks batch_size and optimizer and learning_rate"),
        ('like = "fats"', "like = 'fats': choose from"),
        ('like = "fast"\nepoch = 3', "epoch: did you mean epochs?"),
        ('like = "fast"\nepochs = 3.5', "epochs = 3.5: it has to be a whole number"),
        ('like = "fast"\nsteps = [80, 0.1]', "pairs of an epoch and a factor"),
        ('like = "fast"\naugmentation = "cut"', "augmentation 'cut' is unknown"),
        ("epochs =", "is not TOML"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_with_the_file(text, words, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ArcalError) as caught:
        open_recipe(str(path))
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def own_run(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "own_network.py").write_text(NETWORK)
    recipe = replace(RECIPES["small"], epochs=2, steps=())
    yield Run(
        network=f"{tmp_path / 'own_network.py'}:make",
        recipe=recipe,
        images=200,
        validation=200,
        test_images=100,
    )
    sys.modules.pop("own_network", None)


def test_a_network_of_ones_own_is_trained_read_back_and_known_by_its_code(own_run, tmp_path):
    folder = train(own_run, tmp_path / "runs")
    record = read_run(folder)
    assert record.run == own_run
    assert record.run.network_name == "own_network.py:make"
    assert folder.config_checked()["network"] == "own_network.py:make"
    x = torch.rand(3, 1, 28, 28)
    before = model_of(folder)(x)
    again = train(own_run, tmp_path / "other")  # the same bits, dropout among them
    assert torch.equal(model_of(again)(x), before)
    changed = NETWORK.replace("4", "2") + "raise RuntimeError('must not be run')"
    (tmp_path / "own_network.py").write_text(changed)
    with pytest.raises(ArcalError, match="is not what it was when"):
        model_of(folder)


def test_a_command_holds_all_that_is_not_as_usual(tmp_path):
    run = Run(
        method="ar-adals",
        settings={"alpha": {0: 0.001, 60: 0.05}, "order": "gradient", "R": 5},
        seeds=(1, 2),
        recipe=replace(RECIPES["fast"], epochs=70),
        images=300,
        validation=300,
        classes=(1, 2),
    )
    folder = run.folder(tmp_path, run.load())
    write_command(run, folder)
    text = (folder.path / "train.toml").read_text()
    assert open_recipe(str(folder.path / "train.toml")) == run.recipe
    assert text.startswith(f"# written by arcal {__version__}\n")
    assert "weights" not in text
    assert "ensemble = true" in text
    assert "levels = 5" in text
