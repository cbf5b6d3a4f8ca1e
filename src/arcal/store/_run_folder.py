"""The folder of one run: its configuration, metrics, checkpoint, predictions and scores."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from arcal.errors import ArcalError
from arcal.files import locked, parse_json, write_json, write_text

PLACES = ("source", "network_source", "weights_source")
"""The entries of a configuration that say where data, code and weights were read from."""


def content_hash(config: Mapping[str, Any]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a configuration, as JSON with sorted keys.

    The entries in `PLACES` are left out: what was read there is identified by its name and content.

    >>> content_hash({"method": "vanilla", "seeds": [0], "source": "data/cifar10"})
    '5c0651a7114d'
    >>> content_hash({"seeds": [0], "method": "vanilla"})
    '5c0651a7114d'
    """
    hashed = {name: value for name, value in config.items() if name not in PLACES}
    return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:12]


def is_run_folder(path: Path | str) -> bool:
    """Whether this is the folder of a run that has begun, by the files that are there.

    >>> is_run_folder("runs")
    False
    """
    return all(Path(path, name).is_file() for name in ("config.json", "metrics.jsonl"))


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run on disk.

    >>> folder = RunFolder.create("runs", "vanilla-s0", {"method": "vanilla", "seeds": [0]})
    >>> folder.name
    'vanilla-s0-5c0651a7114d'
    >>> folder.log_epochs([{"epoch": 1, "accuracy": 0.5}])
    >>> RunFolder.open("runs/vanilla-s0-5c0651a7114d").epochs()
    [{'epoch': 1, 'accuracy': 0.5}]
    """

    path: Path

    @classmethod
    def create(cls, root: Path | str, label: str, config: Mapping[str, Any]) -> "RunFolder":
        """The folder `root/label-HASH` of this configuration; it is created if it does not exist.

        When the data has moved since, config.json is rewritten with its new place. A config.json
        that is damaged or belongs to another configuration raises `ArcalError`.
        """
        folder = cls(Path(root) / f"{label}-{content_hash(config)}")
        exists = (folder.path / "config.json").exists()
        known = folder.config_checked() if exists else {}
        if not exists or any(known.get(place) != config.get(place) for place in PLACES):
            write_json(folder.path / "config.json", config)
        return folder

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """An existing run folder, checked as in `config_checked`; otherwise raises `ArcalError`."""
        path = Path(path)
        if not (path / "config.json").is_file():
            reason = "there is no such folder"
            if path.exists():
                reason = "it has no config.json" if path.is_dir() else "it is a file"
            if runs := sorted(path.glob("*/config.json")):
                reason += f"; name a folder in it, such as {runs[0].parent}"
            raise ArcalError(f"{path} is not a run folder: {reason}")
        folder = cls(path.resolve())
        folder.config_checked()
        return folder

    def config_checked(self) -> dict[str, Any]:
        """The configuration in config.json, checked against the hash in the folder's name.

        A damaged file or another hash raises `ArcalError`.
        """
        path = self.path / "config.json"
        try:
            config = parse_json(path.read_bytes())
            if not isinstance(config, dict):
                raise ValueError("it is not a JSON object")
        except ValueError as error:
            raise self._damaged(path, error) from None
        actual, expected = content_hash(config), self.path.name.rpartition("-")[2]
        if actual != expected:
            raise ArcalError(
                f"{path} has been changed, or its folder renamed: its hash is {actual}, but the "
                f"folder's name ends in {expected}; undo the change, or train the new "
                "configuration in a folder of its own"
            )
        return config

    @property
    def name(self) -> str:
        """The name of the folder, `label-HASH`."""
        return self.path.name

    @property
    def digest(self) -> str:
        """The hash of the configuration, with which the folder's name ends."""
        return content_hash(self.config_checked())

    def epochs(self) -> list[dict[str, Any]]:
        """The metrics of each finished epoch, from metrics.jsonl.

        An incomplete last line, left by a killed process, is skipped; another damaged line raises
        `ArcalError`.
        """
        path = self.path / "metrics.jsonl"
        try:
            lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
            epochs = [parse_json(line) for line in lines]
            if not all(isinstance(epoch, dict) for epoch in epochs):
                raise ValueError("a line is not a JSON object")
            return epochs
        except ValueError as error:
            raise self._damaged(path, error) from None

    def _damaged(self, path: Path, error: ValueError) -> ArcalError:
        return ArcalError(
            f"{path} is damaged ({error}): delete {self.path} and train the run again"
        )

    def epochs_done(self) -> int:
        """The number of epochs in metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def log_epochs(self, epochs: list[dict[str, Any]]) -> None:
        """Write the metrics of all epochs to metrics.jsonl, one line each."""
        text = "".join(json.dumps(line) + "\n" for line in epochs)
        write_text(self.path / "metrics.jsonl", text)

    @property
    def checkpoint(self) -> Path:
        """The file of the state after the last epoch."""
        return self.path / "checkpoint.safetensors"

    @property
    def rescoring(self) -> Path:
        """The folder of the shards of a re-scoring during training, until it is done."""
        return self.path / "rescoring"

    @property
    def files(self) -> Path:
        """The file with digests of the files of its images, if they are files."""
        return self.path / "files.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of this run while the block runs, so that one process at a time trains it.

        The lock is released when the process ends, however it ends. Temporary files that a killed
        process left are removed.
        """
        with locked(self.path / ".lock"):
            for name in ("checkpoint.safetensors", "metrics.jsonl", "files.json"):
                for unfinished in self.path.glob(f".{name}.*"):
                    unfinished.unlink(missing_ok=True)
            yield

    def predictions(self, name: str) -> Path:
        """The path of the predictions on the evaluation set of this name, such as "test"."""
        return self.path / "predictions" / f"{name}.safetensors"

    def figures(self, name: str) -> Path:
        """The path of the figures on the set of this name, of this run and runs like it."""
        return self.path / "figures" / f"{name}.json"

    def scores(self, part: str, name: str) -> Path:
        """The path of the scores of a part, such as "train", by the order or attack `name`."""
        return self.path / "scores" / f"{part}-{name}.parquet"
