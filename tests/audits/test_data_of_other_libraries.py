"""Models and data in the classes of other libraries, such as fastai's tensors."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import arcal
from arcal.errors import ArcalError

NAMES = ["ash", "birch", "oak"]
X = torch.rand(210, 3, 4, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(210) % 3
with torch.random.fork_rng():
    torch.manual_seed(0)
    MODEL = nn.Sequential(nn.Flatten(), nn.Linear(48, 3)).eval()


class Own(Tensor):
    """A subclass that, like fastai's, has no operator with another."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        if not all(issubclass(cls, one) for one in types):
            return NotImplemented
        return super().__torch_function__(func, types, args, kwargs or {})


class Picture(Own):
    pass


class Category(Own):
    pass


class Items:
    """A data set by its methods alone."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def figures(data, model: Any = MODEL, **options):
    found = arcal.audit(model, data, order="gradient", **options).figures()["model"]
    return [found[name] for name in ("n", "accuracy", "confidence", "ece", "nll")]


# Batches of other sizes are summed in another order.
EXPECTED = pytest.approx(figures((X, LABELS)), rel=1e-5)


def as_pictures(batch):
    x, labels = map(torch.stack, zip(*batch, strict=True))
    return x.as_subclass(Picture), labels.as_subclass(Category)


def test_subclasses_of_tensors_are_audited_and_calibrated_as_tensors():
    with pytest.raises(TypeError):
        _ = X.as_subclass(Picture)[:, 0, 0, 0] > LABELS.as_subclass(Category)
    loader = DataLoader(TensorDataset(X, LABELS), 70, collate_fn=as_pictures)
    pair = X.as_subclass(Picture), LABELS.as_subclass(Category)
    for data in (loader, pair):
        assert figures(data) == EXPECTED
        arcal.calibrate(MODEL, data, calibrators=["temperature"])


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_frozen_torchscript_program_is_audited_and_calibrated():
    program = torch.jit.freeze(torch.jit.script(MODEL))
    assert figures((X, LABELS), program) == EXPECTED
    arcal.calibrate(program, (X, LABELS), calibrators=["temperature"])


def test_a_data_set_that_is_none_of_torch_is_read_by_items():
    rows = Items([{"image": x, "label": int(y)} for x, y in zip(X, LABELS, strict=True)])
    assert figures(rows) == EXPECTED


def test_labels_of_a_loader_may_be_names():
    named: Any = [(x, NAMES[y]) for x, y in zip(X, LABELS.tolist(), strict=True)]
    assert figures(DataLoader(named, 70), classes=NAMES) == EXPECTED
    arcal.calibrate(MODEL, DataLoader(named, 70), classes=NAMES, calibrators=["temperature"])
    assert figures(Items(named), classes=NAMES) == EXPECTED
    with pytest.raises(ArcalError, match="the label of row 1 is 'birch', and the classes are"):
        figures(DataLoader(named, 70), classes=["ash", "beech", "oak"])


class Holder:
    model = MODEL

    def __init__(self, call):
        self.call = call

    def __call__(self, x):
        return self.call(x)


@pytest.mark.parametrize(
    ("model", "data", "line"),
    [
        (Holder(lambda x: {}[0]), (X, LABELS), "Holder fails .* give its attribute `model`, or pr"),
        (MODEL, (list(X), LABELS), "are a list of 210 tensors, .* stack them"),
        (MODEL, Items([{"text": "oak", "label": 1}] * 9), "texts, which no model .* by your token"),
        (
            MODEL,
            [{"x": X[:9], "row": LABELS[:9], "label": LABELS[:9]}],
            r"lambda x, row: model\(x\), or lambda \*\*parts: model\(parts\)",
        ),
        (nn.Linear(3, 2).half(), (X.flatten(1), LABELS), r"float16: convert the model, by `.float"),
        (lambda x: MODEL(x)[..., None, None], (X, LABELS), r"drop the rest, by `.flatten\(1\)`"),
    ],
)
def test_what_does_not_fit_is_told_how_to(model, data, line):
    with pytest.raises(ArcalError, match=line):
        arcal.audit(model, data, order="margin")


def test_a_wrapper_with_a_model_inside_is_a_function_of_its_own():
    assert figures((X, LABELS), Holder(MODEL)) == EXPECTED
