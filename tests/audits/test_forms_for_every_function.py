"""`arcal.score`, `arcal.audit` and `arcal.calibrate` take the same data and models."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.data import Table

X, Y = torch.rand(60, 3, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 2
MASK = torch.ones(60, 5).long()
NAMES = [("cat", "dog")[y] for y in Y.tolist()]
IMAGES = [Image.new("RGB", (4, 4), (i, 0, 0)) for i in range(60)]
PLAIN = DataLoader(TensorDataset(X, Y), 25)


class Net(nn.Module):
    def __init__(self, output=lambda z: z):
        super().__init__()
        self.linear, self.output = nn.Linear(48, 2), output
        with torch.no_grad():
            waves = torch.arange(48).mul(2).sin()
            self.linear.weight.copy_(torch.stack([waves, -waves]))
            self.linear.bias.zero_()

    def forward(self, x, mask=None):
        share = 1 if mask is None else mask.float().mean(dim=1, keepdim=True)
        return self.output(self.linear(x.flatten(1)) * share)


def each(model: Any, data: Any, **options: Any) -> Iterator[Callable[[], Any]]:
    yield lambda: arcal.score(model, data, "margin", **options)
    yield lambda: arcal.audit(model, data, order="margin", R=2, **options)
    yield lambda: arcal.calibrate(model, data, calibrators=["temperature"], **options)


@pytest.mark.parametrize(
    "data",
    [
        (X, Y.tolist()),
        ({"x": X, "mask": MASK}, Y),
        ((X, MASK), Y.tolist()),
        [((X[:9], MASK[:9]), Y[:9]), ((X[9:], MASK[9:]), Y[9:])],
        [{"x": X[i], "mask": MASK[i], "labels": Y[i]} for i in range(60)],
    ],
)
@pytest.mark.parametrize(
    "output", [lambda z: z, lambda z: SimpleNamespace(logits=z), lambda z: {"logits": z, "loss": 1}]
)
def test_what_one_takes_all_take(data, output):
    expected = arcal.score(Net(), (X, Y), "margin")
    scored, audited, calibrated = (of() for of in each(Net(output).eval(), data))
    torch.testing.assert_close(scored.robustness, expected.robustness)
    assert torch.equal(scored.labels, Y)
    found = audited.models[0].robustness
    assert found is not None
    torch.testing.assert_close(found.robustness, expected.robustness)
    assert calibrated.choice.inputs == 60
    distances = arcal.score(Net(output), data)
    weight, z = Net().linear.weight, Net().linear(X.flatten(1))
    distance = (z[:, 0] - z[:, 1]).abs() / (weight[0] - weight[1]).norm()
    assert (distances.robustness >= distance * (1 - 1e-4)).all()  # the bounds may be in the way
    assert (distances.robustness / distance).median() < 1.05


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (IMAGES, "^data holds Pillow images, .*make a tensor of them, as torch.stack"),
        ((IMAGES, Y), "^data holds Pillow images"),
        ((IMAGES, Y.tolist()), "^data holds Pillow images"),
        ((PLAIN, PLAIN), r"^data is a tuple of 2 loaders or data sets: give one .* data\[1\]"),
        ([PLAIN] * 3, "^data is a list of 3 loaders"),
        ((TensorDataset(X, Y),) * 2, "^data is a tuple of 2 loaders or data sets"),
        ((NAMES, NAMES), r"^data holds texts, .*give opened.model, \(opened.tokenize\(texts\)"),
        ([NAMES, NAMES], "^data holds texts"),
        ([NAMES, Y], "^data holds texts"),
        (NAMES, "^data holds texts"),
        ([(name, 1) for name in NAMES], "^data holds texts"),
        ((X.tolist(), Y), "^the inputs of data are lists of numbers: make tensors of them"),
        (([*X], Y.tolist()), "^the inputs of data are a list of 60 tensors, .* stack them"),
        ((SimpleNamespace(columns=["a"]), Y), "^the inputs of data are a SimpleNamespace, and a"),
        (None, "^data is missing"),
        ((X, NAMES), "must be numbers, not text: .* the names in that order as `classes=`"),
    ],
)
def test_what_one_refuses_all_refuse_in_the_same_words(data, says):
    for of in each(Net().eval(), data):
        with pytest.raises(arcal.ArcalError, match=says) as error:
            of()
        assert "\n" not in str(error.value)


def test_a_table_is_scored_within_its_own_bounds():
    rows = torch.tensor([[0.0, 0.0], [10.0, 2.0], [4.0, 2.0]])
    ids = torch.tensor([3, 5, 8])
    table = Table("toy", ids, torch.tensor([0, 1, 0]), ("no", "yes"), ("a", "b"), rows)
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0]]))
        model.bias.copy_(torch.tensor([5.0, 0.0]))
    scores = arcal.score(model, table)
    assert torch.equal(scores.ids, ids)
    torch.testing.assert_close(
        scores.robustness, torch.tensor([5.0, 5.0, 1.0]), rtol=1e-3, atol=1e-4
    )
