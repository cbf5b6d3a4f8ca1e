"""A run: the configuration of one training, and what can be read back from its folder."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arcal.compute import check_count
from arcal.data import Data, Folder, load
from arcal.data.remote import absolute
from arcal.errors import ArcalError
from arcal.external import NetworkSource, near
from arcal.methods import complete_settings, method_named
from arcal.networks import NETWORKS, Ensemble, build
from arcal.store import RunFolder, content_hash, load_header
from arcal.training._fit import check_metrics, load_members
from arcal.training.draws import draw, draw_seed
from arcal.training.recipes import RECIPES, Recipe, check_types

FORMAT = {"32-true": 1, "bf16-mixed": 2}
"""By precision, increased when a change of the code changes the model that a configuration gives.

At first "bf16-mixed" was autocast, which moved the calibration of AR-AdaLS.
"""

ADDED = {"core_batch": None, "schedule": "steps"}
"""Settings of a recipe that came later, with the value that keeps the hash of earlier runs."""

TURNED = "; arcal 0.1.0 did not turn images of a folder upright: its runs can be audited"
"""Why images of a folder may be others although their files are the same."""

CHOICE = ("split_seed", "validation", "images", "test_images", "classes", "size")
"""The settings of a run that choose images of its data set, as in `arcal.data.load`."""


@dataclass(frozen=True)
class Run:
    """The configuration of one training run.

    `data` is "fashion" or a path, `network` one of `arcal.networks.NETWORKS` or somebody else's, as
    `arcal.external.NetworkSource` says, which may start from a file of `weights`. `method` is one
    of `arcal.methods.METHODS` with its `settings` (missing ones get their defaults). One seed gives
    a single model; several give an ensemble whose members are trained in lockstep and share their
    soft labels. `split_seed` draws the validation set independently of `seeds`, so that compared
    runs share it. `validation`, `images`, `test_images`, `classes` and `size` are those of
    `arcal.data.load`. `threads` is the number of threads, which affects the last bits of the
    result, and `devices` that of the devices, one process each, that share each batch: batch norm
    sees a share of it. A value out of range, or an unknown name or setting, raises `ArcalError`.

    >>> run = Run(method="ar-adals", settings={"alpha": 0.1}, seeds=(0, 1))
    >>> run.label, run.settings["R"], run.settings["alpha"]
    ('ar-adals-s0_1', 10, 0.1)
    """

    data: str = "fashion"
    network: str = "small"
    method: str = "vanilla"
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    recipe: Recipe = RECIPES["small"]
    split_seed: int = 0
    validation: int | None = None
    images: int | None = None
    test_images: int | None = None
    classes: tuple[int, ...] | None = None
    threads: int = 1
    weights: str | None = None
    devices: int = 1
    size: int | None = None

    def __post_init__(self):
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))
        settings = _as_json(complete_settings(self.method, self.settings))
        object.__setattr__(self, "settings", _from_json(settings))  # as they are read back
        method = method_named(self.method, 2, self.settings)  # raises on a setting out of range
        self._name_network()
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ArcalError(f"seeds are {self.seeds}: give at least one, each once")
        if min(self.seeds) < 0:
            raise ArcalError(f"seed {min(self.seeds)} is negative: give 0 or more")
        if self.recipe.batch_size % max(1, self.devices):
            raise ArcalError(
                f"a batch of {self.recipe.batch_size} cannot be shared by {self.devices} devices: "
                "choose a batch size that they divide"
            )
        if self.recipe.epochs < 1:
            raise ArcalError(f"{self.recipe.epochs} epochs: at least 1 is needed")
        check_count("threads", self.threads)
        check_count("devices", self.devices)
        method.begin(self.recipe.epochs, self.recipe.full_rate)  # raises on epochs out of range

    def _name_network(self) -> None:
        """Check the network's name; files of somebody else's are named by their whole paths."""
        if ":" in self.network:
            located = NetworkSource.located(self.network, self.weights)
            object.__setattr__(self, "network", located.spec)
            object.__setattr__(self, "weights", located.weights)
        elif self.network not in NETWORKS:
            names = f"choose from {', '.join(NETWORKS)}, or give file.py:name, timm:NAME"
            raise ArcalError(
                f"network {self.network!r} is unknown: {near(self.network, NETWORKS, names)}"
            )
        elif self.weights is not None:
            raise ArcalError(
                f"{self.weights} cannot be loaded into the network {self.network}: weights are for "
                "timm:NAME, torchvision:NAME or file.py:name"
            )

    @property
    def source(self) -> NetworkSource | None:
        """Where the network comes from, if it is somebody else's."""
        return NetworkSource(self.network, self.weights) if ":" in self.network else None

    @property
    def network_name(self) -> str:
        """What the network is called on a page."""
        return self.source.name if self.source else self.network

    def build(self, classes: int, shape: tuple[int, int, int], seed: int) -> nn.Module:
        """A new network with its first weights: those of the file, or drawn by the seed."""
        if source := self.source:
            return source.build(classes=classes, shape=shape, seed=draw_seed(seed, "init"))
        return build(self.network, classes=classes, shape=shape, generator=draw(seed, "init"))

    def load(self) -> Data:
        """Load the data set of the run."""
        return load(self.data, **self.choice)

    @property
    def choice(self) -> dict[str, Any]:
        """The keyword arguments of `arcal.data.load`, which choose images of the data set."""
        return {name: getattr(self, name) for name in CHOICE}

    def config(self, data: Data) -> dict[str, Any]:
        """The content of config.json, whose hash is in the name of the folder.

        The data is identified by its content and the name of its folder.
        """
        config = _as_json(dataclasses.asdict(self))
        for name, absent in ADDED.items():
            if config["recipe"][name] == absent:
                del config["recipe"][name]
        embedded = self.data == "fashion"
        source = self.data if embedded else absolute(self.data)
        about = _as_json(dataclasses.asdict(DataIdentity.from_data(data)))
        drawn = None if data.own_validation else len(data.validation)
        config |= {"data": about, "validation": drawn}
        del config["weights"]
        if self.devices == 1:
            del config["devices"]
        if self.size is None:
            del config["size"]
        if network := self.source:
            config |= {
                "network": network.name,
                "network_digest": network.digest(),
                "weights_digest": network.weights_digest(),
                "network_source": network.spec,
                "weights_source": network.weights,
            }
        return config | {"source": source, "format": FORMAT[self.recipe.precision]}

    @property
    def label(self) -> str:
        """The beginning of the folder's name: the method and the seeds."""
        return f"{self.method}-s{'_'.join(map(str, self.seeds))}"

    def path(self, root: Path | str, data: Data) -> Path:
        """The path of the folder of the run under `root`, which need not exist."""
        return Path(root) / f"{self.label}-{content_hash(self.config(data))}"

    def folder(self, root: Path | str, data: Data) -> RunFolder:
        """The folder of the run under `root`; it is made when it does not exist."""
        return RunFolder.create(root, self.label, self.config(data))


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(entry) for key, entry in value.items()}
    return [_as_json(entry) for entry in value] if isinstance(value, tuple | list) else value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _from_json(entry) for key, entry in value.items()}
    return tuple(_from_json(entry) for entry in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class DataIdentity:
    """What identifies a data set: its classes, the shape (C, H, W) of its images, and its content.

    `parts` are the fingerprints of the training, validation and test part, by name.
    """

    parts: Mapping[str, str]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]

    @classmethod
    def from_data(cls, data: Data) -> "DataIdentity":
        """The identity of a data set."""
        parts = {part.name: part.fingerprint() for part in (data.train, data.validation, data.test)}
        return cls(parts, data.classes, data.shape)

    def is_same(self, other: "DataIdentity") -> bool:
        """Whether both have the same images and classes, wherever they are stored."""
        return self._nameless() == other._nameless()

    def _nameless(self) -> "DataIdentity":
        parts = {name.rpartition("/")[2]: value for name, value in self.parts.items()}
        return dataclasses.replace(self, parts=parts)


@dataclass(frozen=True)
class Record:
    """A run as recorded in its folder.

    `run.data` is the path that the data was read from, "" if it is not recorded, and
    `run.validation` the number of drawn validation images, None of a part that is the data's own.
    `data` identifies the data, `network_digest`
    the code of a network that is somebody else's, and `weights_digest` what it started from.
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

    Its method need not be installed: what a run says can be evaluated without. A configuration that
    this version of arcal cannot read raises `ArcalError`.
    """
    config = _from_json(folder.config_checked())
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


def how_far(folder: RunFolder) -> str:
    """A run's folder and how many of its epochs are done, for people."""
    return f"{folder.path} ({folder.epochs_done()} of {read_run(folder).run.recipe.epochs} epochs)"


def check_done(folders: Sequence[RunFolder], else_do: str = "") -> None:
    """Raise `ArcalError` if a run is not finished, with what to do, or `else_do`."""
    first, *others = [folder for folder in folders if not is_done(folder)] or [None]
    if first is not None:
        check_metrics(first)
        more = {0: "", 1: ", nor is 1 other"}.get(len(others), f", nor are {len(others)} others")
        raise ArcalError(
            f"{how_far(first)} is not fully trained{more}: give `arcal train` the same options "
            f"again, and it continues{else_do}"
        )


def fingerprint_of(folder: RunFolder) -> str:
    """16 hexadecimal digits of the SHA-256 of the checkpoint, which identify the model."""
    return sha256(folder.checkpoint.read_bytes()).hexdigest()[:16]


def models_of(folder: RunFolder) -> list[nn.Module]:
    """The members of a finished run, in evaluation mode on the CPU.

    A run that is not finished, or a changed configuration, raises `ArcalError`.

    >>> from arcal.training import train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> (model,) = models_of(train(run, "runs"))
    >>> model(torch.zeros(1, 1, 28, 28)).shape
    torch.Size([1, 10])
    """
    check_done([folder])
    record = read_run(folder)
    run, Z, shape = record.run, len(record.data.classes), record.data.shape
    if source := run.source:
        source = dataclasses.replace(source, weights=None)  # the checkpoint has all
        if source.digest() != record.network_digest:
            raise ArcalError(
                f"{run.network} is not what it was when {folder.path} was trained: put that code "
                "back, or train the run again"
            )
        models = [source.build(classes=Z, shape=shape, seed=seed) for seed in run.seeds]
    else:
        models = [run.build(Z, shape, seed) for seed in run.seeds]
    load_members(models, folder)
    for model in models:
        model.to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]
    return models


def model_of(folder: RunFolder) -> nn.Module:
    """The model of a finished run: its only member, or the `Ensemble` of its members.

    Errors are those of `models_of`.

    >>> from arcal.training import train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> type(model_of(train(run, "runs"))).__name__
    'SmallResNet'
    """
    models = models_of(folder)
    return models[0] if len(models) == 1 else Ensemble(models)


def load_once(run: Run) -> Data:
    """The data set of a run, kept for the next call in this process with a run on the same data."""
    return _loaded(run.data, tuple(run.choice.items()))


@lru_cache(maxsize=1)
def _loaded(source: str, choice: tuple[tuple[str, Any], ...]) -> Data:
    return load(source, **dict(choice))


def data_of(folder: RunFolder, source: str | None = None) -> Data:
    """The data set that a run was trained on, read from its old place or from `source`.

    Data that cannot be read, or that is not the data of the run, raises `ArcalError`.

    >>> from arcal.training import train
    >>> size = {"images": 100, "validation": 100, "test_images": 100}
    >>> run = Run(recipe=RECIPES["small"].shortened(1), **size)
    >>> len(data_of(train(run, "runs")).train)
    100
    """
    record = read_run(folder)
    source = source or record.run.data
    if not source:
        raise ArcalError(f"{folder.path}/config.json does not say where its data is: give --data")
    try:
        data = load(source, **record.run.choice)
    except ArcalError as error:
        size = "" if record.run.size is None else f", trained with --size {record.run.size},"
        raise ArcalError(
            f"the data of {folder.path}{size} cannot be read ({error}); if it has moved, give its "
            "path with --data"
        ) from None
    identity = DataIdentity.from_data(data)
    if not record.data.is_same(identity):
        alike = record.data.classes == identity.classes and record.data.shape == identity.shape
        raise ArcalError(
            f"{source} is not the data that {folder.path} was trained on: put that data back, or "
            f"give its path with --data{TURNED if alike and isinstance(data.train, Folder) else ''}"
        )
    return data
