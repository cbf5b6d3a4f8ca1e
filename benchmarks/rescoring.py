"""Scoring training images again in mid-training: is a warm start worth it?

    python -m benchmarks.rescoring

A network after 10 of its 16 epochs, and the same one at the end. The attack on the second starts
from the points found for the first, kept in half precision, with a third of the passes.
"""

from dataclasses import replace
from pathlib import Path
from time import process_time

import torch
import tyro
from torch import Tensor

from arcal.attacks import Adversarial, BoundaryProjection
from arcal.compute.processes import keep_memory
from arcal.data import as_input, batches, load
from arcal.ranks import levels
from arcal.robustness import Robustness, score
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import model_of
from benchmarks.table import spearman


def main(images: int = 2000, cache: Path = Path(".benchmarks")) -> None:
    """Score embedded training images cold and warm."""
    torch.set_num_threads(1)
    keep_memory()
    data = load("fashion")
    part = data.train.subset(data.train.ids[:images])
    last = RECIPES["demo"]
    early, late = (
        model_of(train(Run(recipe=replace(last, epochs=epochs)), cache / "runs", data=data))
        for epochs in (10, last.epochs)
    )
    points: dict[int, Tensor] = {}

    def keep(ids: Tensor, found: Adversarial) -> None:
        points.update(zip(ids.tolist(), found.x.half(), strict=True))

    def start(ids: Tensor) -> Tensor:
        return torch.stack([points[i] for i in ids.tolist()]).float()

    attack = BoundaryProjection()
    third = replace(attack, budget=attack.budget // 3)

    def scored(name: str, model, attack, reference: Robustness | None = None, **options):
        inputs = ((i, as_input(x, "cpu"), y) for i, x, y in batches(part, 100))
        began = process_time()
        scores = score(model, inputs, attack=attack, **options)
        seconds, spent = process_time() - began, scores.passes.double().mean()
        line = f"{name}: {1000 * seconds / images:.2f} ms and {spent:.1f} passes an image"
        line += f", mean {scores.robustness.mean():.5f}"
        if reference is not None:
            cold, now = (levels(s.robustness, s.ids, 10) for s in (reference, scores))
            line += f", same decile {(cold == now).double().mean():.4f}"
            line += f", Spearman {spearman(reference.robustness, scores.robustness):.5f}"
        print(line, flush=True)
        return scores

    before = scored("epoch 10, cold", early, attack, keep=keep)
    cold = scored("epoch 16, cold", late, attack)
    scored("epoch 16, warm", late, third, cold, start=start)
    scored("epoch 16, cold at a third", late, third, cold)
    same = levels(before.robustness, before.ids, 10) == levels(cold.robustness, cold.ids, 10)
    print(f"levels of epoch 10 kept: same decile {same.double().mean():.4f}")


if __name__ == "__main__":
    tyro.cli(main)
