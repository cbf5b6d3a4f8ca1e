"""Validation, other and unlabelled inputs may come from loaders: the same as from tensors."""

import re
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

import arcal
from arcal.errors import ArcalError

N = 240
DRAW = torch.Generator().manual_seed(0)
X, Y = torch.rand(N, 3, generator=DRAW), torch.randint(3, (N,), generator=DRAW)
NOISE = torch.rand(90, 3, generator=DRAW)
MODEL = torch.nn.Linear(3, 3).eval()
MODEL.weight.data = 9 * torch.eye(3)


class Inputs(Dataset):
    """Inputs without labels, each alone or under a name."""

    def __init__(self, name=None):
        self.name = name

    def __getitem__(self, i):
        return NOISE[i] if self.name is None else {self.name: NOISE[i], "label": -1}

    def __len__(self):
        return len(NOISE)


UNLABELLED = {
    "tensors": [NOISE[:50], NOISE[50:]],
    "lists of one": DataLoader(TensorDataset(NOISE), 32),
    "with labels, and shuffled": DataLoader(
        TensorDataset(NOISE, torch.full((90,), 7)), 32, shuffle=True
    ),
    "with ids": [(torch.arange(90) + 5, NOISE, torch.full((90,), -1))],
    "a data set of inputs": Inputs(),
    "a data set of dicts": Inputs("image"),
    "batches of dicts": DataLoader(Inputs("image"), 16),
    "once": iter([NOISE[:50], NOISE[50:]]),
}


@pytest.mark.parametrize("kind", UNLABELLED)
def test_unlabelled_inputs_of_a_loader(kind):
    expected, today = (
        arcal.calibrate(MODEL, (X, Y), calibrators=["temperature"], unlabelled=some).today
        for some in (NOISE, UNLABELLED[kind] if kind != "once" else iter([NOISE[:50], NOISE[50:]]))
    )
    assert expected is not None
    assert today is not None
    assert today.n == 90
    assert today.accuracy == pytest.approx(expected.accuracy, abs=1e-6)
    assert pytest.approx(expected.T, rel=1e-5) == today.T


@pytest.mark.parametrize("data", [(X[:90], Y[:90]), DataLoader(TensorDataset(X[:90], Y[:90]), 25)])
def test_validation_and_other_data_of_loaders(data):
    beside = X[90:], Y[90:]
    audits = [
        arcal.audit(MODEL, data, order="margin", validation=validation, other={"noise": noise})
        for validation, noise in (
            (beside, (NOISE, torch.zeros(90).long())),
            (DataLoader(TensorDataset(*beside), 40), NOISE),
            (DataLoader(TensorDataset(*beside), 40, shuffle=True), UNLABELLED["tensors"]),
            (TensorDataset(*beside), UNLABELLED["with labels, and shuffled"]),
        )
    ]
    expected, *others = (audit.figures()["model"] for audit in audits)
    assert audits[0].models[0].posthoc.fitted_on == 150
    assert "other.noise.auroc_confidence" in expected
    for figures in others:
        assert figures == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


def test_several_models_read_each_loader_again():
    validation = DataLoader(TensorDataset(X, Y), 40)
    models = {"a": MODEL, "b": lambda x: 2 * MODEL(x)}
    audit = arcal.audit(models, (X, Y), order=None, validation=validation)
    assert [model.posthoc.fitted_on for model in audit.models] == [N, N]
    once: list[dict[str, Any]] = [
        {"validation": iter([(X, Y)])},
        {"other": {"noise": iter([NOISE])}},
    ]
    for options in once:
        (name,) = options.get("other", options)
        with pytest.raises(ArcalError, match=f"{name} can be read once, and there are several mo"):
            arcal.audit(models, (X, Y), order=None, **options)


@pytest.mark.parametrize(
    ("validation", "says"),
    [
        ([(X, Y), (2 * X, Y)], "validation: batch 2 of the loader, after 240 inputs: inputs reach"),
        ([(X, Y), (X, Y + 1)], "validation: batch 2 of the loader, after 240 inputs: the label"),
        ([X], "validation: a batch is a Tensor"),
        ([], "validation is empty"),
        (
            DataLoader(TensorDataset(X, Y), 9, sampler=WeightedRandomSampler([1.0] * N, N)),
            "validation: the loader's sampler draws some inputs more than once",
        ),
    ],
)
def test_validation_batches_that_cannot_be_are_refused_by_name(validation, says):
    with pytest.raises(ArcalError, match=f"^{re.escape(says)}"):
        arcal.audit(MODEL, (X, Y), order="margin", validation=validation)


@pytest.mark.parametrize(
    ("unlabelled", "says"),
    [
        ([1, 2, 3], "unlabelled: the inputs of a batch are an int: give a tensor (N, ...)"),
        ([(NOISE, NOISE, NOISE)], "unlabelled: the first of a batch of three is (90, 3), which"),
        ({"may": [1, 2, 3]}, "may: the inputs of a batch are an int"),
        (
            [NOISE, 0 * NOISE / 0],
            "unlabelled: the logits hold NaN in row 90: leave such inputs out",
        ),
        ([], "unlabelled is empty"),
        (
            DataLoader(TensorDataset(NOISE), 9, sampler=WeightedRandomSampler([1.0] * 90, 90)),
            "unlabelled: the loader's sampler draws some inputs more than once",
        ),
        (7, "unlabelled is an int: give a loader, a data set, a pair (x, labels) or images"),
    ],
)
def test_unlabelled_inputs_that_cannot_be_are_refused_by_name(unlabelled, says):
    with pytest.raises(ArcalError, match=f"^{re.escape(says)}"):
        arcal.calibrate(MODEL, (X, Y), calibrators=["temperature"], unlabelled=unlabelled)
