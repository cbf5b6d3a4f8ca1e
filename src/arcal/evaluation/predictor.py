"""Runs' predictions on a set: made once, from the same batches, and then read from the folders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from arcal.arrays import in_rows, is_of_view
from arcal.attacks.model import frozen
from arcal.auditing import Predictions
from arcal.compute import Compute
from arcal.data import Part, as_input, batches
from arcal.data.contents import check_evidence, evidence_of, files_of
from arcal.errors import ArcalError
from arcal.store import RunFolder, load_digest, load_header, load_tensors, save_tensors
from arcal.training import EVALUATION_BATCH
from arcal.training.saved_run import fingerprint_of, models_of

CPU = Compute()


TOGETHER = 2**30
"""About the bytes of logits in memory at a time, if several runs are given each batch."""


def predict_part(
    models: Sequence[nn.Module], part: Part, device: torch.device | None = None
) -> Predictions:
    """The predictions of any models, as members of one ensemble, on a part.

    Each model is on `device`, by default the CPU, takes images `(B, C, H, W)` in [0, 1] and returns
    logits `(B, Z)`. It is called in evaluation mode, and then put back into its previous mode.

    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    >>> part = InMemory("toy/test", ids, ids, ("cat", "dog"), pixels)
    >>> members = [nn.Sequential(nn.Flatten(), nn.Linear(48, 2)) for _ in range(3)]
    >>> predict_part(members, part).logits.shape
    torch.Size([3, 2, 2])
    """
    return _predict_each([models], part, device or torch.device("cpu"))[0]


@torch.no_grad()
def _predict_each(
    ensembles: Sequence[Sequence[nn.Module]], part: Part, device: torch.device, loaders: int = 0
) -> list[Predictions]:
    """The predictions of each ensemble on a part; each batch is read once for all.

    If images are files, `loaders` processes read, decode and corrupt them ahead.
    """
    if not len(part):
        raise ArcalError(f"{part.name} is empty: there is nothing to predict")
    logits: list[list[Tensor]] = [[] for _ in ensembles]
    lazy = files_of(part) is not None and getattr(part, "cache", None) is None
    read = batches(part, EVALUATION_BATCH, workers=loaders if lazy else 0)
    with frozen(nn.ModuleList(model for models in ensembles for model in models)):
        for _, images, _ in read:
            x = as_input(images, device)
            for models, mine in zip(ensembles, logits, strict=True):
                mine.append(torch.stack([_logits(model, x) for model in models]))
    return [Predictions(part.ids, part.labels, torch.cat(mine, dim=1)) for mine in logits]


def _logits(model: nn.Module, x: Tensor) -> Tensor:
    """A model's logits for channels-last images, or images in rows if its `view` needs these."""
    try:
        return model(x).float().cpu()
    except RuntimeError as error:
        if not is_of_view(error):
            raise
        return model(in_rows(x)).float().cpu()


def predict_together(predictors: Sequence["Predictor"], part: Part, name: str) -> None:
    """Make and keep the predictions on a part that are missing.

    Its images are read, decoded and corrupted once for as many runs as fit `TOGETHER` in memory.
    """
    missing = [one for one in predictors if not one.folder.predictions(name).exists()]
    while missing:
        some, size = [], 0
        while missing and (not some or size < TOGETHER):
            some.append(missing.pop(0))
            size += 4 * len(part) * len(part.classes) * len(some[-1].models)
        first = some[0].compute
        ensembles = [one.models for one in some]
        by_run = _predict_each(ensembles, part, first.device, first.loaders)
        for one, predictions in zip(some, by_run, strict=True):
            one.save(part, name, predictions)


@dataclass(eq=False)
class Predictor:
    """A run's predictions on any part, read from its folder or made and kept there.

    The models are loaded when first needed, and stay in memory.
    """

    folder: RunFolder
    compute: Compute = CPU

    def __reduce__(self) -> tuple[Any, ...]:
        return Predictor, (
            self.folder,
            self.compute,
        )  # without the models, which another process loads itself

    def __call__(self, part: Part, name: str) -> Predictions:
        """Predictions on `part`, which are kept under this name."""
        predict_together([self], part, name)
        return self._load(self.folder.predictions(name), part)

    def save(self, part: Part, name: str, predictions: Predictions) -> None:
        """Keep predictions on `part` under this name, with fingerprints of the data and model."""
        tensors = {name: getattr(predictions, name) for name in ("ids", "labels", "logits")}
        about: dict[str, Any] = {"data": part.fingerprint(), "model": self._fingerprint}
        if files := evidence_of(part):
            about["files"] = files
        save_tensors(self.folder.predictions(name), tensors, **about)

    @cached_property
    def models(self) -> list[nn.Module]:
        """The members of the run, on the device."""
        return [model.to(self.compute.device) for model in models_of(self.folder)]

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint_of(self.folder)

    def digest(self, part: Part, name: str) -> str:
        """The digest of the predictions on `part` kept under this name, checked as in a call.

        Only the header is read.
        """
        path = self.folder.predictions(name)
        self._check(path, part, load_header(path))
        return load_digest(path)

    def _check(self, path: Path, part: Part, header: Mapping[str, Any]) -> None:
        if header.get("data") != part.fingerprint():
            raise ArcalError(
                f"{path} is of different data from {part.name}: delete it and evaluate again"
            )
        if header.get("model") != self._fingerprint:
            raise ArcalError(f"{path} is of a different checkpoint: delete it and evaluate again")
        check_evidence(path, part, header.get("files"), "delete it and evaluate again")

    def _load(self, path: Path, part: Part) -> Predictions:
        tensors, header = load_tensors(path)
        self._check(path, part, header)
        for name, expected in (("ids", part.ids), ("labels", part.labels)):
            if not torch.equal(tensors[name], expected):
                raise ArcalError(
                    f"{path} and {part.name} have different {name}: delete it and evaluate again"
                )
        return Predictions(tensors["ids"], tensors["labels"], tensors["logits"])


def predict(folder: RunFolder, part: Part, name: str, compute: Compute = CPU) -> Predictions:
    """A run's predictions on a part, read from its folder, or made and kept under this name.

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
