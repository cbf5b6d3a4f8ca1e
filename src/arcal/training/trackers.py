"""Trackers, which also show the metrics of a run: Fabric's loggers, and Lightning's."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from arcal.classifiers import library, near
from arcal.errors import ArcalError
from arcal.store import RunFolder


def flat(record: Mapping[str, Any]) -> dict[str, float]:
    """An epoch's record as numbers by name: a list has its index behind a slash.

    >>> flat({"loss": 0.5, "epsilon": [0.25, 0.0]})
    {'loss': 0.5, 'epsilon/0': 0.25, 'epsilon/1': 0.0}
    """
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if isinstance(value, list | tuple):
            numbers |= flat({f"{name}/{i}": one for i, one in enumerate(value)})
        elif isinstance(value, int | float):
            numbers[name] = float(value)
    return numbers


def _csv(folder: RunFolder) -> Any:
    from lightning_fabric.loggers.csv_logs import CSVLogger

    place = folder.path / "tracked"
    (place / "metrics.csv").unlink(missing_ok=True)  # epochs that are done are logged again
    return CSVLogger(folder.path, name="tracked", version="", flush_logs_every_n_steps=1)


def _tensorboard(folder: RunFolder) -> Any:
    from lightning_fabric.loggers.tensorboard import TensorBoardLogger

    return TensorBoardLogger(folder.path, name="tensorboard", version="")


def _wandb(folder: RunFolder) -> Any:
    from pytorch_lightning.loggers import WandbLogger  # pyright: ignore

    return WandbLogger(project="arcal", name=folder.name, id=folder.digest)


def _mlflow(folder: RunFolder) -> Any:
    from pytorch_lightning.loggers import MLFlowLogger  # pyright: ignore

    place = os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    return MLFlowLogger(experiment_name="arcal", run_name=folder.name, tracking_uri=place)


TRACKERS: dict[str, tuple[Callable[[RunFolder], Any], tuple[str, ...]]] = {
    "csv": (_csv, ()),
    "tensorboard": (_tensorboard, ("tensorboard",)),
    "wandb": (_wandb, ("wandb", "pytorch_lightning")),
    "mlflow": (_mlflow, ("mlflow", "pytorch_lightning")),
}
"""The trackers by name, and what each needs installed besides arcal. csv and tensorboard write into
the run's folder; wandb and mlflow write where their own settings say, by default into the working
folder."""


def tracker_named(name: str) -> Callable[[RunFolder], Any]:
    """The function that makes the logger of a run for `Fabric(loggers=...)`, by name.

    An unknown name, or one whose library is not installed, raises `ArcalError`.
    """
    if name not in TRACKERS:
        names = f"choose from {', '.join(TRACKERS)}"
        raise ArcalError(f"tracker {name!r} is unknown: {near(name, TRACKERS, names)}")
    tracker, needed = TRACKERS[name]
    for one in needed:
        library(one, f"the tracker {name}")
    return tracker
