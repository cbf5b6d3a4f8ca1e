"""Parquet files in the layout of the Hugging Face hub, decoded into memory."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.data.columns import ID, is_image, pick, read_ids
from arcal.data.decoded import decoded
from arcal.data.images import pixels_of, read_upright
from arcal.data.labels import encode_labels
from arcal.data.parquet_columns import ParquetColumns, agreed
from arcal.data.part import InMemory
from arcal.errors import ArcalError

IMAGE = ("image", "img")
LABEL = ("label", "fine_label", "labels", "coarse_label")  # fine_label: CIFAR-100
ROWS = 1024  # rows read at a time, to keep few compressed images in memory


def read_parquet(files: Mapping[str, tuple[Path, ...]], name: str) -> dict[str, InMemory]:
    """The parts of a data set in these files, by name.

    Ids are row numbers unless there is an integer column `id`. Class names come from the metadata
    of the files; without any, they are those that `encode_labels` finds in the part with most
    classes. Files that do not fit together or cannot be read raise `ArcalError`.
    """
    parts = {part: ParquetColumns(paths) for part, paths in files.items()}
    for part in parts.values():
        if not len(part.rows):
            raise ArcalError(f"{part.path} has no rows: replace it by a file with images")
    classes = agreed((part.class_names(pick(part, LABEL)), part.path) for part in parts.values())
    classes = classes or max((_labels(part)[1] for part in parts.values()), key=len)
    labels = {part: _labels(columns, classes)[0] for part, columns in parts.items()}
    return {
        part: _part(columns, f"{name}/{part}", labels[part], classes)
        for part, columns in parts.items()
    }


def _labels(
    columns: ParquetColumns, classes: tuple[str, ...] = ()
) -> tuple[Tensor, tuple[str, ...]]:
    column = pick(columns, LABEL)
    return encode_labels(columns.read(column), column, columns.rows.where, names=classes)


def _part(columns: ParquetColumns, name: str, labels: Tensor, classes: tuple[str, ...]) -> InMemory:
    numbered = all(pa.types.is_integer(one.type) for one in columns.schema if one.name == ID)
    ids = read_ids(columns)[0] if numbered else torch.arange(len(labels), device="cpu")
    return InMemory(name, ids, labels, classes, read_pixels(columns))


def read_pixels(columns: ParquetColumns) -> Tensor:
    """All N >= 1 images, uint8 `(N, C, H, W)`; they must have one shape.

    Large files are decoded only once, see `arcal.data.decoded`.
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
            image = pixels_of(read_upright(io.BytesIO(data), where))
            if row == 0:
                pixels = np.empty((len(rows), *image.shape), np.uint8)
            if image.shape != pixels.shape[1:]:
                raise ArcalError(
                    f"{where}: the image has shape {image.shape}, those before it "
                    f"{pixels.shape[1:]}: give images of one shape (C, H, W)"
                )
            pixels[row] = image
    return pixels
