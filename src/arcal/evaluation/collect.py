"""From a trained run to its predictions, and from predictions to figures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from arcal.calibration import average, brier, confidence_and_correct, ece, nll
from arcal.data import Data, InMemory, Part, batches
from arcal.errors import ArcalError
from arcal.robustness import Robustness
from arcal.store import RunFolder, content_hash, load_tensors, save_tensors
from arcal.training.device import fabric_on
from arcal.training.fit import EVALUATION_BATCH, as_input
from arcal.training.run import fingerprint_of, models_of
from arcal.training.scoring import score_run
from arcal.transforms import CORRUPTIONS, corrupt

MEASURES = ("accuracy", "confidence", "gap", "ece", "nll", "brier")


@dataclass(frozen=True)
class Predictions:
    """What M members say of the N inputs of one set.

    `logits` float32 `(M, N, Z)`, `ids` and `labels` int64 `(N,)`. The members' probabilities are
    averaged; a single model is an ensemble of one.
    """

    ids: Tensor
    labels: Tensor
    logits: Tensor

    @property
    def log_probabilities(self) -> Tensor:
        """Log of the averaged probabilities, float64 `(N, Z)`."""
        return average(self.logits)


@dataclass(frozen=True)
class EvaluationSet:
    """A set to evaluate on: a part of the data, clean or under one corruption."""

    part: str = "test"
    corruption: str | None = None
    intensity: int = 0

    @property
    def name(self) -> str:
        """Its name on disk and in tables, such as `test` or `test-gaussian_noise-3`."""
        corruption = f"-{self.corruption}-{self.intensity}" if self.corruption else ""
        return self.part + corruption

    @classmethod
    def shifted(cls, text: str) -> "EvaluationSet":
        """The test set under a corruption written like `gaussian_noise-3`."""
        corruption, _, intensity = text.rpartition("-")
        if corruption not in CORRUPTIONS or intensity not in ("1", "2", "3", "4", "5"):
            raise ArcalError(
                f"shift {text!r} is unknown: write TYPE-INTENSITY with a type of "
                f"{', '.join(CORRUPTIONS)} and an intensity from 1 to 5"
            )
        return cls(corruption=corruption, intensity=int(intensity))

    def of(self, data: Data) -> Part:
        """The images of this set; those of a part in memory are corrupted once, here."""
        part = data.part(self.part)
        if self.corruption is None:
            return part
        corrupted = Corrupted(part, self)
        if isinstance(part, InMemory):
            pixels = corrupted.images(torch.arange(len(part)))
            return replace(part, name=corrupted.name, pixels=pixels)
        return corrupted


class Corrupted:
    """A `Part` whose images are corrupted as they are read."""

    def __init__(self, part: Part, at: EvaluationSet):
        self.part, self.at = part, at
        self.name = f"{part.name} under {at.corruption}, intensity {at.intensity}"
        self.ids, self.labels = part.ids, part.labels
        self.classes, self.shape = part.classes, part.shape

    def __len__(self) -> int:
        return len(self.part)

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, C, H, W)`: the corrupted images at these positions."""
        assert self.at.corruption is not None
        images, ids = self.part.images(positions), self.ids[positions]
        return corrupt(images, ids, type=self.at.corruption, intensity=self.at.intensity)

    def subset(self, ids: Tensor) -> "Corrupted":
        """The part with these ids only, in the order given. An unknown id raises."""
        return Corrupted(self.part.subset(ids), self.at)

    def fingerprint(self) -> str:
        """That of the part, marked by the corruption."""
        return f"{self.part.fingerprint()}-{self.at.name}"


@torch.no_grad()
def predict(folder: RunFolder, part: Part, name: str, *, accelerator: str = "cpu") -> Predictions:
    """The run's predictions on a part, read from its folder or made and kept there by this name."""
    path = folder.predictions(name)
    if path.exists():
        return _load_predictions(path, folder, part)
    device = fabric_on(accelerator).device
    models = [model.to(device) for model in models_of(folder)]
    logits = []
    for _, images, _ in batches(part, EVALUATION_BATCH):
        x = as_input(images, device)
        logits.append(torch.stack([model(x).float().cpu() for model in models]))
    found = Predictions(part.ids, part.labels, torch.cat(logits, dim=1))
    tensors = {"ids": found.ids, "labels": found.labels, "logits": found.logits}
    save_tensors(path, tensors, data=part.fingerprint(), model=fingerprint_of(folder))
    return found


def _load_predictions(path: Path, folder: RunFolder, part: Part) -> Predictions:
    """Read a predictions file; one of other data, or of another model, is refused."""
    tensors, header = load_tensors(path)
    if header.get("data") != part.fingerprint():
        raise ArcalError(f"{path} is of other data than {part.name}: delete it and evaluate again")
    if header.get("model") != fingerprint_of(folder):
        raise ArcalError(f"{path} is of another checkpoint: delete it and evaluate again")
    return Predictions(tensors["ids"], tensors["labels"], tensors["logits"])


def figures(predictions: Predictions) -> dict[str, float]:
    """Accuracy, mean confidence, their signed gap, ECE, NLL in nats and Brier score of a set.

    `gap` is confidence minus accuracy: positive is over-confident.
    """
    log_probabilities = predictions.log_probabilities
    probabilities = log_probabilities.exp()
    confidence, correct = confidence_and_correct(probabilities, predictions.labels)
    accuracy, mean_confidence = float(correct.double().mean()), float(confidence.mean())
    return {
        "accuracy": accuracy,
        "confidence": mean_confidence,
        "gap": mean_confidence - accuracy,
        "ece": ece(confidence, correct),
        "nll": nll(log_probabilities, predictions.labels),
        "brier": brier(probabilities, predictions.labels),
    }


@dataclass(frozen=True)
class MethodRuns:
    """The runs of one method with the same settings, which differ in their seeds.

    All lists have one entry a run, in the order of `seeds`. `predictions` are by the name of the
    set, `robustness` is that of the clean test set, each run's by its own model.
    """

    label: str
    folders: list[RunFolder]
    seeds: list[tuple[int, ...]]
    predictions: dict[str, list[Predictions]]
    robustness: list[Robustness]

    def figures(self, name: str) -> list[dict[str, float]]:
        """`figures` of every run on the set of this name."""
        return [figures(predictions) for predictions in self.predictions[name]]


def collect(
    folders: list[RunFolder],
    data: Data,
    sets: list[EvaluationSet],
    order: str,
    *,
    accelerator: str = "cpu",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[MethodRuns]:
    """Evaluate runs on `sets` and the clean test set, and group those that differ in seeds only.

    All must have been trained on `data`. The order is that in which a method first comes up.
    """
    parts = {at.name: at.of(data) for at in (EvaluationSet(), *sets)}
    folders = list({folder.path.resolve(): folder for folder in folders}.values())
    groups = _by_seeds(folders)
    done, total = 0, len(folders) * (len(parts) + 1)
    collected = []
    for label, group in groups.items():
        group = sorted(group, key=lambda folder: folder.config_checked()["seeds"])
        predictions: dict[str, list[Predictions]] = {name: [] for name in parts}
        robustness = []
        for folder in group:
            for name, part in parts.items():
                predictions[name].append(predict(folder, part, name, accelerator=accelerator))
                progress(done := done + 1, total)
            fabric = fabric_on(accelerator)
            robustness.append(score_run(folder, data.test, "test", order, fabric=fabric))
            progress(done := done + 1, total)
        seeds = [tuple(folder.config_checked()["seeds"]) for folder in group]
        collected.append(MethodRuns(label, group, seeds, predictions, robustness))
    return collected


def _by_seeds(folders: list[RunFolder]) -> dict[str, list[RunFolder]]:
    """Runs that differ in nothing but their seeds, by a label that tells the groups apart."""
    groups: dict[str, list[RunFolder]] = {}
    for folder in folders:
        config = folder.config_checked()
        alike = config | {"seeds": len(config["seeds"])}
        groups.setdefault(content_hash(alike), []).append(folder)
    labels = [label_of(group[0]) for group in groups.values()]
    labelled = {}
    for label, group in zip(labels, groups.values(), strict=True):
        if labels.count(label) > 1:
            config = group[0].config_checked()
            label += f" [{config['network']}, {config['recipe']['epochs']} epochs"
            label += f", {content_hash(config)}]"
        labelled[label] = group
    return labelled


def label_of(folder: RunFolder) -> str:
    """A run's method and settings as people read it, such as `label-smoothing (epsilon 0.1)`."""
    config = folder.config_checked()
    settings = config["settings"].items()
    details = [f"{name} {value}" for name, value in settings if value is not None]
    if len(config["seeds"]) > 1:
        details.append(f"{len(config['seeds'])} members")
    return config["method"] + (f" ({', '.join(details)})" if details else "")
