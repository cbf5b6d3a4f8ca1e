"""A run folder of arcal's as a classifier."""

import pytest
import torch

from arcal.auditing import check_model
from arcal.data import load_test
from arcal.errors import ArcalError
from arcal.training import RECIPES, Run, train
from arcal.training.opened_run import open_model
from arcal.training.saved_run import models_of

pytestmark = pytest.mark.processor


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run of two members, which has seen next to nothing."""
    recipe = RECIPES["demo"].shortened(1)
    run = Run(recipe=recipe, seeds=(0, 1), images=64, validation=64, test_images=64)
    return train(run, tmp_path_factory.mktemp("runs"))


def test_the_members_are_one_model_whose_probabilities_are_their_mean(folder):
    opened, test = open_model(str(folder.path)), load_test("fashion")
    x = test.images(torch.arange(20)) / 255
    mean = torch.stack([member(x).softmax(dim=1) for member in models_of(folder)]).mean(dim=0)
    torch.testing.assert_close(opened.model(x).softmax(dim=1), mean)
    assert (opened.name, opened.kind) == (folder.name, "images")
    assert opened.class_names == test.classes
    assert opened.input_shape == test.shape
    assert opened.facts["Method"] == "vanilla"
    assert opened.facts["Seeds"] == "0 1"
    assert opened.facts["Trained on"] == "fashion/train, validated on fashion/validation"
    assert "2 members" in opened.facts["Network"]
    check_model(opened.model, x, test.labels[:20], classes=10)


def test_weights_beside_it_are_one_line(folder):
    with pytest.raises(ArcalError, match=r"has its own weights: leave out w.pt"):
        open_model(str(folder.path), weights="w.pt")


def test_a_folder_of_runs_names_one_of_them(folder):
    with pytest.raises(ArcalError, match=f"name a folder in it, such as .*{folder.name}"):
        open_model(str(folder.path.parent))
