"""What `arcal.audit` refuses, each in a line that says what is wrong and what to do."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch.utils.data import DataLoader

import arcal
from arcal.data import Texts
from arcal.errors import ArcalError
from tests.audits import tiny
from tests.audits.tiny import X, Y, batches


@pytest.mark.parametrize(
    ("model", "data", "line"),
    [
        (torch.nn.Linear(3, 2), None, "data is missing"),
        (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(784, 2)),
         "part", "training mode"),
        (lambda x: x.mean((1, 2, 3)).sigmoid()[:, None].repeat(1, 2) * 0 + 0.5, "part",
         "probabilities"),
        (torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 5)), "part", "5 classes"),
        (3, "part", "not a classifier"),
        ("timm:resnet18", "part", "'timm:resnet18' is only a name: give the module, such as"),
        ([tiny.Brightness(), tiny.Brightness()], "part", "a mapping from names to several"),
        (([[0.5, 0.5]], [0]), None, "the model is a tuple: .*for probabilities P and labels y"),
        (tiny.Brightness(), [], "nothing to audit"),
        (tiny.Brightness(), DataLoader(cast(Any, tiny.part(60))),
         "data is a DataLoader of a part of `arcal.data`, .*: give the part itself"),
        (tiny.Brightness(), (["good", "bad"], [1, 0]), "data holds texts, which a model does not"),
        (torch.nn.Linear(2, 2), (SimpleNamespace(columns=["a", "b"]), [0, 1]),
         "the inputs of data are a SimpleNamespace, and a model takes tensors: give its numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_audited_is_one_line(model, data, line):
    data = tiny.part(60) if data == "part" else data
    if isinstance(model, torch.nn.Module) and line != "training mode":
        model.eval()
    with pytest.raises(ArcalError, match=line) as error:
        arcal.audit(model, data)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("R", [0, 2.5, "10", None])
def test_levels_are_a_whole_number(R):
    with pytest.raises(ArcalError, match="levels: a whole number, at least 1, is needed"):
        arcal.audit(tiny.Brightness(), batches(X, Y), order="margin", R=R)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (batches((255 * X).to(torch.uint8), Y), "inputs are torch.uint8 and the model's weights"),
        (batches(255 * X, Y), "outside the bounds"),
        (batches(X[..., :3], Y), "the model fails on inputs torch.float32 .8, 1, 4, 3."),
        (batches(X, Y + 1), "the label of row 1 is 2, and the 2 classes are 0 .. 1"),
        (batches(X, -100 * Y), "number them from 0, and leave out inputs without a label"),
        (batches(X, Y / 2), "labels are whole numbers, and row 1 has 0.5"),
        ([(X, Y[:30])], r"labels have shape \(30,\), and there are 40 inputs"),
        ([(X, ["a"] * 40)], "labels must be numbers, not text"),
        ([(7, Y)], "the inputs of a batch are an int: give a tensor"),
        ([([*X], Y)], "a batch are a list of 40 tensors, which .* stack them"),
        ([(X * torch.nan, Y)], "NaN or infinity"),
        ((X, Y + 0.5), "labels of data are whole numbers, and row 0 has 0.5"),
        ((X, ["a"] * 40), "labels of data must be numbers, not text"),
        ((X, Y[:30]), r"labels of data have shape \(30,\), and there are 40 inputs"),
        ((X, torch.eye(2)[Y]), "for one-hot rows give argmax"),
    ],
)
def test_data_that_do_not_fit_are_one_line(data, line):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    with pytest.raises(ArcalError, match=line) as error:
        arcal.audit(model, data)
    assert "\n" not in str(error.value)
    assert "--" not in str(error.value), "a flag is of the command line"


@pytest.mark.parametrize(
    ("data", "options", "line"),
    [
        ((X[:0], Y[:0]), {}, "data is empty"),
        (
            (X, Y),
            {"shift": "none"},
            r"shift is 'none': name corruptions by .*or give \(\) for none",
        ),
        ((X, Y), {"shift": ["fog-3"]}, "name corruptions by `arcal.auditing.shift_sets"),
        ((X, Y), {"classes": "ab"}, r"classes is the text 'ab': give a list of names, such as"),
        ((X, Y), {"device": "nowhere"}, "device 'nowhere' cannot be used here"),
        (
            Texts("toy", torch.arange(2), torch.arange(2), ("no", "yes"), ("Never.", "Superb.")),
            {},
            r"data holds texts.* give opened.model, \(opened.tokenize\(texts.texts\)",
        ),
        ("photos", {}, "data is a path: give what `arcal.data.load_part` reads"),
    ],
)
def test_an_argument_that_does_not_fit_is_one_line(data, options, line):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    with pytest.raises(ArcalError, match=line) as error:
        arcal.audit(model, data, **options)
    assert "\n" not in str(error.value)


def test_class_names_in_another_order_than_the_models_own():
    class Named(torch.nn.Sequential):
        class_names = ("cat", "dog")

    model = Named(torch.nn.Flatten(), torch.nn.Linear(16, 2)).eval()
    with pytest.raises(ArcalError, match="cat, dog, and those given are the same in another"):
        arcal.audit(model, (X, Y), classes=["dog", "cat"], order=None)
    with pytest.raises(ArcalError, match="cat, dog, and those given are the same in another"):
        arcal.calibrate(model, (X, Y), classes=["dog", "cat"])
