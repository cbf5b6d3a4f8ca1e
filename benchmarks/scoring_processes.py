"""Scoring with two processes on two cores, and with one on one: times, and the same file.

    python -m benchmarks.scoring_processes

The time of two processes includes starting them. Nothing else should run on the two cores.
"""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import tyro

from arcal.attacks import BoundaryProjection
from arcal.compute.device import fabric_on
from arcal.data import load
from arcal.errors import ArcalError
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from arcal.training.scoring import score_file, score_run


def main(images: int = 5000, budget: int = 150) -> None:
    """Score embedded test images by the boundary projection, one thread a process."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise ArcalError("two cores are needed")
    torch.set_num_threads(1)
    attack = BoundaryProjection(budget)
    data = load("fashion")
    part = data.test.subset(data.test.ids[:images])
    seconds, files = [], []
    with TemporaryDirectory() as root:
        folder = train(Run(recipe=RECIPES["demo"]), Path(root), data=data)
        path = score_file(folder, "test", "attack", attack)
        for processes in (1, 2):
            os.sched_setaffinity(0, cores[:processes])
            fabric = fabric_on("cpu", processes=processes)
            start = time.perf_counter()
            score_run(folder, part, "test", "attack", attack=attack, fabric=fabric)
            seconds.append(time.perf_counter() - start)
            files.append(path.read_bytes())
            path.unlink()
            print(f"{processes} on {processes}: {seconds[-1]:.1f} s for {images} images")
    if files[0] != files[1]:
        raise ArcalError("the two files differ")
    print(f"ratio: {seconds[0] / seconds[1]:.2f}, the files are identical")


if __name__ == "__main__":
    tyro.cli(main)
