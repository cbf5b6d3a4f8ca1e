"""Models and data in the classes of other libraries, such as fastai's tensors."""

import random
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

import arcal
from arcal.errors import ArcalError
from arcal.labelled_batches import augments, inputs_alone

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


# Batches of other sizes may be summed in another order.
EXPECTED = pytest.approx(figures((X, LABELS)), rel=1e-6)


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


@pytest.mark.slow
def test_a_data_set_of_hugging_face_is_audited():
    datasets = pytest.importorskip("datasets")
    rows = {"x": X.flatten(1).tolist(), "label": LABELS.tolist()}
    assert figures(datasets.Dataset.from_dict(rows).with_format("torch")) == EXPECTED


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
        (
            lambda x: nn.functional.normalize(x.flatten(1)),
            (X, LABELS),
            "each row that the model returns has length 1, as a normalised embedding does",
        ),
    ],
)
def test_what_does_not_fit_is_told_how_to(model, data, line):
    with pytest.raises(ArcalError, match=line):
        arcal.audit(model, data, order="margin")


def test_a_wrapper_with_a_model_inside_is_a_function_of_its_own():
    assert figures((X, LABELS), Holder(MODEL)) == EXPECTED


class Mirrored(Dataset[Any]):
    """Images of which half are mirrored, at random, whenever they are read."""

    def __init__(self, N: int = 60) -> None:
        self.N: int = N

    def __len__(self) -> int:
        return self.N

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        x = torch.linspace(0, 1, 8).expand(1, 2, 8) * (i + 1) / 60
        return x.flip(-1) if torch.rand(()) < 0.5 or random.random() < 0.5 else x, i % 2


def test_a_loader_that_augments_is_said_to_wherever_it_is_read():
    """It gave the figures of augmented images without a word."""
    torch.manual_seed(1)
    random.seed(1)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2)).eval()
    plain = TensorDataset(torch.rand(400, 1, 2, 8), torch.arange(400) % 2)
    before = torch.get_rng_state(), random.getstate()
    for data in (DataLoader(Mirrored(), 20), Mirrored()):
        torch.set_rng_state(before[0])
        random.setstate(before[1])
        assert augments(Mirrored(), lambda some: inputs_alone(default_collate(some)))
        assert torch.equal(torch.get_rng_state(), before[0])
        assert random.getstate() == before[1]
        audit = arcal.audit(model, data, order=None)
        assert any("as one with augmentation does" in line for line in audit.doubts)
    assert not any("augment" in line for line in arcal.audit(model, DataLoader(plain, 20)).doubts)
    calibration = arcal.calibrate(
        model, DataLoader(Mirrored(400), 100), calibrators=["temperature"]
    )
    (doubt,) = [line for line in calibration.doubts if "augment" in line]
    assert "give it without augmentation" in doubt
    with pytest.warns(UserWarning, match="the scores are of augmented inputs"):
        arcal.score(model, DataLoader(Mirrored(), 20), order="margin")
