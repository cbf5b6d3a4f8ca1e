"""Parquet files in the layout of the Hugging Face hub, decoded into memory."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from arcal.data.decoded import decoded
from arcal.data.images import pixels_of, read_image
from arcal.data.parquet_files import find
from arcal.data.part import InMemory
from arcal.errors import ArcalError, first_line
from arcal.files import parse_json

IMAGE = ("image", "img")
LABEL = ("label", "fine_label", "labels", "coarse_label")  # fine_label: CIFAR-100
ROWS = 1024  # rows read at a time, to keep few compressed images in memory


Fetch = Callable[[Sequence[Path]], Sequence[Path]]


def read_parquet(source: Path, name: str, fetch: Fetch = list) -> tuple[InMemory, InMemory] | None:
    """The training and the test part, or None if there are no such Parquet files at `source`.

    Ids are row numbers unless there is an integer column `id`. Class names come from the metadata
    of the files; without any, they are "0" .. "Z-1", where Z - 1 is the largest label. Files that
    do not fit together or cannot be read raise `ArcalError`. `fetch` gives paths of the files that
    can be read.
    """
    there = find(source)
    if there is None:
        return None
    train, test = files = [list(fetch(part)) for part in there]
    names = class_names(train + test)
    labels = [[integers(file, LABEL) for file in part] for part in files]
    for part, columns in zip(files, labels, strict=True):
        if not any(map(len, columns)):
            raise ArcalError(f"{part[0]} has no rows: replace it by a file with images")
    Z = len(names) if names else sum(map(len, labels[0]))  # without names, at most N classes
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
    """One part from its files and their labels, which have been read already."""
    with opened(files[0]) as parquet:
        schema = parquet.schema_arrow
    if schema.names.count("id") > 1:
        raise ArcalError(f"{files[0]} has {schema.names.count('id')} columns id: leave one of them")
    if "id" in schema.names and pa.types.is_integer(schema.field("id").type):
        ids = torch.cat([integers(file, ("id",)) for file in files])
    else:
        ids = torch.arange(len(labels))
    return InMemory(name, ids, labels, classes, read_pixels(files, len(labels)))


@contextmanager
def opened(file: Path) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; errors in the block become an `ArcalError` that names the file."""
    try:
        with pq.ParquetFile(file) as parquet:
            yield parquet
    except (pa.ArrowException, OSError) as error:
        raise ArcalError(f"{file} cannot be read as Parquet ({first_line(error)})") from error


def class_names(files: list[Path]) -> tuple[str, ...]:
    """The names of the Z classes in the metadata of the files, () if none has any."""
    return agreed((names_in(file), file) for file in files)


def agreed(known: Iterable[tuple[tuple[str, ...], Path]]) -> tuple[str, ...]:
    """The names of classes that there are in files; those that disagree raise `ArcalError`."""
    named = {names: file for names, file in known if names}
    if len(named) > 1:
        one, other, *_ = named.values()
        raise ArcalError(
            f"{one} and {other} name their classes differently: give files of one data set"
        )
    return next(iter(named), ())


def names_in(file: Path) -> tuple[str, ...]:
    """The class names in the metadata of one file."""
    with opened(file) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
        label = one_of(file, parquet.schema_arrow, LABEL)
    return names_of(metadata, label, file)


def names_of(metadata: dict[bytes, bytes], label: str, file: Path) -> tuple[str, ...]:
    """The names of the classes of a column in a schema's metadata, () if there are none.

    They are JSON under "huggingface", as the library `datasets` writes them, or separated by commas
    under "names".
    """
    try:
        if b"huggingface" in metadata:
            features = parse_json(metadata[b"huggingface"])["info"]["features"]
            if names := features.get(label, {}).get("names"):
                return tuple(map(str, names))
        return tuple(metadata[b"names"].decode().split(",")) if b"names" in metadata else ()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArcalError(
            f"{file}: the class names in its metadata cannot be read: write them as `datasets` "
            "does, or remove them"
        ) from error


def one_of(file: Path, schema: pa.Schema, names: tuple[str, ...]) -> str:
    """The first of these column names that occurs in the schema.

    None of them, or one that occurs twice, raises `ArcalError`.
    """
    for name in names:
        if schema.names.count(name) > 1:
            raise ArcalError(
                f"{file} has {schema.names.count(name)} columns {name}: leave one of them"
            )
        if name in schema.names:
            return name
    raise ArcalError(
        f"{file} has no column {' or '.join(names)}: its columns are {', '.join(schema.names)}"
    )


def integers(file: Path, names: tuple[str, ...]) -> Tensor:
    """A column of integers without missing values, int64 `(N,)`."""
    with opened(file) as parquet:
        name = one_of(file, parquet.schema_arrow, names)
        column = parquet.read(columns=[name]).column(name).combine_chunks()
        if not pa.types.is_integer(column.type):
            raise ArcalError(f"{file}: column {name} must be of integers, not {column.type}")
        if column.null_count:
            row = int(np.flatnonzero(column.is_null())[0])
            raise ArcalError(f"{file}, row {row}: {name} is missing: fill it in or drop the row")
        return torch.tensor(column.cast(pa.int64()).to_numpy())


def check_labels(file: Path, labels: Tensor, Z: int) -> None:
    """Raise an `ArcalError` that names the row if a label is not in [0, Z)."""
    wrong = ((labels < 0) | (labels >= Z)).nonzero()
    if len(wrong):
        row = int(wrong[0])
        raise ArcalError(
            f"{file}, row {row}: label {int(labels[row])} is not in [0, {Z}): number the classes "
            "from 0"
        )


def read_pixels(files: list[Path], N: int) -> Tensor:
    """All N >= 1 images of the files, uint8 `(N, C, H, W)`; they must have one shape.

    Files of many are decoded once, see `arcal.data.decoded`.
    """
    return torch.from_numpy(decoded(files, lambda: _decode_all(files, N)))


def _decode_all(files: list[Path], N: int) -> np.ndarray:
    """One thread decodes them, because Pillow holds Python's lock while it decodes PNG and WebP."""
    pixels = np.empty(0, np.uint8)
    position = 0
    for file in files:
        for row, encoded in enumerate(encoded_images(file)):
            image = decode(file, row, encoded)
            if position == 0:
                pixels = np.empty((N, *image.shape), np.uint8)
            if image.shape != pixels.shape[1:]:
                raise ArcalError(
                    f"{file}, row {row}: the image has shape {image.shape}, those before it "
                    f"{pixels.shape[1:]}: give images of one shape (C, H, W)"
                )
            pixels[position] = image
            position += 1
    return pixels


def encoded_images(file: Path) -> Iterator[bytes | None]:
    """The encoded images of a file, row by row."""
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
    """One decoded image, uint8 `(C, H, W)`."""
    if data is None:
        raise ArcalError(f"{file}, row {row}: the image has no bytes: embed the image in the file")
    return pixels_of(read_image(io.BytesIO(data), f"{file}, row {row}"))
