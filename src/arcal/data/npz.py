"""Arrays of images and labels in a NumPy file, `.npz`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from arcal.data.columns import Names, as_weights, called, unlabelled
from arcal.data.labels import encode_labels
from arcal.data.on_demand import Rows
from arcal.data.part import InMemory
from arcal.errors import ArcalError, first_line
from arcal.files import NO_ARRAY
from arcal.printable import first_few

IMAGES = ("images", "image", "x")
LABELS = ("labels", "label", "y")
IDS = ("ids", "id")
NO_PICKLES = (
    "an array of it holds Python objects; save names as text, by `numpy.asarray(names, dtype='U')`"
)
PARTS = {"test": "test", "val": "validation", "valid": "validation", "train": "train"}


def parts_in(file: Path) -> tuple[str, ...]:
    """The parts in a file: ("",) for plain keys, otherwise those that its keys name.

    Keys that name a part are, for example, test_images (or images_test) and x_test.
    """
    keys = _keys(file)
    parts = tuple(
        dict.fromkeys(
            part for word, part in PARTS.items() if _first(keys, _spelt(IMAGES, word)) is not None
        )
    )
    return ("",) if _first(keys, IMAGES) is not None else parts or ("",)


def read_npz(file: Path, part: str, title: str, names: Names) -> InMemory:
    """Read a part, whose name becomes `title`.

    `names` has the keys that cannot be guessed. Images are uint8 `(N, H, W)`, `(N, H, W, C)` or
    `(N, C, H, W)` with C = 1 or 3. The arrays `ids`, integers or names, and `classes`, the names of
    the classes, are optional. Arrays that are missing, have another type or do not fit together
    raise `ArcalError`.
    """
    keys = _keys(file)
    image = _key(file, keys, part, IMAGES, names.image, "--image")
    label = _there(keys, part, LABELS, names.label)
    if names.labelled and label is None:
        label = _key(file, keys, part, LABELS, names.label, "--label")
    weight = names.weight and _key(file, keys, part, (), names.weight, "--weight")
    listed = _there(keys, part, IDS)
    arrays = _arrays(file, {image, label, weight, listed, "classes"} & {*keys})
    pixels = channels_first(arrays[image], f"{file}: {image}")
    N = len(pixels)
    if not N:
        raise ArcalError(f"{file}: {image} has no images: give a part with data")
    columns = {
        name: _column(arrays[name], f"{file}: {name}", N) for name in (label, weight) if name
    }
    ids, row_names = _ids(file, arrays.get(listed or ""), N)
    rows = Rows((file,), (N,))
    numbers, classes = unlabelled(N)
    if label is not None:
        numbers, classes = encode_labels(
            columns[label],
            label,
            rows.where,
            names=class_names(arrays.get("classes", np.array([], str))),
            classes=names.classes,
            numbers_are_names=True,
        )
    weights = as_weights(columns[weight], weight, rows.where) if weight else None
    pictures = torch.from_numpy(pixels)
    return InMemory(title, ids, numbers, classes, pictures, weights, names=row_names)


def _ids(
    file: Path, array: np.ndarray | None, N: int
) -> tuple[torch.Tensor, tuple[str, ...] | None]:
    """The ids int64 `(N,)`, and names, if any: ids that are text become names of positions."""
    if array is None:
        return torch.arange(N, device="cpu"), None
    _check_one_each(f"{file}: ids", array, N)
    if array.dtype.kind in "US":
        return torch.arange(N, device="cpu"), class_names(array.reshape(N))
    if not np.issubdtype(array.dtype, np.integer):
        raise ArcalError(f"{file}: ids are of type {array.dtype}: give integers or text")
    return torch.from_numpy(array.reshape(N).astype(np.int64)), None


def _arrays(file: Path, names: set[str | None]) -> dict[str, np.ndarray]:
    """The arrays of these names; pickles, and members that are not arrays, raise `ArcalError`."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            read = {name: arrays[name] for name in names if name is not None}
            if any(isinstance(array, bytes) for array in read.values()):  # a member of another kind
                raise ValueError("one of its members is not an array")
            return read
    except NO_ARRAY as error:
        reason = first_line(error)
        remedy = f": {NO_PICKLES}" if "allow_pickle" in reason else ""
        raise ArcalError(f"{file} cannot be read as .npz ({reason}){remedy}") from error


def npz_columns(
    file: Path, part: str, names: Sequence[str], image: str | None = None
) -> tuple[torch.Tensor, dict[str, pa.ChunkedArray]]:
    """The ids int64 `(N,)` of a part, and arrays `(N,)` by name, called NAME, test_NAME and so on.

    The part is as `read_npz` reads it, with the name `image` for its images.
    """
    keys = _keys(file)
    known = {name: _there(keys, part, (name,)) for name in names}
    for name, key in known.items():
        if key is None:
            raise ArcalError(f"{file} has no array {name}: its arrays are {first_few(keys)}")
    images, listed = _key(file, keys, part, IMAGES, image, "--image"), _there(keys, part, IDS)
    arrays = _arrays(file, {images, listed, *known.values()})
    N = len(arrays[images])
    values = {name: _column(arrays[key], f"{file}: {key}", N) for name, key in known.items() if key}
    return _ids(file, arrays.get(listed or ""), N)[0], values


def class_names(classes: np.ndarray) -> tuple[str, ...]:
    """The names of classes in an array of any type.

    >>> class_names(np.array([b"cat", b"dog"])), class_names(np.array([2.0, 10.0]))
    (('cat', 'dog'), ('2', '10'))
    """
    if classes.dtype.kind == "S":
        classes = np.char.decode(classes, "utf-8", "replace")
    if classes.dtype.kind == "f" and (classes == np.round(classes)).all():
        return tuple(f"{one:.0f}" for one in classes.tolist())
    return tuple(map(str, classes.tolist()))


def channels_first(pixels: np.ndarray, where: str) -> np.ndarray:
    """Images as `(N, C, H, W)`; a shape that can be read in two ways or none raises `ArcalError`.

    >>> channels_first(np.zeros((5, 28, 28), np.uint8), "x").shape
    (5, 1, 28, 28)
    """
    if pixels.dtype != np.uint8:
        raise ArcalError(
            f"{where} is of type {pixels.dtype}: give uint8 from 0 to 255, as in image files; "
            "give floats in [0, 1] in Python, as `(x, y)` to `arcal.audit`, `arcal.calibrate` or "
            "`arcal.score`, and what is not an image as well, with the bounds that it has, such as "
            "`arcal.audit(model, (x, y), bounds=(-1, 1))` for waveforms, or bounds=None"
        )
    if pixels.ndim == 3:
        return pixels[:, None]
    if pixels.ndim != 4:
        raise ArcalError(
            f"{where} has the shape {pixels.shape}: give (N, H, W), (N, H, W, C) or (N, C, H, W)"
        )
    first, last = pixels.shape[1] in (1, 3), pixels.shape[3] in (1, 3)
    if first and last:
        raise ArcalError(
            f"{where} has the shape {pixels.shape}, which may be (N, C, H, W) or (N, H, W, C): "
            "save grey images as (N, H, W), or images that are neither 1 nor 3 pixels wide or high"
        )
    if not first and not last:
        raise ArcalError(
            f"{where} has the shape {pixels.shape}, in which neither (N, C, H, W) nor (N, H, W, C) "
            "has 1 or 3 channels: give grey or RGB images"
        )
    return pixels if first else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _keys(file: Path) -> list[str]:
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            return list(arrays.keys())
    except NO_ARRAY as error:
        raise ArcalError(f"{file} cannot be read as .npz ({first_line(error)})") from error


def _spelt(names: tuple[str, ...], word: str) -> tuple[str, ...]:
    return tuple(spelt for name in names for spelt in (f"{word}_{name}", f"{name}_{word}"))


def _there(
    keys: list[str], part: str, names: tuple[str, ...], given: str | None = None
) -> str | None:
    """The array `given`, or else the first of these names that is there, or None.

    Names that also name the part come before all others.
    """
    if given:
        return given if given in keys else None
    words = [word for word, name in PARTS.items() if name == part] if part else []
    return _first(keys, (*(spelt for word in words for spelt in _spelt(names, word)), *names))


def _key(
    file: Path, keys: list[str], part: str, names: tuple[str, ...], given: str | None, option: str
) -> str:
    """The same; if there is none, the error says that `option` names one."""
    if (key := _there(keys, part, names, given)) is not None:
        return key
    rename = "" if given else f", or rename it to {names[0]}"
    raise ArcalError(
        f"{file} has no array {given or ' or '.join(names)}: its arrays are {', '.join(keys)}; "
        f"name one of them with {option}{rename}"
    )


def _first(keys: list[str], names: tuple[str, ...]) -> str | None:
    return next((key for name in names for key in called(keys, [name])), None)


def _column(array: np.ndarray, where: str, N: int) -> pa.ChunkedArray:
    """An array of one value for each of N images, as a column."""
    _check_one_each(where, array, N)
    try:
        return pa.chunked_array([pa.array(array.reshape(N))])
    except (pa.ArrowException, TypeError) as error:
        raise ArcalError(f"{where} is of type {array.dtype}: give numbers or text") from error


def _check_one_each(what: str, array: np.ndarray, N: int) -> None:
    if array.shape not in ((N,), (N, 1)):
        raise ArcalError(
            f"{what} has the shape {array.shape} but there are {N} images: give one each"
        )
