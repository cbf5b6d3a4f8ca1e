"""Parquet files as the Hugging Face hub lays them out, decoded into memory."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from arcal.data.images import pixels_of, read_image
from arcal.data.parquet_files import find
from arcal.data.part import InMemory
from arcal.errors import ArcalError

IMAGE = ("image", "img")
LABEL = ("label", "fine_label")  # fine_label: CIFAR-100
ROWS = 1024  # read at a time: the compressed bytes of few images are in memory at once


def read_parquet(source: Path, name: str) -> tuple[InMemory, InMemory] | None:
    """Training and test part, or None where `source` leads to no such Parquet files.

    Ids are row numbers unless there is an integer column `id`. Class names come from the files'
    metadata, or are "0".."Z-1" with Z one above the largest label of both parts.
    """
    files = find(source)
    if files is None:
        return None
    train, test = files
    names = class_names(train + test)
    labels = [[integers(file, LABEL) for file in some] for some in files]
    for some, columns in zip(files, labels, strict=True):
        if not any(map(len, columns)):
            raise ArcalError(f"{some[0]} has no rows")
    Z = len(names) if names else sum(map(len, labels[0]))  # nameless: any Z up to N will do
    for file, column in zip(train + test, labels[0] + labels[1], strict=True):
        check_labels(file, column, Z)
    if not names:
        Z = 1 + max(int(column.max()) for column in labels[0] + labels[1] if len(column))
        names = tuple(str(z) for z in range(Z))
    return (
        read_part(train, f"{name}/train", torch.cat(labels[0]), names),
        read_part(test, f"{name}/test", torch.cat(labels[1]), names),
    )


def read_part(files: list[Path], name: str, labels: Tensor, classes: tuple[str, ...]) -> InMemory:
    """The part that these files are, by the labels already read from them."""
    with opened(files[0]) as parquet:
        schema = parquet.schema_arrow
    if "id" in schema.names and pa.types.is_integer(schema.field("id").type):
        ids = torch.cat([integers(file, ("id",)) for file in files])
    else:
        ids = torch.arange(len(labels))
    return InMemory(name, ids, labels, classes, read_pixels(files, len(labels)))


@contextmanager
def opened(file: Path) -> Iterator[pq.ParquetFile]:
    """The open Parquet file; what goes wrong while it is open is one line that names it."""
    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ArcalError(f"{file} cannot be read as Parquet ({reason})") from error


def class_names(files: list[Path]) -> tuple[str, ...]:
    """The Z names in the files' metadata, which must agree; () where there are none."""
    named = {names: file for file in files if (names := names_in(file))}
    if len(named) > 1:
        one, other, *_ = named.values()
        raise ArcalError(f"{one} and {other} name their classes differently")
    return next(iter(named), ())


def names_in(file: Path) -> tuple[str, ...]:
    """The names in one schema's metadata.

    They are under "huggingface" in JSON, as its `datasets` library writes them, or under "names",
    joined by commas.
    """
    with opened(file) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        label = one_of(file, parquet.schema_arrow, LABEL)
    try:
        if b"huggingface" in metadata:
            features = json.loads(metadata[b"huggingface"])["info"]["features"]
            if names := features[label].get("names"):
                return tuple(map(str, names))
        return tuple(metadata[b"names"].decode().split(",")) if b"names" in metadata else ()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArcalError(f"{file}: the class names in its metadata cannot be read") from error


def one_of(file: Path, schema: pa.Schema, names: tuple[str, ...]) -> str:
    """The first of these column names that the schema has. None at all, or two of it, raises."""
    for name in names:
        if schema.names.count(name) > 1:
            raise ArcalError(f"{file} has {schema.names.count(name)} columns {name}: leave one")
        if name in schema.names:
            return name
    raise ArcalError(
        f"{file} has no column {' or '.join(names)}: its columns are {', '.join(schema.names)}"
    )


def integers(file: Path, names: tuple[str, ...]) -> Tensor:
    """int64 `(N,)`: a column of integers, without missing values."""
    with opened(file) as parquet:
        name = one_of(file, parquet.schema_arrow, names)
        column = parquet.read(columns=[name]).column(name).combine_chunks()
        if not pa.types.is_integer(column.type):
            raise ArcalError(f"{file}: column {name} must be of integers, not {column.type}")
        if column.null_count:
            row = int(np.flatnonzero(column.is_null())[0])
            raise ArcalError(f"{file}, row {row}: {name} is missing")
        return torch.tensor(column.cast(pa.int64()).to_numpy())


def check_labels(file: Path, labels: Tensor, Z: int) -> None:
    """Raise, with the row, where a label is not in [0, Z)."""
    wrong = ((labels < 0) | (labels >= Z)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ArcalError(f"{file}, row {row}: label {int(labels[row])} is not in [0, {Z})")


def read_pixels(files: list[Path], N: int) -> Tensor:
    """uint8 `(N, C, H, W)`: every image of the files, N >= 1 of one shape.

    On one thread: Pillow holds Python's lock while it decodes PNG and WebP.
    """
    pixels = np.empty(0, np.uint8)
    position = 0
    for file in files:
        for row, encoded in enumerate(encoded_images(file)):
            image = decode(file, row, encoded)
            if position == 0:  # the first image says the shape of all
                pixels = np.empty((N, *image.shape), np.uint8)
            if image.shape != pixels.shape[1:]:
                raise ArcalError(
                    f"{file}, row {row}: the image is {image.shape}, the ones before it are "
                    f"{pixels.shape[1:]}: all must have one shape (C, H, W)"
                )
            pixels[position] = image
            position += 1
    return torch.from_numpy(pixels)


def encoded_images(file: Path) -> Iterator[bytes | None]:
    """The image bytes of the file, row by row."""
    with opened(file) as parquet:
        name = one_of(file, parquet.schema_arrow, IMAGE)
        kind = parquet.schema_arrow.field(name).type
        has_bytes = pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0
        if not has_bytes or kind.field("bytes").type not in (pa.binary(), pa.large_binary()):
            raise ArcalError(
                f"{file}: column {name} must be a struct with binary `bytes`, not {kind}"
            )
        for batch in parquet.iter_batches(ROWS, columns=[f"{name}.bytes"]):
            yield from batch.column(0).field("bytes").to_pylist()


def decode(file: Path, row: int, data: bytes | None) -> np.ndarray:
    """uint8 `(C, H, W)`: one image."""
    if data is None:
        raise ArcalError(f"{file}, row {row}: the image has no bytes")
    return pixels_of(read_image(io.BytesIO(data), f"{file}, row {row}"))
