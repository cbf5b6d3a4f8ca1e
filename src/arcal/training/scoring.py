"""Scoring one part of a data set with a run's model, kept in the run's folder."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from arcal.attacks import CarliniWagner
from arcal.data import Part, batches
from arcal.robustness import Robustness, check_order, score
from arcal.store import RunFolder, load_scores, save_scores
from arcal.training.device import fabric_on
from arcal.training.fit import as_input
from arcal.training.run import fingerprint_of, model_of

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
    seed = folder.config_checked()["seeds"][0]  # of the random order: runs differ in it as well
    fingerprint: dict[str, Any] = {
        "model": fingerprint_of(folder),
        "data": part.fingerprint(),
        "order": order,
    }
    if order == "attack":
        fingerprint["attack"] = {type(attack).__name__: dataclasses.asdict(attack)}
    if path.exists():
        return load_scores(path, fingerprint)
    device = fabric_on(accelerator).device
    inputs = _inputs(part, device, progress)
    scores = score(model.to(device), inputs, order, attack=attack, seed=seed)
    save_scores(path, scores, fingerprint)
    return scores


def _inputs(part: Part, device: torch.device, progress) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    done = 0
    for ids, images, labels in batches(part, BATCH):
        yield ids, as_input(images, device), labels
        done += len(ids)
        progress(done, len(part))
