"""A run: the configuration of one training."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import nn

from arcal.classifiers import near
from arcal.compute import check_count
from arcal.data import Data, load
from arcal.data.remote import absolute
from arcal.errors import ArcalError
from arcal.methods import complete_settings, method_named
from arcal.networks import NETWORKS, build
from arcal.store import RunFolder, content_hash
from arcal.training._types import check_types
from arcal.training.draws import draw, draw_seed
from arcal.training.network_source import NetworkSource
from arcal.training.recipes import RECIPES, Recipe

FORMAT = {"32-true": 1, "bf16-mixed": 2}
"""By precision; increased when a change of the code changes the model of a configuration.

"bf16-mixed" was autocast at first, which changed the calibration of AR-AdaLS.
"""

ADDED: dict[str, Any] = {"core_batch": None, "schedule": "steps"}
"""Settings of a recipe that were added later, with the value that keeps earlier runs' hashes."""

CHOICE = ("split_seed", "validation", "images", "test_images", "classes", "size")
"""The settings of a run that choose images of its data set, as in `arcal.data.load`."""


@dataclass(frozen=True)
class Run:
    """The configuration of one training run.

    `data` is "fashion" or a path. `network` is one of `arcal.networks.NETWORKS` or a user's own
    (see `arcal.training.network_source`), which may start from a file of `weights`. `method` is one
    of `arcal.methods.METHODS` with its `settings` (missing ones get their defaults). One seed gives
    a single model; several give an ensemble whose members are trained in lockstep and share their
    soft labels. `split_seed` draws the validation set independently of `seeds`, so that compared
    runs share it. `validation`, `images`, `test_images`, `classes` and `size` are those of
    `arcal.data.load`. `threads`, the number of threads, affects the last bits of the result.
    `devices` is the number of devices, one process each, that share each batch: batch norm sees
    only a share of it. A value out of range, or an unknown name or setting, raises `ArcalError`.

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", tuple(self.seeds))
        for name in ("data", "weights"):
            if isinstance(path := getattr(self, name), Path):
                object.__setattr__(self, name, str(path))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))
        try:
            check_types(Run, vars(self))
        except TypeError as error:
            raise ArcalError(f"{error}: help(arcal.training.Run) says what it can be") from None
        settings = _as_json(complete_settings(self.method, self.settings))
        object.__setattr__(self, "settings", from_json(settings))  # as they are read back
        method = method_named(self.method, 2, self.settings)  # raises on a setting out of range
        self._name_network()
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ArcalError(f"seeds are {self.seeds}: give at least one, each once")
        if min(self.seeds) < 0:
            raise ArcalError(f"seed {min(self.seeds)} is negative: give 0 or more")
        if self.recipe.batch_size % max(1, self.devices):
            raise ArcalError(
                f"a batch of {self.recipe.batch_size} cannot be shared by {self.devices} devices: "
                f"choose a multiple of {self.devices}"
            )
        if self.recipe.epochs < 1:
            raise ArcalError(f"{self.recipe.epochs} epochs: at least 1 is needed")
        check_count("threads", self.threads)
        check_count("devices", self.devices)
        method.begin(self.recipe.epochs, self.recipe.full_rate)  # raises on epochs out of range

    def _name_network(self) -> None:
        """Check the network's name; a user's own files are named by their full paths."""
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
        """Where the network comes from, if it is a user's own; otherwise None."""
        return NetworkSource(self.network, self.weights) if ":" in self.network else None

    @property
    def network_name(self) -> str:
        """The network's name on a page."""
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


def from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: from_json(entry) for key, entry in value.items()}
    return tuple(from_json(entry) for entry in value) if isinstance(value, list) else value


@dataclass(frozen=True)
class DataIdentity:
    """What identifies a data set: its classes, the shape (C, H, W) of its images, and its content.

    `parts` are the fingerprints of the training, validation and test part, by name; where parts
    have the same name, it also says which part.
    """

    parts: Mapping[str, str]
    classes: tuple[str, ...]
    shape: tuple[int, int, int]

    @classmethod
    def from_data(cls, data: Data) -> "DataIdentity":
        """The identity of a data set."""
        every = {"train": data.train, "validation": data.validation, "test": data.test}
        own = len({part.name for part in every.values()}) == len(every)
        parts = {
            part.name if own else f"{part.name}/{kind}": part.fingerprint()
            for kind, part in every.items()
        }
        return cls(parts, data.classes, data.shape)

    def is_same(self, other: "DataIdentity") -> bool:
        """Whether both have the same images and classes, wherever they are stored."""
        return self._nameless() == other._nameless()

    def _nameless(self) -> tuple[Any, ...]:
        parts = sorted((name.rpartition("/")[2], value) for name, value in self.parts.items())
        return parts, self.classes, self.shape


def load_once(run: Run) -> Data:
    """The data set of a run, kept for the next call in this process for the same data."""
    return _loaded(run.data, tuple(run.choice.items()))


@lru_cache(maxsize=1)
def _loaded(source: str, choice: tuple[tuple[str, Any], ...]) -> Data:
    return load(source, **dict(choice))
