"""From a configuration to a trained folder: AR-AdaLS on the fly."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from arcal.attacks import attack_named
from arcal.data import load
from arcal.errors import ArcalError
from arcal.networks import build
from arcal.ranks import levels
from arcal.store import RunFolder, load_tensors
from arcal.training._checkpoints import load_members
from arcal.training._train import train
from arcal.training.many import with_bases
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import data_of, model_of
from arcal.training.scoring import score_run
from tiny_files import write_tiny


def test_levels_are_cut_by_the_model_as_it_is_then(tmp_path, monkeypatch):
    source = str(write_tiny(tmp_path / "data"))
    data = load(source, validation=40)
    settings = {"R": 3, "order": "margin", "alpha": 0.2, "rescore": [2]}
    recipe = RECIPES["demo"].shortened(3)
    run = Run(source, method="ar-adals", settings=settings, recipe=recipe, validation=40)
    log = RunFolder.log_epochs

    def killed_in_epoch_3(folder, records):
        if len(records) == 3 and folder.name.startswith("ar-adals"):
            raise KeyboardInterrupt
        log(folder, records)

    monkeypatch.setattr(RunFolder, "log_epochs", killed_in_epoch_3)
    with pytest.raises(KeyboardInterrupt):
        train(run, tmp_path / "runs", data=data)
    folder = run.folder(tmp_path / "runs", data)
    assert ["rescoring_seconds" in record for record in folder.epochs()] == [False, True]
    model = build("small", classes=3, shape=data.shape, generator=torch.Generator())
    load_members([model], folder)
    model.eval()
    tensors, _ = load_tensors(folder.checkpoint)
    for part, name in ((data.train, "train"), (data.validation, "validation")):
        with torch.no_grad():
            top = model(part.images(torch.arange(len(part))).float() / 255).topk(2, dim=1).values
        expected = levels(top[:, 0] - top[:, 1], part.ids, 3)
        assert torch.equal(tensors[f"method.smoothing.{name}_levels.ids"], part.ids.sort().values)
        found = tensors[f"method.smoothing.{name}_levels.levels"]
        assert (found == expected[part.ids.argsort()]).double().mean() > 0.97  # rounding


@pytest.mark.parametrize(("method", "by"), [("vanilla", "gradient"), ("ar-adals", "attack")])
def test_images_are_perturbed_by_the_distances_of_a_vanilla_run(tmp_path, method, by):
    """Of each of two seeds, on average, and by the model that has nothing added to it."""
    source = str(write_tiny(tmp_path / "data"))
    recipe, added = RECIPES["demo"].shortened(1), {"perturbed": 0.5, "perturbed_by": by}
    ranks = {"R": 2, "order": "gradient"} if method == "ar-adals" else {}
    run = Run(
        source,
        method=method,
        settings=added | {"noise": 0.1} | ranks,
        seeds=(0, 1),
        recipe=recipe,
        validation=40,
    )
    data, root = run.load(), tmp_path / "runs"
    folder = train(run, root, data=data)
    tensors, _ = load_tensors(folder.checkpoint)
    attack = attack_named("boundary-projection-quick") if by == "attack" else None
    distances = []
    for seed in (0, 1):
        base = Run(source, seeds=(seed,), recipe=recipe, validation=40)
        assert base.path(root, data).exists()
        scores = score_run(base.folder(root, data), data.train, "train", by, attack=attack)
        distances.append(scores.robustness)
    mean = torch.stack(distances).mean(dim=0)
    mean = mean.clamp(max=float(mean[mean.isfinite()].max()))
    assert torch.equal(tensors["method.distances_by_id.ids"], data.train.ids.sort().values)
    assert torch.equal(tensors["method.distances_by_id.distance"], mean[data.train.ids.argsort()])
    assert with_bases([run])[-1] == run
    assert len(with_bases([run])) == 3


THEN = """
import torch
from torch import nn


class Then(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Differs(nn.Module):
    def __init__(self, classes, function):
        super().__init__()
        self.layer, self.function = nn.Linear(784, classes), function

    def forward(self, x):
        logits = self.layer(x.flatten(1))
        return self.function(logits) if self.training else logits


def then(classes, function):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes), Then(function))


"""


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("[1 / 0]", r"own\.py"),
        ("nn.Sequential(nn.Flatten(), nn.AdaptiveAvgPool1d(classes))", "no weights to train"),
        ("nn.Sequential(nn.Flatten(), nn.Linear(784, classes)).requires_grad_(False)", "all are f"),
        ("then(classes, lambda z: z + torch.rand_like(z))", "the model is stochastic"),
        ("then(classes, lambda z: z - z.mean(0))", "depend on the others of its batch"),
        ("then(classes, lambda z: z.double())", r"let it return `logits.to\(torch.float32\)`"),
        ("then(classes, lambda z: z.softmax(1))", "returns probabilities"),
        ("Differs(classes, lambda z: (z, z))", "in training mode gives a tuple for 2 images"),
        ("Differs(classes, lambda z: z / z[9])", r"in training mode, in .*own\.py:\d+: IndexErr"),
        ("Differs(classes, nn.BatchNorm1d(classes))", "1 image at once .* with --images"),
        ("Differs(classes, lambda z: z[:, :2])", r"gives \(2, 2\) .* logits of shape \(2, 3\)"),
    ],
)
def test_a_network_that_cannot_be_trained_leaves_no_folder(made, says, tmp_path):
    code = THEN + f"def make(classes):\n    return {made}\n"
    (file := tmp_path / "own.py").write_text(code)
    size = {"validation": 40, "images": 113, "recipe": replace(RECIPES["small"], batch_size=16)}
    run = Run(str(write_tiny(tmp_path / "data")), network=f"{file}:make", **size)
    with pytest.raises(ArcalError, match=says):
        train(run, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_what_a_network_draws_and_keeps_out_of_its_state_is_drawn_again(tmp_path):
    """Such as a fixed projection: a model of other draws would be another model, without a word."""
    code = """import torch
from torch import nn

class Projected(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.register_buffer("fixed", torch.randn(784, 20) / 28, persistent=False)
        self.last = nn.Linear(20, classes)

    def forward(self, x):
        return self.last(x.flatten(1) @ self.fixed)
"""
    (file := tmp_path / "own_projected.py").write_text(code)
    run = Run(
        str(write_tiny(tmp_path / "data")),
        network=f"{file}:Projected",
        recipe=RECIPES["small"].shortened(1),
        validation=40,
    )
    folder = train(run, tmp_path / "runs")
    assert "member0.fixed" not in load_tensors(folder.checkpoint)[0]
    part = data_of(folder).validation
    x, labels = part.images(torch.arange(len(part))).float() / 255, part.labels
    nll = F.cross_entropy(model_of(folder)(x), labels).item()
    assert nll == pytest.approx(folder.epochs()[-1]["nll"], rel=1e-5)
