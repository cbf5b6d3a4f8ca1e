"""Runs of several methods on a tiny data set, trained once, and once evaluated on all there is."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import NOISE, SPATTER, Evaluated, Trained

from arcal.data import load
from arcal.evaluation import evaluate
from arcal.store import RunFolder
from arcal.training._train import train
from arcal.training.recipes import RECIPES
from arcal.training.run import Run
from tiny_files import write_tiny

SETTINGS: dict[str, dict[str, Any]] = {
    "vanilla": {},
    "ar-adals": {"order": "margin", "R": 2, "alpha": 0.5},
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Some labels are wrong, so that no run is right about everything."""
    torch.set_num_threads(1)
    source = str(write_tiny(tmp_path_factory.mktemp("data"), wrong=5))
    root, data = tmp_path_factory.mktemp("runs"), load(source, validation=40)
    recipe = replace(RECIPES["demo"].shortened(3), batch_size=16)
    run = Run(source, recipe=recipe, validation=40)
    runs = {
        method: [replace(run, method=method, settings=settings, seeds=(s,)) for s in (0, 1)]
        for method, settings in SETTINGS.items()
    }
    runs["pair"] = [replace(run, seeds=(0, 1))]
    folders = {name: [train(one, root, data=data) for one in some] for name, some in runs.items()}
    return Trained(data, folders)


@pytest.fixture(scope="session")
def evaluated(trained: Trained) -> Evaluated:
    """All runs, one of them named twice, on clean and corrupted sets and on other data."""
    told = []
    subjects = evaluate(
        [*trained.all, trained.vanilla[0]],
        trained.data,
        [NOISE, SPATTER],
        "margin",
        ood=[trained.data.validation],
        posthoc=["temperature", "temperature"],
        progress=lambda done, total: told.append((done, total)),
    )
    return Evaluated(subjects, told)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[..., list[RunFolder]]:
    """Copies runs as they were trained, without scores and predictions."""

    def copy(folders: Sequence[RunFolder], to: str = "copies") -> list[RunFolder]:
        without = shutil.ignore_patterns("predictions", "figures", "scores")
        return [
            RunFolder(shutil.copytree(folder.path, tmp_path / to / folder.name, ignore=without))
            for folder in folders
        ]

    return copy
