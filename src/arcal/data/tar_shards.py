"""Shards of WebDataset: tar files in which NAME.jpg and NAME.cls or NAME.json are one sample."""

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.data.columns import Names
from arcal.data.folder import SUFFIXES
from arcal.data.on_demand import Encoded
from arcal.errors import ArcalError
from arcal.files import parse_json
from arcal.printable import first_few

CLASS, RECORD = "cls", "json"
RECORD_LABELS = ("label", "labels", "cls", "class", "target")


class Members(Encoded):
    """Images that are members of tar files, each read at its offset, so any order is as fast."""

    def __init__(
        self, shards: tuple[Path, ...], places: list[tuple[int, int, int]], keys: list[str]
    ):
        self.shards = shards
        self._places = np.array(places, np.int64).reshape(-1, 3)  # shard, offset, size
        self._keys = np.array([key.encode() for key in keys])

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, position: int) -> str:
        return self._keys[position].decode()

    def where(self, position: int) -> str:
        return f"{self.shards[self._places[position, 0]]}, {self.key(position)}"

    def read(self, positions: Sequence[int]) -> Iterator[bytes]:
        for position in positions:
            shard, offset, size = self._places[position].tolist()
            try:
                with self.shards[shard].open("rb") as file:
                    file.seek(offset)
                    yield file.read(size)
            except OSError as error:
                raise ArcalError(
                    f"{self.shards[shard]} cannot be read ({error.strerror})"
                ) from error


def read_shards(
    files: tuple[Path, ...], names: Names
) -> tuple[Members, pa.ChunkedArray, pa.ChunkedArray | None]:
    """The samples of tar files in their order: their images, labels, and weights if named.

    A name is an ending or, for labels, a field of the JSON record. By default the image is the
    member of a sample with the ending of an image, and the label is in NAME.cls or the field
    `label` of NAME.json. If the data need not be `labelled`, a sample may lack one, which is then
    null. A sample without image or label, or with two images, and a file that is not a tar file
    raise `ArcalError`.
    """
    label, weight = names.label, names.weight
    places, keys, labels, weights = [], [], [], []
    for shard, file in enumerate(files):
        for key, sample in samples(file, {CLASS, RECORD, label}):
            places.append((shard, *_place(file, key, sample, names.image)))
            keys.append(key)
            fields = _record(file, key, sample)
            labels.append(_label_in(file, key, sample, fields, names))
            weights.append(fields.get(weight) if weight else None)
    if not places:
        raise ArcalError(f"{files[0]} has no images: give a part with data")
    counts = _column(weights, weight, files) if weight else None
    return Members(files, places, keys), _column(labels, label or "label", files), counts


def json_fields(
    files: tuple[Path, ...], names: Sequence[str]
) -> tuple[Tensor, dict[str, pa.ChunkedArray]]:
    """The ids int64 `(N,)` of the samples, as `read_shards` orders them, and fields of their JSON.

    A field that a sample lacks is null; a field that all lack raises `ArcalError`.
    """
    records = [
        _record(file, key, sample) for file in files for key, sample in samples(file, {RECORD})
    ]
    values = {name: [fields.get(name) for fields in records] for name in names}
    for name, column in values.items():
        if all(value is None for value in column):
            there = first_few(sorted({field for fields in records for field in fields}))
            only = f"only {there}" if there else "as there is no NAME.json"
            raise ArcalError(f"{files[0]}: no sample has a field {name} in its JSON, {only}")
    columns = {name: _column(column, name, files) for name, column in values.items()}
    return torch.arange(len(records), device="cpu"), columns


def _place(file: Path, key: str, sample: dict[str, Any], image: str | None) -> tuple[int, int]:
    if image is not None:
        endings = [ending for ending in sample if ending == image.lower().lstrip(".")]
    else:
        endings = [ending for ending in sample if f".{ending}" in SUFFIXES]
    if len(endings) != 1:
        what = f"{len(endings)} images" if endings else f"no image (it has {', '.join(sample)})"
        raise ArcalError(
            f"{file}, {key} has {what}: give one each, or name the ending with --image"
        )
    return sample[endings[0]][:2]


def _label_in(
    file: Path, key: str, sample: dict[str, Any], fields: dict[str, Any], names: Names
) -> int | float | str | None:
    if names.label is not None:
        value = fields.get(names.label, _text(file, key, sample, names.label))
    else:
        value = _text(file, key, sample, CLASS)
        if value is None:
            value = next((fields[name] for name in RECORD_LABELS if name in fields), None)
    if value is None and not names.labelled:
        return None
    if value is None or isinstance(value, list | dict):
        raise ArcalError(
            f"{file}, {key} has no label: add {key}.cls or a field of {key}.json, and name "
            "that with --label"
        )
    return value


def samples(file: Path, texts: set[str | None]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The samples of a shard, in order: the key, and by ending the offset, the size and the bytes.

    The key is the path up to the first dot of the file name, the ending what follows. Bytes are
    read only for the endings in `texts` and are None for others. Members of a sample must follow
    one another.
    """
    done: set[str] = set()
    current, sample = "", {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if not member.isfile() or path.name[0] == ".":
                    continue
                stem, _, ending = path.name.partition(".")
                key, ending = str(path.with_name(stem)), ending.lower()
                if key != current:
                    if sample:
                        yield current, sample
                    if key in done:
                        raise ArcalError(
                            f"{file}, {key} occurs in two places: the files of a sample must "
                            "follow one another, and its name must be its own"
                        )
                    done.add(key)
                    current, sample = key, {}
                if ending in sample:
                    raise ArcalError(f"{file} holds {member.name} twice: give each sample its name")
                data = tar.extractfile(member) if ending in texts else None
                sample[ending] = (member.offset_data, member.size, data.read() if data else None)
    except (tarfile.TarError, OSError) as error:
        raise ArcalError(
            f"{file} cannot be read as a tar file ({error}): give whole files, not compressed"
        ) from error
    if sample:
        yield current, sample


def _text(file: Path, key: str, sample: dict[str, Any], ending: str) -> str | None:
    if ending not in sample or sample[ending][2] is None:
        return None
    try:
        return sample[ending][2].decode("utf-8").strip() or None
    except UnicodeDecodeError as error:
        raise ArcalError(f"{file}, {key}.{ending} is not text: write the label as UTF-8") from error


def _record(file: Path, key: str, sample: dict[str, Any]) -> dict[str, Any]:
    """The JSON record of a sample, {} if there is none."""
    text = _text(file, key, sample, RECORD)
    try:
        fields = parse_json(text) if text else {}
    except ValueError as error:
        raise ArcalError(f"{file}, {key}.json is not JSON: correct it") from error
    return fields if isinstance(fields, dict) else {CLASS: fields}


def _column(values: list[Any], name: str, files: tuple[Path, ...]) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([pa.array(values)])
    except pa.ArrowException as error:
        raise ArcalError(
            f"{files[0].parent}: {name} has values of several types: give each sample the same type"
        ) from error
