"""What can be read back from the folder of a run: its configuration, its models, its data."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from torch import nn

from arcal.data import Data, load
from arcal.errors import ArcalError
from arcal.networks import Ensemble, in_fastest_layout
from arcal.store import RunFolder, load_header
from arcal.training._checkpoints import check_metrics, load_members
from arcal.training._types import check_types
from arcal.training.draws import draw_seed
from arcal.training.recipes import Recipe
from arcal.training.run import DataIdentity, Run, from_json


@dataclass(frozen=True)
class Record:
    """A run as recorded in its folder.

    `run.data` is the path that the data was read from, "" if it is not recorded, and
    `run.validation` the number of drawn validation images, None if the data has its own. `data`
    identifies the data, `network_digest` the code of a user's own network, and `weights_digest` the
    weights it started from.
    """

    run: Run
    data: DataIdentity
    format: int
    network_digest: str | None = None
    weights_digest: str | None = None

    def is_twin(self, other: "Record") -> bool:
        """Whether two runs differ only in their seeds and the places of their data and weights."""

        def without_these(one: Record) -> tuple[Any, ...]:
            places = {"data": "", "weights": None, "seeds": len(one.run.seeds)}
            run = vars(one.run) | places  # the run itself could not be made without its method
            return run, one.format, one.network_digest, one.weights_digest

        return without_these(self) == without_these(other) and self.data.is_same(other.data)


def read_run(folder: RunFolder) -> Record:
    """Read a run back from its folder.

    Its method need not be installed: a run can be evaluated without it. A configuration that
    this version of arcal cannot read raises `ArcalError`.
    """
    config = from_json(folder.config_checked())
    try:
        later = {"weights", "devices", "size"}
        names = {field.name for field in dataclasses.fields(Run)} - {"data", "recipe", *later}
        values = {name: config[name] for name in names}
        check_types(Recipe, config["recipe"])
        check_types(DataIdentity, config["data"])
        values |= {"devices": config.get("devices", 1), "size": config.get("size")}
        values["network"] = config.get("network_source", values["network"])
        values["weights"] = config.get("weights_source")
        values |= {"data": config.get("source", ""), "recipe": Recipe(**config["recipe"])}
        check_types(Run, values)
        if not values["seeds"]:
            raise TypeError("there are no seeds")
        run = object.__new__(Run)  # it was checked when it was made
        for name, value in values.items():
            object.__setattr__(run, name, value)
        data = DataIdentity(**config["data"])
        digests = config.get("network_digest"), config.get("weights_digest")
        return Record(run, data, config["format"], *digests)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArcalError(
            f"{folder.path}/config.json cannot be read by this version of arcal ({error}): "
            "train the run again"
        ) from None


def is_done(folder: RunFolder) -> bool:
    """Whether the run has been trained to its last epoch and all its metrics are written."""
    if not folder.checkpoint.exists():
        return False
    epochs, header = read_run(folder).run.recipe.epochs, load_header(folder.checkpoint)
    whole = header.get("epoch") == epochs == folder.epochs_done()
    return whole and not header.get("unscored", False)


def check_done(folders: Sequence[RunFolder]) -> None:
    """Raise `ArcalError` if a run is not finished; the message says what to do."""
    first, *others = [folder for folder in folders if not is_done(folder)] or [None]
    if first is not None:
        check_metrics(first)
        more = {0: "", 1: ", nor is 1 other"}.get(len(others), f", nor are {len(others)} others")
        done = f"{first.epochs_done()} of {read_run(first).run.recipe.epochs} epochs"
        raise ArcalError(
            f"{first.path} ({done}) is not fully trained{more}: give `arcal train` the same "
            "options again, and it continues"
        )


def fingerprint_of(folder: RunFolder) -> str:
    """16 hexadecimal digits of the SHA-256 of the checkpoint, which identify the model."""
    return sha256(folder.checkpoint.read_bytes()).hexdigest()[:16]


def models_of(folder: RunFolder) -> list[nn.Module]:
    """The members of a finished run, in evaluation mode on the CPU.

    A run that is not finished, or a changed configuration, raises `ArcalError`.

    >>> from arcal.training import RECIPES, Run, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> (model,) = models_of(train(run, "runs"))
    >>> import torch
    >>> model(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    check_done([folder])
    record = read_run(folder)
    run, Z, shape = record.run, len(record.data.classes), record.data.shape
    if source := run.source:
        source = dataclasses.replace(source, weights=None)  # the checkpoint has them
        if source.digest() != record.network_digest:
            raise ArcalError(
                f"{run.network} is not what it was when {folder.path} was trained: put that code "
                "back, train the run again, or leave it out"
            )
        # From the same seeds: a network may have drawn values that no state dict holds.
        seeds = (draw_seed(seed, "init") for seed in run.seeds)
        models = [source.build(classes=Z, shape=shape, seed=seed) for seed in seeds]
    else:
        models = [run.build(Z, shape, seed) for seed in run.seeds]
    load_members(models, folder)
    return [in_fastest_layout(model.eval(), shape) for model in models]


def model_of(folder: RunFolder) -> nn.Module:
    """The model of a finished run: its only member, or the `Ensemble` of its members.

    Errors are those of `models_of`.

    >>> from arcal.training import RECIPES, Run, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> type(model_of(train(run, "runs"))).__name__
    'SmallResNet'
    """
    models = models_of(folder)
    return models[0] if len(models) == 1 else Ensemble(models)


def data_of(
    folder: RunFolder, source: str | None = None, *, remedy: str = "give its path with --data"
) -> Data:
    """The data set that a run was trained on, read from where it was or from `source`.

    Data that cannot be read, or that is not the data of the run, raises `ArcalError`, with the
    `remedy` if it has moved.

    >>> from arcal.training import RECIPES, Run, train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> len(data_of(train(run, "runs")).train)
    100
    """
    record = read_run(folder)
    source = source or record.run.data
    if not source:
        raise ArcalError(f"{folder.path}/config.json does not say where its data is: {remedy}")
    try:
        data = load(source, **record.run.choice)
    except ArcalError as error:
        size = "" if record.run.size is None else f", trained with --size {record.run.size},"
        raise ArcalError(
            f"the data of {folder.path}{size} cannot be read ({error}); if it has moved, {remedy}"
        ) from None
    identity = DataIdentity.from_data(data)
    if not record.data.is_same(identity):
        raise ArcalError(
            f"{source} is not the data that {folder.path} was trained on: put that data back, or "
            f"{remedy}"
        )
    return data
