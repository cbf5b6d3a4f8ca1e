"""Parquet files in the layout of the Hugging Face hub, decoded into memory."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.data.columns import ID, is_image, pick, read_ids
from arcal.data.decoded import decoded
from arcal.data.images import pixels_of, read_image
from arcal.data.labels import check_range, refuse_missing, whole_numbers
from arcal.data.parquet_columns import ParquetColumns, agreed
from arcal.data.part import InMemory
from arcal.errors import ArcalError

IMAGE = ("image", "img")
LABEL = ("label", "fine_label", "labels", "coarse_label")  # fine_label: CIFAR-100
ROWS = 1024  # rows read at a time, to keep few compressed images in memory


def read_parquet(
    train: tuple[Path, ...], test: tuple[Path, ...], name: str
) -> tuple[InMemory, InMemory]:
    """The training and the test part in these files.

    Ids are row numbers unless there is an integer column `id`. Class names come from the metadata
    of the files; without any, they are "0" .. "Z-1", where Z - 1 is the largest label. Files that
    do not fit together or cannot be read raise `ArcalError`.
    """
    parts = [ParquetColumns(train), ParquetColumns(test)]
    columns = [pick(part, LABEL) for part in parts]
    pairs = list(zip(parts, columns, strict=True))
    names = agreed((part.class_names(column), part.path) for part, column in pairs)
    labels = [labels_of(part, column) for part, column in pairs]
    Z = len(names) or len(parts[0].rows)  # without names, at most N classes
    for (part, column), values in zip(pairs, labels, strict=True):
        check_range(values, Z, column, part.rows.where)
    names = names or tuple(str(z) for z in range(1 + max(int(values.max()) for values in labels)))
    return (
        read_part(parts[0], f"{name}/train", labels[0], names),
        read_part(parts[1], f"{name}/test", labels[1], names),
    )


def labels_of(columns: ParquetColumns, name: str) -> np.ndarray:
    """Labels without missing values, int64 `(N,)` with N >= 1."""
    column = columns.read(name)
    if not pa.types.is_integer(column.type):
        raise ArcalError(f"{columns.path}: column {name} must be of integers, not {column.type}")
    if not len(column):
        raise ArcalError(f"{columns.path} has no rows: replace it by a file with images")
    refuse_missing(column, name, columns.rows.where)
    return whole_numbers(column, name, columns.rows.where)


def read_part(
    columns: ParquetColumns, name: str, labels: np.ndarray, classes: tuple[str, ...]
) -> InMemory:
    """One part with its labels, which have been read already."""
    numbered = all(pa.types.is_integer(one.type) for one in columns.schema if one.name == ID)
    ids = read_ids(columns) if numbered else torch.arange(len(labels))
    return InMemory(name, ids, torch.from_numpy(labels), classes, read_pixels(columns))


def read_pixels(columns: ParquetColumns) -> Tensor:
    """All N >= 1 images, uint8 `(N, C, H, W)`; they must have one shape.

    Files of many are decoded once, see `arcal.data.decoded`.
    """
    name = pick(columns, IMAGE)
    field = columns.schema.field(name)
    if not (pa.types.is_struct(field.type) and is_image(field)):
        raise ArcalError(
            f"{columns.path}: column {name} must be a struct with binary `bytes`, not {field.type}"
        )
    return torch.from_numpy(decoded(columns.rows.files, lambda: _decode_all(columns, name)))


def _decode_all(columns: ParquetColumns, name: str) -> np.ndarray:
    """One thread decodes them, because Pillow holds Python's lock while it decodes PNG and WebP."""
    images, rows = columns.encoded(name), range(len(columns.rows))
    pixels = np.empty(0, np.uint8)
    for block in (rows[first : first + ROWS] for first in rows[::ROWS]):
        for row, data in zip(block, images.read(block), strict=True):
            where = images.where(row)
            if data is None:
                raise ArcalError(f"{where}: the image has no bytes: embed the image in the file")
            image = pixels_of(read_image(io.BytesIO(data), where))
            if row == 0:
                pixels = np.empty((len(rows), *image.shape), np.uint8)
            if image.shape != pixels.shape[1:]:
                raise ArcalError(
                    f"{where}: the image has shape {image.shape}, those before it "
                    f"{pixels.shape[1:]}: give images of one shape (C, H, W)"
                )
            pixels[row] = image
    return pixels
