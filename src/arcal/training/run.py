"""A run: the configuration of one training, and what can be read back from its folder."""

import dataclasses
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from arcal.data import Data, load
from arcal.errors import ArcalError
from arcal.methods import complete_settings, method_named
from arcal.networks import NETWORKS, Ensemble, build
from arcal.store import RunFolder, content_hash, load_header
from arcal.training._fit import load_members
from arcal.training.draws import draw
from arcal.training.recipes import RECIPES, Recipe

FORMAT = {"32-true": 1, "bf16-mixed": 2}
"""By precision, raised when a change of the code changes what a configuration trains.

At first "bf16-mixed" was autocast, and moved the calibration of AR-AdaLS.
"""

ADDED = {"core_batch": None, "schedule": "steps"}
"""Settings of a recipe that came later: a run without them is what it was before there were any."""

CHOICE = ("split_seed", "validation", "images", "test_images", "classes")


@dataclass(frozen=True)
class Run:
    """The configuration of one training.

    One seed is a single model; several are members trained in lockstep that share the method's soft
    labels. `split_seed` draws the validation set and is no part of `seeds`: compared runs share it.
    `validation`, `images`, `test_images` and `classes` are those of `arcal.data.load`.
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

    def __post_init__(self):
        object.__setattr__(self, "seeds", tuple(self.seeds))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "settings", complete_settings(self.method, self.settings))
        method = method_named(self.method, 2, self.settings)  # raises on a setting out of range
        if self.network not in NETWORKS:
            names = ", ".join(NETWORKS)
            raise ArcalError(f"network {self.network!r} is unknown: choose from {names}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ArcalError(f"seeds are {self.seeds}: give at least one, each once")
        if min(self.seeds) < 0:
            raise ArcalError(f"seed {min(self.seeds)} is negative: give 0 or more")
        for name, value in (("epochs", self.recipe.epochs), ("threads", self.threads)):
            if value < 1:
                raise ArcalError(f"{value} {name}: at least 1 is needed")
        method.begin(self.recipe.epochs, self.recipe.full_rate)  # raises on epochs out of range

    def load(self) -> Data:
        """The run's data set."""
        return load(self.data, **self.choice)

    @property
    def choice(self) -> dict[str, Any]:
        """Which images of the data set: the keyword arguments of `arcal.data.load`."""
        return {name: getattr(self, name) for name in CHOICE}

    def config(self, data: Data) -> dict[str, Any]:
        """What the folder's hash is made of: of the data its content, and its folder's name."""
        config = _as_json(dataclasses.asdict(self))
        for name, absent in ADDED.items():
            if config["recipe"][name] == absent:
                del config["recipe"][name]
        embedded = self.data == "fashion"
        source = self.data if embedded else str(Path(self.data).expanduser().absolute())
        config |= {"data": _about(data), "validation": len(data.validation)}
        return config | {"source": source, "format": FORMAT[self.recipe.precision]}

    @property
    def label(self) -> str:
        """What the name of the run's folder begins with."""
        return f"{self.method}-s{'_'.join(map(str, self.seeds))}"

    def path(self, root: Path | str, data: Data) -> Path:
        """Where the run's folder is, or would be."""
        return Path(root) / f"{self.label}-{content_hash(self.config(data))}"

    def folder(self, root: Path | str, data: Data) -> RunFolder:
        """The run's folder under `root`, made if it is not there yet."""
        return RunFolder.create(root, self.label, self.config(data))


def _about(data: Data) -> dict[str, Any]:
    parts = {part.name: part.fingerprint() for part in (data.train, data.validation, data.test)}
    return {"parts": parts, "classes": list(data.classes), "shape": list(data.shape)}


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(entry) for key, entry in value.items()}
    return [_as_json(entry) for entry in value] if isinstance(value, tuple | list) else value


def is_done(folder: RunFolder) -> bool:
    """Whether the run has been trained, and logged, to its last epoch."""
    if not folder.checkpoint.exists():
        return False
    epochs = folder.config_checked()["recipe"]["epochs"]
    return load_header(folder.checkpoint).get("epoch") == epochs == folder.epochs_done()


def fingerprint_of(folder: RunFolder) -> str:
    """16 hexadecimal digits of the SHA-256 of the run's checkpoint: the model that made a file."""
    return sha256(folder.checkpoint.read_bytes()).hexdigest()[:16]


def models_of(folder: RunFolder) -> list[nn.Module]:
    """The members of a finished run."""
    config = folder.config_checked()
    if not is_done(folder):
        raise ArcalError(f"{folder.path} is not trained to its end: run `arcal train` again")
    Z, shape = len(config["data"]["classes"]), tuple(config["data"]["shape"])
    models = [
        build(config["network"], classes=Z, shape=shape, generator=draw(seed, "init"))
        for seed in config["seeds"]
    ]
    load_members(models, folder.checkpoint)
    for model in models:
        model.to(memory_format=torch.channels_last).eval()  # pyright: ignore[reportCallIssue]
    return models


def model_of(folder: RunFolder) -> nn.Module:
    """A finished run as one model: its only member, or the ensemble of its members."""
    models = models_of(folder)
    return models[0] if len(models) == 1 else Ensemble(models)


def data_of(folder: RunFolder, source: str | None = None) -> Data:
    """The data set a run was trained on, from where it was read then, or lies now: `source`."""
    config = folder.config_checked()
    source = source or config.get("source")
    if source is None:
        raise ArcalError(f"{folder.path}/config.json does not say where its data is: give --data")
    try:
        data = load(source, **{name: config[name] for name in CHOICE})
    except ArcalError as error:
        raise ArcalError(
            f"the data of {folder.path} cannot be read ({error}); if it has moved, give its place "
            "by --data"
        ) from None
    if nameless(_about(data)) != nameless(config["data"]):
        raise ArcalError(
            f"{source} is not the data that {folder.path} was trained on: put that data back, or "
            "give its place by --data"
        )
    return data


def nameless(about: dict[str, Any]) -> dict[str, Any]:
    """What is known of a data set, but for the name of its folder."""
    parts = {name.rpartition("/")[2]: value for name, value in about["parts"].items()}
    return about | {"parts": parts}


def same_data(folders: list[RunFolder]) -> None:
    """Refuse to compare runs whose data or validation split differ."""
    first, *others = folders
    for other in others:
        if nameless(other.config_checked()["data"]) != nameless(first.config_checked()["data"]):
            raise ArcalError(
                f"{other.path} was trained on other data or another split than {first.path}: "
                "compare runs of the same"
            )
