"""Batches in the forms that people's own loaders give: the same figures in each, or a line."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import arcal

N = 90
DRAW = torch.Generator().manual_seed(0)
X, Y = torch.rand(N, 3, 4, 4, generator=DRAW), torch.randint(3, (N,), generator=DRAW)
NAMES = [f"{i:02}.png" for i in range(N)]
with torch.random.fork_rng():
    torch.manual_seed(0)
    MODEL = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()


@dataclass
class Sample:
    image: Tensor
    label: Tensor


class Array:
    """An array of another library."""

    def __init__(self, values):
        self.values = values.numpy()

    def __array__(self, dtype=None, copy=None):
        return self.values

    def __len__(self):
        return len(self.values)


def loader(form, **options):
    """Batches of the items that `form` makes of an input, its label and its position."""
    items: Any = [form(x, int(y), i) for i, (x, y) in enumerate(zip(X, Y, strict=True))]
    return DataLoader(items, 40, **options)


def batches(form):
    return [form(x, y) for x, y in zip(X.split(40), Y.split(40), strict=True)]


FORMS = {
    "names last": loader(lambda x, y, i: (x, y, NAMES[i])),
    "names first": loader(lambda x, y, i: (NAMES[i], x, y)),
    "names in a dict": loader(lambda x, y, i: {"image": x, "label": y, "path": NAMES[i]}),
    "names as ids": loader(lambda x, y, i: {"ids": NAMES[i], "image": x, "label": y}),
    "positions last": loader(lambda x, y, i: (x, y, i)),
    "columns": loader(lambda x, y, i: (x, torch.tensor([y]), torch.tensor([i]))),
    "x, y": loader(lambda x, y, i: {"x": x, "y": y}),
    "inputs, targets": loader(lambda x, y, i: {"inputs": x, "targets": y}),
    "data, target": loader(lambda x, y, i: {"data": x, "target": y}),
    "a list of pairs": [(x, int(y)) for x, y in zip(X, Y, strict=True)],
    "a tuple of pairs": tuple(zip(X.numpy(), Y, strict=True)),
    "a list of dicts": [{"image": x, "target": int(y)} for x, y in zip(X, Y, strict=True)],
    "a list of pairs with names": [*zip(X, Y.tolist(), NAMES, strict=True)],
    "a list of pairs of tensors": [*zip(X, Y, strict=True)],
    "a dataclass": batches(Sample),
    "NumPy": batches(lambda x, y: (x.double().numpy(), y.numpy().astype(np.uint8))),
    "other arrays": batches(lambda x, y: {"image": Array(x), "label": Array(y)}),
}


def figures(data):
    audit = arcal.audit(MODEL, data, order="margin")
    found = audit.figures()["model"]
    return [found[name] for name in ("n", "accuracy", "confidence", "ece", "nll")], audit


EXPECTED = figures((X, Y))[0]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_figures(form):
    assert figures(FORMS[form])[0] == pytest.approx(EXPECTED, rel=1e-5)
    scores, expected = (arcal.score(MODEL, of, "margin") for of in (FORMS[form], (X, Y)))
    assert torch.equal(scores.ids, expected.ids)
    assert torch.equal(scores.labels, expected.labels)
    torch.testing.assert_close(scores.robustness, expected.robustness)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(
    "form",
    [
        lambda x, y, i: (x, y, NAMES[i]),
        lambda x, y, i: (NAMES[i], x, y),
        lambda x, y, i: {"image": x, "y": y, "path": NAMES[i]},
    ],
)
def test_names_in_batches_are_those_of_the_inputs(form, shuffle):
    torch.manual_seed(1)
    validation = loader(lambda x, y, i: (x, y, f"not {i}"))
    audit = arcal.audit(MODEL, loader(form, shuffle=shuffle), order="margin", validation=validation)
    table = audit.inputs()
    rows = [NAMES.index(name) for name in table["name"].to_pylist()]
    assert sorted(rows) == [*range(N)]
    assert table["label"].to_pylist() == Y[rows].tolist()
    p = MODEL(X).softmax(1)[rows, Y[rows]].tolist()
    assert table["label_probability"].to_pylist() == pytest.approx(p, rel=1e-5)


def test_positions_in_batches_are_ids_of_a_loader_that_shuffles():
    torch.manual_seed(1)
    shuffled = loader(lambda x, y, i: (x, y, i), shuffle=True)
    scores, expected = (arcal.score(MODEL, of, "margin") for of in (shuffled, (X, Y)))
    assert not torch.equal(scores.ids, expected.ids)
    torch.testing.assert_close(scores.robustness, expected.robustness[scores.ids])


def test_numbers_that_are_no_ids_are_told_apart_from_them_before_the_model_runs():
    def model(x):
        raise AssertionError("the model ran")

    for form in (lambda x, y, i: (x, y, y // 2), lambda x, y, i: (x, i, y)):
        with pytest.raises(arcal.ArcalError, match="read as ids, and some occur twice: give every"):
            arcal.score(model, loader(form))


class Module:
    """Several loaders under one roof."""

    def train_dataloader(self):
        return []

    def val_dataloader(self):
        return []


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ([(torch.rand(2, 3), [0, 1], {"a": [5, 6]})], "as `[(x, labels) for x, labels, *_ in lo"),
        ([({"x": torch.rand(2, 3)}, [0, 1], [0.5, 1])], "first of a batch of three is a dict, wh"),
        ([(torch.rand(2, 3), [0, 1], [5, 5])], "the last of a batch of three are read as ids, an"),
        ([(torch.rand(2, 3), {"label": [0, 1]})], "the labels of a batch are a dict"),
        ([(torch.rand(2, 3), [[0], [0, 1]])], "labels is not an array"),
        ([(torch.rand(2, 3), ["oak", "ash"])], "the names in that order as `classes=`"),
        ([(["oak", "ash"], [0, 1], [5, 6])], "the inputs are texts, which no model reads"),
        ([{"image": torch.rand(2, 3), "class": [0, 1]}], "a batch is a dict of 'image', 'class':"),
        ([{"x": torch.rand(2, 3), "y": [0, 1], "target": [0, 1]}], "call the labels 'labels'"),
        ([{"x": torch.rand(2, 3), "y": [0, 1], "a": ["b"] * 2, "c": ["d"] * 2}], "input 'a' is a"),
        (([1, 2, 3], [0, 1, 2]), "a batch has one label and no list of them"),
        ({"train": [], "valid": []}, "read, or one of its parts, such as data['valid']"),
        ({"x": torch.rand(2, 3), "y": [0, 1]}, "read, or [data] if it is a single batch"),
        (Module(), "read, or one of its parts, such as data.val_dataloader()"),
        (iter([]), "is empty; as a list_iterator it can be read once: give the loader that it com"),
        ([(torch.rand(2, 3), [0, 1], [5, 6], [7, 8])], "`[(x, labels) for x, labels, *_ in loader"),
    ],
)
def test_what_may_be_several_things_is_refused_with_what_to_give(data, says):
    net = nn.Linear(3, 3).eval()
    for run in (arcal.audit, arcal.score, arcal.calibrate):
        with pytest.raises(arcal.ArcalError, match=re.escape(says)) as raised:
            run(net, data)
        assert "\n" not in str(raised.value)
