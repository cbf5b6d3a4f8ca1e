"""A run's predictions on a set: made once, then read from its folder."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arcal.auditing import Predictions
from arcal.compute import Compute
from arcal.data import Part, as_input, batches
from arcal.data.contents import evidence_of, is_evidence_of
from arcal.errors import ArcalError
from arcal.store import RunFolder, load_tensors, save_tensors
from arcal.training._fit import EVALUATION_BATCH
from arcal.training.run import fingerprint_of, models_of

CPU = Compute()


@torch.no_grad()
def predict_part(
    models: Sequence[nn.Module], part: Part, device: torch.device | None = None
) -> Predictions:
    """The predictions of any models, which are members of one ensemble, on a part.

    Each takes images `(B, C, H, W)` in [0,1] and returns logits `(B, Z)`; put them in evaluation
    mode, and on `device`, yourself.

    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    >>> part = InMemory("toy/test", ids, ids, ("cat", "dog"), pixels)
    >>> members = [nn.Sequential(nn.Flatten(), nn.Linear(48, 2)) for _ in range(3)]
    >>> predict_part(members, part).logits.shape
    torch.Size([3, 2, 2])
    """
    device = device or torch.device("cpu")
    logits = []
    for _, images, _ in batches(part, EVALUATION_BATCH):
        x = as_input(images, device)
        logits.append(torch.stack([model(x).float().cpu() for model in models]))
    if not logits:
        raise ArcalError(f"{part.name} is empty: there is nothing to predict")
    return Predictions(part.ids, part.labels, torch.cat(logits, dim=1))


class Predictor:
    """A run's predictions on any part, read from its folder or made and kept there.

    The models are loaded when they are first needed, and stay.

    >>> from dataclasses import replace
    >>> from arcal.training import RECIPES, Run, data_of, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=replace(RECIPES["small"], epochs=1), **size)
    >>> folder = train(run, "runs")
    >>> predictor = Predictor(folder)
    >>> predictor(data_of(folder).test, "test").logits.shape
    torch.Size([1, 100, 10])
    """

    def __init__(self, folder: RunFolder, compute: Compute = CPU):
        self.folder, self.compute = folder, compute

    def __call__(self, part: Part, name: str) -> Predictions:
        """Predictions on `part`, which are kept by this name."""
        path = self.folder.predictions(name)
        if path.exists():
            return self._load(path, part)
        models, device = self._models
        predictions = predict_part(models, part, device)
        tensors = {
            "ids": predictions.ids,
            "labels": predictions.labels,
            "logits": predictions.logits,
        }
        about: dict[str, Any] = {"data": part.fingerprint(), "model": self._fingerprint}
        if files := evidence_of(part):
            about["files"] = files
        save_tensors(path, tensors, **about)
        return predictions

    @cached_property
    def _models(self) -> tuple[list[nn.Module], torch.device]:
        device = self.compute.device
        return [model.to(device) for model in models_of(self.folder)], device

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(self.folder)

    def _load(self, path: Path, part: Part) -> Predictions:
        """Read a predictions file; one of other data, or of another model, is refused."""
        tensors, header = load_tensors(path)
        if header.get("data") != part.fingerprint():
            raise ArcalError(
                f"{path} is of other data than {part.name}: delete it and evaluate again"
            )
        if header.get("model") != self._fingerprint:
            raise ArcalError(f"{path} is of another checkpoint: delete it and evaluate again")
        if not is_evidence_of(part, header.get("files")):
            raise ArcalError(
                f"{path} is of other images than {part.name} has now: a file was replaced; delete "
                "it and evaluate again"
            )
        for name, expected in (("ids", part.ids), ("labels", part.labels)):
            if not torch.equal(tensors[name], expected):
                raise ArcalError(
                    f"{path} has other {name} than {part.name}: delete it and evaluate again"
                )
        return Predictions(tensors["ids"], tensors["labels"], tensors["logits"])


def predict(folder: RunFolder, part: Part, name: str, compute: Compute = CPU) -> Predictions:
    """The run's predictions on a part, read from its folder or made and kept there by this name.

    >>> from dataclasses import replace
    >>> from arcal.training import RECIPES, Run, data_of, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=replace(RECIPES["small"], epochs=1), **size)
    >>> folder = train(run, "runs")
    >>> predict(folder, data_of(folder).validation, "validation").logits.shape
    torch.Size([1, 100, 10])
    >>> folder.predictions("validation").exists()
    True
    """
    return Predictor(folder, compute)(part, name)
