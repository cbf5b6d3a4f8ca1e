"""Scoring one part of a data set with a run's model, kept in the run's folder."""

import dataclasses
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from arcal.attacks import CarliniWagner
from arcal.data import Part, batches
from arcal.robustness import Robustness, check_order, score
from arcal.store import RunFolder, load_scores, save_scores
from arcal.training.fit import as_input
from arcal.training.run import model_of

BATCH = 100


def score_run(
    folder: RunFolder,
    part: Part,
    name: str,
    order: str,
    *,
    attack: CarliniWagner | None = None,
    accelerator: str = "cpu",
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Robustness:
    """Score `part` by `order` with the run's model, or read the score file that is there.

    A run of several members is scored as the ensemble they are. A score file of another model,
    data or attack is refused.
    """
    check_order(order)
    attack = attack or CarliniWagner()
    model = model_of(folder)
    path = folder.scores(name, order)
    fingerprint: dict[str, Any] = {
        "model": sha256(folder.checkpoint.read_bytes()).hexdigest()[:16],
        "data": part.fingerprint(),
    }
    if order == "attack":
        fingerprint["attack"] = {type(attack).__name__: dataclasses.asdict(attack)}
    if path.exists():
        return load_scores(path, fingerprint)
    device = Fabric(accelerator=accelerator, devices=1).device
    inputs = _inputs(part, device, progress)
    scores = score(model.to(device), inputs, order, attack=attack)
    save_scores(path, scores, fingerprint)
    return scores


def _inputs(part: Part, device: torch.device, progress) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    done = 0
    for ids, images, labels in batches(part, BATCH):
        yield ids, as_input(images, device), labels
        done += len(ids)
        progress(done, len(part))
