"""A whole evaluation under shift against the forward passes alone, with cached corruptions.

    python -m benchmarks.shift_evaluation

trains the small network for an epoch on CIFAR-10, from the folder that `ARCAL_SHARED` names, and
makes the corrupted sets. Then it times `evaluate` on them, with predictions, figures and files, and
the forward passes alone. Times are wall times with one thread; `--runs 2` adds the cost of the
variance over two runs.
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro

from arcal.auditing import shift_sets
from arcal.compute.processes import keep_memory
from arcal.data import Data, as_input, load
from arcal.data.corrupted import CorruptedImages
from arcal.evaluation import evaluate, evaluated_part
from arcal.training import EVALUATION_BATCH
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.saved_run import models_of
from arcal.training.scoring import score_run


def main(
    shift: tuple[str, ...] = ("noise", "fog", "contrast"), images: int = 10_000, runs: int = 1
) -> None:
    """Evaluate `runs` runs under `shift` on this many test images; `all` is all 95 sets."""
    torch.set_num_threads(1)
    keep_memory()
    source = str(Path(os.environ.get("ARCAL_SHARED", "../shared")) / "data" / "cifar10")
    data = load(source)
    data = Data(data.name, data.train, data.validation, data.test.subset(data.test.ids[:images]))
    sets = shift_sets(["gaussian_noise" if name == "noise" else name for name in shift])
    with TemporaryDirectory() as root:
        folders = [
            train(Run(data=source, recipe=RECIPES["small"].shortened(1), seeds=(s,)), Path(root))
            for s in range(runs)
        ]
        for folder in folders:  # ranked beforehand: it is no part of the evaluation under shift
            score_run(folder, data.test, "test", "margin")
        corrupted = CorruptedImages(cache=Path(root) / "cache")
        first = torch.arange(1)
        begin = time.perf_counter()
        for where in sets:
            evaluated_part(where, data, corrupted).images(first)
        print(f"corrupting {len(sets)} sets of {images}: {time.perf_counter() - begin:.1f} s")

        begin = time.perf_counter()
        evaluate(folders, data, sets, "margin", corrupted=corrupted)
        whole = time.perf_counter() - begin

        models = [model for folder in folders for model in models_of(folder)]
        parts = [data.test, *(evaluated_part(where, data, corrupted) for where in sets)]
        inputs = [
            as_input(data.test.images(rows), torch.device("cpu"))
            for rows in torch.arange(images).split(EVALUATION_BATCH)
        ]
        begin = time.perf_counter()
        with torch.no_grad():
            for _ in parts:
                for model in models:
                    for x in inputs:
                        model(x)
        forward = time.perf_counter() - begin
    print(f"evaluation {whole:.1f} s, forward passes alone {forward:.1f} s: {whole / forward:.3f}")


if __name__ == "__main__":
    tyro.cli(main)
