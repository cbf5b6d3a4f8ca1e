"""The files on disk: run folders, score files and calibrators.

Every file is written under a temporary name and then renamed, so that it is complete or absent.
Nothing is ever unpickled: tensors are stored as safetensors, tables as Parquet, the rest as JSON.

    config.json              everything needed to repeat the run; its hash is in the folder's name
    metrics.jsonl            one line per epoch
    checkpoint.safetensors   the state after the last epoch, for resuming and for evaluation
    predictions/SET.safetensors   logits (M, N, Z), ids (N,) and labels (N,)
    scores/PART-NAME.parquet      id, robustness, success, predicted, label, passes; NAME is the
                                  order, or for the order `attack` the name of the attack
    scores/PART-NAME.shards/      the same for blocks of ids, until all blocks are scored
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from arcal.calibration.posthoc import CALIBRATORS, Calibrator, from_state
from arcal.errors import ArcalError
from arcal.files import locked, write_json, write_whole
from arcal.robustness import Robustness

SHARDS = ".shards"
"""The suffix of a folder of shards."""


def content_hash(config: Mapping[str, Any]) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of a configuration, as JSON with sorted keys.

    The entry `source`, the place that the data was read from, is left out: the data is identified
    by its name and its fingerprints.

    >>> content_hash({"method": "vanilla", "seeds": [0], "source": "data/cifar10"})
    '5c0651a7114d'
    >>> content_hash({"seeds": [0], "method": "vanilla"})
    '5c0651a7114d'
    """
    hashed = {name: value for name, value in config.items() if name != "source"}
    return sha256(json.dumps(hashed, sort_keys=True).encode()).hexdigest()[:12]


def save_tensors(path: Path, tensors: Mapping[str, Tensor], **metadata: Any) -> None:
    """Write named tensors to a safetensors file, with `metadata` as JSON in its header.

    >>> save_tensors(Path("labels.safetensors"), {"labels": torch.tensor([1, 0])}, model="tiny")
    >>> load_tensors(Path("labels.safetensors"))
    ({'labels': tensor([1, 0])}, {'model': 'tiny'})
    """
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    header = {key: json.dumps(value) for key, value in metadata.items()}
    try:
        write_whole(path, lambda temporary: save_file(contiguous, temporary, header))
    except SafetensorError as error:  # raised when the disk is full, too
        raise OSError(f"{path} cannot be written ({error})") from None


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read named tensors and their metadata; the inverse of `save_tensors`.

    A missing or damaged file raises `ArcalError`.
    """
    try:
        path.open("rb").close()  # safe_open reports a file without read permission as missing
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: run the command that writes it first") from None
    except (SafetensorError, ValueError) as error:
        raise ArcalError(f"{path} is damaged ({error}): delete it and make it again") from None
    return tensors, header


def load_header(path: Path) -> dict[str, Any]:
    """Read only the metadata of a file that `save_tensors` wrote.

    >>> save_tensors(Path("labels.safetensors"), {"labels": torch.tensor([1, 0])}, model="tiny")
    >>> load_header(Path("labels.safetensors"))
    {'model': 'tiny'}
    """
    try:
        path.open("rb").close()
        with safe_open(path, framework="pt") as file:
            return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
    except (SafetensorError, ValueError) as error:
        raise ArcalError(f"{path} is damaged ({error}): delete it and make it again") from None


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
        """The folder `root/label-HASH` of this configuration; it is made when it does not exist.

        When the data has moved since, config.json is rewritten with its new place. A config.json
        that is damaged or belongs to another configuration raises `ArcalError`.
        """
        folder = cls(Path(root) / f"{label}-{content_hash(config)}")
        exists = (folder.path / "config.json").exists()
        if not exists or folder.config_checked().get("source") != config.get("source"):
            write_json(folder.path / "config.json", config)
        return folder

    @classmethod
    def open(cls, path: Path | str) -> "RunFolder":
        """An existing run folder, checked as in `config_checked`; otherwise raises `ArcalError`."""
        path = Path(path)
        if not (path / "config.json").is_file():
            reason = "it has no config.json" if path.is_dir() else "there is no such folder"
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
            config = json.loads(path.read_text())
            if not isinstance(config, dict):
                raise ValueError("it is not a JSON object")
        except ValueError as error:
            raise ArcalError(
                f"{path} is damaged ({error}): delete {self.path} and train the run again"
            ) from None
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
            lines = path.read_text().split("\n")[:-1] if path.exists() else []
            return [json.loads(line) for line in lines]
        except ValueError as error:
            raise ArcalError(
                f"{path} is damaged ({error}): delete {self.path} and train the run again"
            ) from None

    def epochs_done(self) -> int:
        """The number of epochs in metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def log_epochs(self, epochs: list[dict[str, Any]]) -> None:
        """Write the metrics of all epochs to metrics.jsonl, one line each."""
        text = "".join(json.dumps(line) + "\n" for line in epochs)
        write_whole(self.path / "metrics.jsonl", lambda temporary: temporary.write_text(text))

    @property
    def checkpoint(self) -> Path:
        """The file of the state after the last epoch."""
        return self.path / "checkpoint.safetensors"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock of this run while the block runs, so that one process at a time trains it.

        The lock is released when the process ends, however it ends. Temporary files that a killed
        process left are removed.
        """
        with locked(self.path / ".lock"):
            for name in ("checkpoint.safetensors", "metrics.jsonl"):
                for unfinished in self.path.glob(f".{name}.*"):
                    unfinished.unlink(missing_ok=True)
            yield

    def predictions(self, name: str) -> Path:
        """The path of the predictions on the evaluation set of this name, such as "test"."""
        return self.path / "predictions" / f"{name}.safetensors"

    def scores(self, part: str, name: str) -> Path:
        """The path of the scores of a part, such as "train", by the order or attack `name`."""
        return self.path / "scores" / f"{part}-{name}.parquet"


def save_scores(path: Path, scores: Robustness, fingerprint: Mapping[str, Any]) -> None:
    """Write a score file with the fingerprint of the model, the data and the attack.

    >>> ids = torch.tensor([3, 8])
    >>> scores = Robustness(
    ...     order="attack", ids=ids, robustness=torch.tensor([0.5, torch.inf]),
    ...     success=torch.tensor([True, False]), predicted=ids, labels=ids, passes=ids,
    ... )
    >>> save_scores(Path("test.parquet"), scores, {"model": "tiny"})
    >>> load_scores(Path("test.parquet"), {"model": "tiny"}).robustness
    tensor([0.5000,    inf])
    """
    success = [None] * len(scores.ids) if scores.success is None else scores.success.tolist()
    table = pa.table(
        {
            "id": scores.ids.numpy(),
            "robustness": scores.robustness.numpy(),
            "success": pa.array(success, pa.bool_()),
            "predicted": scores.predicted.numpy(),
            "label": scores.labels.numpy(),
            "passes": scores.passes.numpy(),
        }
    )
    about = {
        "order": scores.order,
        "kind": "distance" if scores.order == "attack" else "ranking, not a distance",
        "fingerprint": dict(fingerprint),
    }
    table = table.replace_schema_metadata({"arcal": json.dumps(about)})
    write_whole(path, lambda temporary: pq.write_table(table, temporary))


def merge_scores(path: Path, shards: Iterable[Path]) -> None:
    """Concatenate shards, given in order, into one score file; one shard at a time is in memory.

    A shard that is missing or not a score file raises `ArcalError`.
    """

    def write(temporary: Path) -> None:
        with ExitStack() as stack:
            writer = None
            for shard in shards:
                table, _ = _read_scores(shard)
                writer = writer or stack.enter_context(pq.ParquetWriter(temporary, table.schema))
                writer.write_table(table)

    write_whole(path, write)


def load_scores(path: Path, fingerprint: Mapping[str, Any] | None = None) -> Robustness:
    """Read a score file.

    A file that is missing, is not a score file, or differs from an entry of `fingerprint`, and so
    belongs to another model, data set or attack, raises `ArcalError`.
    """
    table, about = _read_scores(path)
    expected = json.loads(json.dumps(fingerprint or {}))
    actual = {name: about["fingerprint"].get(name) for name in expected}
    if changes := ", ".join(_changes(actual, expected)):
        to_delete = path.parent if path.parent.suffix == SHARDS else "it"
        raise ArcalError(f"{path} is stale: its {changes}; delete {to_delete} and score again")
    column = {name: torch.from_numpy(table[name].to_numpy().copy()) for name in _NUMBERS}
    success = None
    if table["success"].null_count < len(table):
        success = torch.tensor(table["success"].to_pylist())
    return Robustness(
        order=about["order"],
        ids=column["id"],
        robustness=column["robustness"],
        success=success,
        predicted=column["predicted"],
        labels=column["label"],
        passes=column["passes"],
    )


def _read_scores(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    """The table of a score file, and its order and fingerprint."""
    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[b"arcal"])
        if missing := {*_NUMBERS, "success"} - {*table.column_names}:
            raise KeyError(*missing)
        if missing := {"order", "fingerprint"} - about.keys():
            raise KeyError(*missing)
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: run `arcal score` first") from None
    except (pa.ArrowException, AttributeError, KeyError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ArcalError(
            f"{path} is not a score file ({reason}): delete it and score again"
        ) from None
    return table, about


def _changes(actual: Any, expected: Any, name: str = "") -> Iterator[str]:
    """The differences of two fingerprints as phrases: `attack iterations is 500, not 100`."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        for key in expected | actual:
            yield from _changes(actual.get(key), expected.get(key), f"{name} {key}".strip())
    elif actual != expected:
        yield f"{name} is {actual}, not {expected}"


CALIBRATOR_FORMAT = "arcal calibrator 1"
"""The format of a calibrator's file; its number increases when older versions cannot read it."""


def save_calibrator(calibrator: Calibrator, path: Path | str) -> None:
    """Write a calibrator's `state_dict()` as safetensors, with its kind in the metadata.

    A calibrator whose class is not in `CALIBRATORS` could not be read back and raises `ArcalError`.

    >>> from tempfile import TemporaryDirectory
    >>> from arcal.calibration.posthoc import Temperature
    >>> with TemporaryDirectory() as folder:
    ...     save_calibrator(Temperature(2.5), f"{folder}/calibrator.safetensors")
    ...     load_calibrator(f"{folder}/calibrator.safetensors")
    Temperature(T=2.5)
    """
    kind = getattr(calibrator, "kind", None)
    if CALIBRATORS.get(str(kind)) is not type(calibrator):
        raise ArcalError(
            f"{type(calibrator).__name__} cannot be saved: add it to "
            "arcal.calibration.posthoc.CALIBRATORS under its kind"
        )
    save_tensors(Path(path), calibrator.state_dict(), format=CALIBRATOR_FORMAT, kind=kind)


def load_calibrator(path: Path | str) -> Calibrator:
    """Read a calibrator that `save_calibrator` wrote, bit for bit, on the CPU.

    A file that is missing or damaged, has another format or kind, or has tensors that are out of
    range raises `ArcalError`.
    """
    try:
        Path(path).open("rb").close()  # safe_open reports a file without read permission as missing
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            header = file.metadata() or {}
    except FileNotFoundError:
        raise ArcalError(f"{path} is missing: fit a calibrator and save it there") from None
    except (SafetensorError, IsADirectoryError) as error:
        raise ArcalError(
            f"{path} is not a calibrator ({error}): name a file that save_calibrator wrote"
        ) from None
    if header.get("format") != json.dumps(CALIBRATOR_FORMAT):
        raise ArcalError(
            f"{path} is not a calibrator of this version: its format is {header.get('format')}, "
            f'not "{CALIBRATOR_FORMAT}"; name another file, or update arcal'
        )
    try:
        return from_state(str(json.loads(header["kind"])), state)
    except (KeyError, ValueError) as error:
        raise ArcalError(f"{path} is not a calibrator of this version: {error}") from None


_NUMBERS = ("id", "robustness", "predicted", "label", "passes")
