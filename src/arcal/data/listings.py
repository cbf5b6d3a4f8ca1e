"""What the files of a part say of its images before any is opened: ids, labels and the like."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from arcal.data.archives import find_archive, read_part
from arcal.data.columns import (
    LABELS,
    UNLABELLED,
    Names,
    as_weights,
    encoded_images,
    image_column,
    label_column,
    read_labels,
)
from arcal.data.encoded import Encoded
from arcal.data.image_files import list_images
from arcal.data.labels import encode_labels
from arcal.data.npz import read_npz
from arcal.data.open_columns import open_columns
from arcal.data.sources import Format
from arcal.data.tar_shards import read_shards
from arcal.errors import ArcalError


class Listing(NamedTuple):
    """What is known of a part before an image is opened; `note` is for its `how`."""

    ids: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    weights: Tensor | None
    images: Encoded | np.ndarray
    note: str = ""


def list_part(
    format: Format, part: str, name: str, paths: tuple[Path, ...], names: Names
) -> Listing:
    """What the files of a part say of its images; what does not fit raises `ArcalError`."""
    if format == "folder":
        return _folder(paths[0], names)
    if format == "tar":
        return _tar(paths, names)
    if format == "npz":
        file, *others = paths
        if others:
            raise ArcalError(f"{file.parent} holds several .npz files: name one of them")
        return Listing(*read_npz(file, part, names))
    if format == "cifar":
        return _cifar(paths[0], part, name, names)
    columns = open_columns(format, paths)
    image = image_column(columns, names.image)
    label = label_column(columns, LABELS, names.label, names.labelled)
    ids, labels, classes, weights = read_labels(columns, label, names)
    return Listing(ids, labels, classes, weights, encoded_images(columns, image))


def _folder(root: Path, names: Names) -> Listing:
    _refuse(root, names, "a folder of images has no columns")
    files, labels, others = list_images(root)
    numbers, classes = encode_labels(
        pa.chunked_array([pa.array(labels).dictionary_encode()]),
        "class",
        files.where,
        names=sorted(set(labels)),
        classes=names.classes,
    )
    no_images = "file that is no image by its name" if others == 1 else "files that are no images"
    note = f"{others} {no_images} left out" if others else ""
    return Listing(torch.arange(len(labels)), numbers, classes, None, files, note)


def _tar(paths: tuple[Path, ...], names: Names) -> Listing:
    images, column, counts = read_shards(paths, names)
    if column.null_count:
        labels, classes = torch.zeros(len(images), dtype=torch.int64), (UNLABELLED,)
    else:
        name = names.label or "label"
        labels, classes = encode_labels(column, name, images.where, classes=names.classes)
    weights = None if counts is None else as_weights(counts, str(names.weight), images.where)
    return Listing(torch.arange(len(images)), labels, classes, weights, images)


def _cifar(path: Path, part: str, name: str, names: Names) -> Listing:
    _refuse(path, names, "the archive has no columns")
    archive = find_archive(path)
    assert archive is not None  # or the format would be another
    official = read_part(archive, name, train=part == "train")
    labels, classes = encode_labels(
        pa.chunked_array([official.labels.numpy()]),
        "label",
        lambda row: f"{path}, image {row}",
        names=official.classes,
        classes=names.classes,
    )
    return Listing(official.ids, labels, classes, None, official.pixels.numpy())


def _refuse(path: Path, names: Names, why: str) -> None:
    for option, value in (("image", names.image), ("label", names.label), ("weight", names.weight)):
        if value is not None:
            raise ArcalError(f"{path}: {why}: leave out --{option} {value}")
