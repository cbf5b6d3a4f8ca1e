"""What the column of labels is called in files of predictions, if not as usual."""

from pathlib import Path

import numpy as np
import pytest

from arcal.errors import ArcalError
from arcal.prediction_files import ColumnNames, read_predictions


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(text, name="mine.csv", **more):
    Path(name).write_text(text.replace(" ", "\n") + "\n")
    return read_predictions(Path(name), ColumnNames(**more))


@pytest.mark.parametrize("name", ["target", "Targets", "true", "true_label", "Truth", "gold"])
def test_labels_have_many_names(name):
    saved = read(f"{name},probability 1,0.75 0,0.25")
    assert (saved.predictions.labels.tolist(), saved.unused) == ([1, 0], ())
    np.savez("mine.npz", **{name: [1, 0], "probabilities": [0.75, 0.25]})
    assert read_predictions(Path("mine.npz")).predictions.labels.tolist() == [1, 0]


def test_a_usual_name_comes_first_and_two_others_are_refused():
    saved = read("target,label,probability 0,1,0.75 1,0,0.25")
    assert (saved.predictions.labels.tolist(), saved.unused) == ([1, 0], ("target",))
    with pytest.raises(ArcalError, match="there are columns target and gold: keep one of them"):
        read("target,gold,probability 0,1,0.75 1,0,0.25")
    assert read("target,gold,probability 0,1,0.75", label="gold").unused == ("target",)
    assert read("y,target,probability 0,1,0.75 1,0,0.25").unused == ("y",)
    with pytest.raises(ArcalError, match="there are no labels"):
        read("class,probability 0,0.75 1,0.25")


def test_no_output_is_taken_for_the_labels():
    saved = read("target,true,false true,0.75,0.25 false,0.5,0.5")
    assert saved.classes == ("true", "false")
    saved = read("target,gold,tin gold,0.75,0.25 tin,0.5,0.5")
    assert (saved.classes, saved.predictions.labels.tolist()) == (("gold", "tin"), [0, 1])
    with pytest.raises(ArcalError, match="there are no labels, only true, false"):
        read("true,false 0.75,0.25 0.5,0.5")
    with pytest.raises(ArcalError, match="there are no labels, only true, false"):
        read("true,false,probability 1,0,0.25 0,1,0.5")
    assert read("target,true,false 1,1,0 0,0,1", probabilities=["false", "true"]).classes
