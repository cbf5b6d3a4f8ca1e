"""The twin of an AR-AdaLS run: as much smoothing in every epoch, of other images."""

import pytest
import torch

from arcal.methods import METHODS
from arcal.store import load_tensors
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import read_run
from benchmarks.equal_smoothing import Replayed, twin_of
from tiny_files import write_tiny


def test_soft_labels_are_those_logged_and_begin_one_hot():
    method = Replayed(4, epsilon=[[0.1, 0.2], [0.3, 0.4]])
    assert method.R == 2
    assert method.smoothing.epsilon.tolist() == [0, 0]
    nothing = torch.empty(0)
    for expected in ([0.1, 0.2], [0.3, 0.4]):
        assert method.learn(nothing, nothing, nothing) == {"epsilon": expected}
        assert method.smoothing.epsilon.tolist() == pytest.approx(expected)


def test_a_twin_smooths_as_much_but_other_images(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "replayed", Replayed)
    source = str(write_tiny(tmp_path / "data"))
    settings = {"R": 3, "order": "margin", "alpha": 0.5}
    recipe = RECIPES["demo"].shortened(3)
    run = Run(source, method="ar-adals", settings=settings, recipe=recipe, validation=40)
    ours = train(run, tmp_path / "runs")
    assert any(ours.epochs()[-1]["epsilon"])
    twin = train(twin_of(ours, source), tmp_path / "runs")
    assert read_run(twin).run.recipe == read_run(ours).run.recipe
    for here, there in zip(ours.epochs(), twin.epochs(), strict=True):
        assert here["epsilon"] == there["epsilon"]
    name = "method.smoothing.train_levels."
    (first, _), (second, _) = (load_tensors(folder.checkpoint) for folder in (ours, twin))
    assert torch.equal(first[name + "ids"], second[name + "ids"])
    assert torch.equal(first[name + "levels"].bincount(), second[name + "levels"].bincount())
    assert not torch.equal(first[name + "levels"], second[name + "levels"])
