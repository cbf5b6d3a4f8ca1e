"""Python in the documents runs, in the order of each page, on a tiny data set and network."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from documents import ROOT, blocks
from PIL import Image
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

import arcal
from arcal.calibration.posthoc import CALIBRATORS, EVALUATED, POSTHOC
from arcal.data import load
from arcal.training import RECIPES, Run, train

PAGES = ("README.md", *(f"docs/{name}.md" for name in ("choosing-alpha-and-R", "evaluation")))
PAGES += (
    "docs/answers.md",
    "docs/audit.md",
    "docs/calibrate.md",
    "docs/comparing-audits.md",
    "docs/methods.md",
    "docs/predictions.md",
    "docs/production.md",
    "docs/scoring.md",
    "docs/several-inputs-per-patient.md",
    "docs/the-method.md",
    "docs/train-your-network.md",
    "docs/your-data.md",
    "docs/your-model.md",
    "docs/your-training-loop.md",
)
TRAINED_ELSEWHERE = "PolyLoss"
"""The example of a method, which `tests/training/test_trained_methods.py` runs."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, which has seen next to nothing."""
    recipe = RECIPES["demo"].shortened(1)
    run = Run(recipe=recipe, images=64, validation=64, test_images=64)
    return train(run, tmp_path_factory.mktemp("runs")).path


@pytest.fixture(scope="module")
def names():
    """What the snippets take for granted: a network, its data, and what it says of them."""
    data = load("fashion", images=64, validation=64, test_images=64)
    torch.manual_seed(0)
    linear = nn.Linear(784, 10)
    nn.init.zeros_(linear.weight)
    model = nn.Sequential(nn.Flatten(), linear)
    everything = torch.arange(64)
    x, y = data.validation.images(everything) / 255, data.validation.labels
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(30):  # until a temperature can be fitted
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    batches = {
        name: (part.ids, part.images(everything) / 255, part.labels) for name, part in parts.items()
    }
    ids, images, labels = batches["test"]
    logits, validation_logits = model(images).detach(), model(x).detach()
    return {
        "arcal": arcal,
        "Path": Path,
        "model": model,
        "old_model": nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval(),
        "vanilla": model,
        "ids": ids,
        "labels": labels,
        "images": images,
        "new_images": images,
        "logits": logits,
        "logits_in_fog": logits,
        "names": data.classes,
        "validation_ids": data.validation.ids,
        "validation_images": x,
        "validation_labels": y,
        "validation_logits": validation_logits,
        "probabilities": validation_logits.softmax(dim=1),
        "confidence": validation_logits.softmax(dim=1).amax(dim=1),
        "correct": validation_logits.argmax(dim=1) == y,
        "loader": [batches["test"]],
        "test_loader": [batches["test"]],
        "train_loader": [batches["train"]],
        "plain_train_loader": [batches["train"]],
        "validation_loader": [batches["validation"]],
    }


class Bert(nn.Module):
    """A classifier of embeddings and their mask, called as such models are."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(8, 2)

    def forward(self, inputs_embeds, attention_mask):
        words = (inputs_embeds * attention_mask.unsqueeze(-1)).sum(dim=1)
        return {"logits": self.head(words / attention_mask.sum(dim=1, keepdim=True))}


def text():
    """A classifier of texts, and embeddings of 64 texts of five words or fewer."""
    words = torch.arange(64) % 4 + 2
    mask = (torch.arange(5) < words.unsqueeze(1)).float()
    draw = torch.Generator().manual_seed(0)
    embeddings = torch.randn(64, 5, 8, generator=draw)
    return {"bert": Bert(), "embeddings": embeddings, "mask": mask.long()}


class Pixels(nn.Module):
    """A classifier of images, called as those of transformers are."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(784, 10)

    def forward(self, pixel_values, labels=None):
        return {"logits": self.head(pixel_values.flatten(1))}


def training_loop(names):
    """Data sets for a training loop, networks, and what an epoch's validation says."""
    x, y, ids = names["validation_images"], names["validation_labels"], names["validation_ids"]
    smoothing = arcal.AdaptiveLabelSmoothing(Z=10, R=2, alpha=0.1)
    levels = torch.arange(len(ids)) % 2
    smoothing.assign("validation", ids, levels)
    confidence, correct = arcal.confidence_and_correct(names["probabilities"], y)
    dicts = [{"pixel_values": x[i], "labels": int(y[i]), "id": i} for i in range(len(y))]
    return {
        "train_set": TensorDataset(x, y),
        "validation_set": TensorDataset(x, y),
        "classifier": Pixels(),
        "vanilla_classifier": Pixels(),
        "images_with_id": dicts,
        "validation_images_with_id": dicts,
        "smoothing": smoothing,
        "levels": levels,
        "confidence": confidence,
        "correct": correct,
        "ids": ids,
    }


def of_scikit_learn():
    """A pipeline that was fitted, and tables that it reads."""
    X, y = load_breast_cancer(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:200], y[:200])
    validation = {"X_validation": X[200:300], "y_validation": y[200:300]}
    return {"pipeline": pipeline, "X": X[300:], "y": y[300:], "X_today": X[300:], **validation}


def write_photos():
    """A folder of small images, for training."""
    for file in (f"photos/{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")):
        Path(file).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (4, 4)).save(f"{file}/{i}.png")


def is_installed(code):
    """Whether all that a block imports is there; some of it is in extras."""
    imported = re.findall(r"^from (\w+)|^import (\w+)", code, re.MULTILINE)
    names = {name for pair in imported for name in pair if name}
    if "transformers" in names:  # whose Trainer runs on it
        names.add("accelerate")
    return all(find_spec(name) for name in names)


@pytest.fixture(autouse=True)
def calibrators():
    """A page that registers a calibrator of one's own leaves none behind."""
    tables = CALIBRATORS, EVALUATED, POSTHOC
    before = [dict(table) for table in tables]
    yield
    for table, known in zip(tables, before, strict=True):
        for kind in {*table} - {*known}:
            del table[kind]


@pytest.mark.filterwarnings("ignore:::pytorch_lightning")  # advice for larger trainings
@pytest.mark.filterwarnings("ignore:.*TreeSpec:FutureWarning")
@pytest.mark.parametrize("page", PAGES)
def test_python_runs(page, names, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page == "docs/scoring.md":
        names = names | {"labels": names["labels"] % 2, **text()}
    if page == "docs/production.md":
        arcal.calibrate(names["model"], names["validation_loader"]).save("calibrated")
    if page == "docs/your-training-loop.md":
        names = names | training_loop(names)
    if page == "docs/your-model.md":
        names = names | of_scikit_learn()
    if page == "docs/train-your-network.md":
        write_photos()
    if page == "docs/evaluation.md":
        draw = torch.Generator().manual_seed(0)
        seeds = [names["logits"] + torch.randn(64, 10, generator=draw) for _ in range(3)]
        names = names | {"plain_logits": seeds, "my_logits": [z / 2 for z in seeds]}
    codes = [
        code.replace("runs/RUN", str(run)) for code in blocks((ROOT / page).read_text(), "python")
    ]
    assert codes
    state: dict = {}
    for code in codes:
        if TRAINED_ELSEWHERE in code or not is_installed(code):
            continue
        state |= names  # as if each were copied from the page alone, but for what it imports
        exec(compile(code, page, "exec"), state)
    if page == "docs/train-your-network.md":
        data = load("small", validation=2)
        assert data.test.shape == (3, 4, 4)
        assert data.test.labels.tolist() == [0, 0, 0, 1, 1, 1]


def test_no_page_with_python_is_forgotten():
    with_python = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
        if blocks(path.read_text(), "python")
    }
    assert with_python == set(PAGES)
