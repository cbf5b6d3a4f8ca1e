"""What files say before an image is opened: their columns, and a part's ids and labels."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import torch
from torch import Tensor

from arcal.data.cifar import read_cifar
from arcal.data.columns import (
    IMAGES,
    LABELS,
    Columns,
    Names,
    as_weights,
    encoded_images,
    is_image,
    label_column,
    pick,
    read_ids,
    read_labels,
    unlabelled,
)
from arcal.data.folder import has_class_folders, image_files, list_images
from arcal.data.labels import encode_labels, typed
from arcal.data.npz import npz_columns, read_npz
from arcal.data.on_demand import Encoded, ImageFiles, InRows, OnDemand
from arcal.data.parquet_columns import ArrowColumns, ParquetColumns
from arcal.data.part import InMemory
from arcal.data.sources import Format, find_source
from arcal.data.tar_shards import json_fields, read_shards
from arcal.data.text_tables import TextTable, read_csv, read_json_lines
from arcal.data.views import View
from arcal.errors import ArcalError


def list_part(
    format: Format, part: str, name: str, paths: tuple[Path, ...], names: Names
) -> InMemory | OnDemand:
    """A part as its files describe it, before an image is opened; a mismatch raises `ArcalError`.

    A part on demand has no view of its images yet, and its `how` says what was left out.
    """
    if format == "folder":
        return _folder(paths[0], name, names)
    if format == "tar":
        return _tar(paths, name, names)
    if format == "npz":
        file, *others = paths
        if others:
            raise ArcalError(f"{file.parent} holds several .npz files: name one of them")
        return read_npz(file, part, name, names)
    if format == "cifar":
        return _cifar(paths[0], part, name, names)
    columns = open_columns(format, paths)
    encoded = [field.name for field in columns.schema if is_image(field)]
    only = encoded[0] if names.image is None and len(encoded) == 1 else names.image
    image = pick(columns, IMAGES, only, "--image")
    label = label_column(columns, LABELS, names.label, names.labelled)
    labels, classes, weights = read_labels(columns, label, names)
    ids, row_names = read_ids(columns)
    images = encoded_images(columns, image)
    if isinstance(images, InRows):
        images.names = row_names
    return _unseen(name, images, labels, classes, ids=ids, weights=weights)


def _unseen(
    name: str,
    images: Encoded,
    labels: Tensor,
    classes: tuple[str, ...],
    *,
    ids: Tensor | None = None,
    weights: Tensor | None = None,
    how: str = "",
) -> OnDemand:
    """All of these images, with ids 0 .. N-1 unless given, and no view until one is opened."""
    rows, view = torch.arange(len(images), device="cpu"), View(3, 1, 1)
    ids = rows if ids is None else ids
    return OnDemand(name, ids, labels, classes, images, rows, view, weights, how)


def _folder(root: Path, name: str, names: Names) -> OnDemand:
    _refuse(root, names, "a folder of images has no columns")
    if not has_class_folders(root):
        if names.labelled:
            raise ArcalError(
                f"{root} holds images and no folders of classes, so they have no labels: give "
                "CLASS/IMAGE, or a CSV with a column of paths and one of labels"
            )
        alone = ImageFiles(root, image_files(root))
        return _unseen(name, alone, *unlabelled(len(alone)))
    files, labels, others = list_images(root)
    numbers, classes = encode_labels(
        pa.chunked_array([pa.array(labels).dictionary_encode()]),
        "class",
        files.where,
        names=sorted(set(labels)),
        classes=names.classes,
    )
    one, several = "file that is not an image by its name", "files that are not images"
    note = f"{others} {one if others == 1 else several} left out" if others else ""
    return _unseen(name, files, numbers, classes, how=note)


def _tar(paths: tuple[Path, ...], name: str, names: Names) -> OnDemand:
    images, column, counts = read_shards(paths, names)
    if column.null_count:
        labels, classes = unlabelled(len(images))
    else:
        labels, classes = encode_labels(
            column, names.label or "label", images.where, classes=names.classes
        )
    weights = None if counts is None else as_weights(counts, str(names.weight), images.where)
    return _unseen(name, images, labels, classes, weights=weights)


def _cifar(path: Path, part: str, name: str, names: Names) -> InMemory:
    _refuse(path, names, "the archive has no columns")
    official = read_cifar(path, name, train=part == "train")
    labels, classes = encode_labels(
        pa.chunked_array([official.labels.numpy()]),
        "label",
        lambda row: f"{path}, image {row}",
        names=official.classes,
        classes=names.classes,
    )
    return dataclasses.replace(official, labels=labels, classes=classes)


def _refuse(path: Path, names: Names, why: str) -> None:
    for option, value in (("image", names.image), ("label", names.label), ("weight", names.weight)):
        if value is not None:
            raise ArcalError(f"{path}: {why}: leave out --{option} {value}")


READERS: dict[str, Callable[[tuple[Path, ...]], Columns]] = {
    "parquet": ParquetColumns,
    "arrow": ArrowColumns,
    "csv": partial(TextTable, read=read_csv),
    "jsonl": partial(TextTable, read=read_json_lines),
}
"""Readers of the columns of a part, for the formats that are tables."""


def open_columns(format: Format, files: tuple[Path, ...]) -> Columns:
    """The columns of a part; a format without any, or files that cannot be read, raise an error."""
    if format not in READERS:
        raise ArcalError(
            f"{files[0]} holds images, not columns of numbers or text: give Parquet, CSV, JSON "
            "lines, .npz, WebDataset or a folder saved by `datasets`"
        )
    return READERS[format](files)


def load_columns(
    source: str, names: Sequence[str], *, part: str | None = None, image: str | None = None
) -> tuple[Tensor, dict[str, pa.ChunkedArray]]:
    r"""The ids int64 `(N,)` of a part's inputs, and some of its columns by name, in the same order.

    These are facts about the inputs besides what a model takes, such as where each is from. Arrays
    of `.npz` and fields of WebDataset's JSON are columns, too. Text that is all numbers becomes
    numbers. `source`, `part` and `image` are as for `load_part` and `load_table`; data without
    columns, and a missing column, raise `ArcalError`.

    >>> _ = Path("loans.csv").write_text("age,region,label\n31,north,1\n58,south,0")
    >>> ids, columns = load_columns("loans.csv", ["region"])
    >>> ids, columns["region"].to_pylist()
    (tensor([0, 1]), ['north', 'south'])
    """
    there = find_source(source)
    key, _, paths = there.choose(part)
    if there.format == "npz":
        ids, values = npz_columns(paths[0], key, names, image)
    elif there.format == "tar":
        ids, values = json_fields(paths, names)
    else:
        columns = open_columns(there.format, paths)
        ids, _ = read_ids(columns)
        values = {name: columns.read(pick(columns, (), name)) for name in names}
    return ids, {name: typed(column) for name, column in values.items()}
