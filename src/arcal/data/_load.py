"""`load`: a data set by name or path, as a training, a validation and a test part."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import PurePath
from time import monotonic
from typing import Any

from arcal.data._load_part import load_part
from arcal.data.cifar import read_cifar
from arcal.data.fewer import drawn, only_classes, split
from arcal.data.folder import Folder
from arcal.data.parquet import read_parquet
from arcal.data.part import InMemory, Part
from arcal.data.sources import find_source
from arcal.errors import ArcalError

log = logging.getLogger(__name__)

VALIDATION = {"fashion": 3000}
PAPER_VALIDATION = 5000  # of CIFAR's 50,000 training images


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in three parts with the same classes and image shape.

    Parts that differ in either raise `ArcalError`.

    >>> import torch
    >>> from arcal.data import InMemory
    >>> def part(name: str) -> InMemory:
    ...     ids, pixels = torch.arange(4), torch.zeros(4, 1, 28, 28, dtype=torch.uint8)
    ...     return InMemory(name, ids, ids % 2, ("cat", "dog"), pixels)
    >>> data = Data("toy", part("toy/train"), part("toy/validation"), part("toy/test"))
    >>> data.classes, data.shape
    (('cat', 'dog'), (1, 28, 28))

    `own_validation` says that the validation part is the source's own, not drawn.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    own_validation: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for part in (self.validation, self.test):
            if part.classes != self.train.classes:
                raise ArcalError(
                    f"{part.name} and {self.train.name} have different classes: "
                    f"{_difference(part.classes, self.train.classes)}"
                )
            if part.shape != self.train.shape:
                raise ArcalError(
                    f"{part.name} has images of {part.shape}, {self.train.name} of "
                    f"{self.train.shape}: both must have one shape (C, H, W)"
                )

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the Z classes."""
        return self.train.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (C, H, W) of an image."""
        return self.train.shape

    @property
    def counts(self) -> str:
        """The numbers of images, their shape and the number of classes, in words."""
        counts = len(self.train), len(self.validation), len(self.test)
        C, H, W = self.shape
        return (
            f"{counts[0]:,} training, {counts[1]:,} validation and {counts[2]:,} test images of "
            f"{C} x {H} x {W}, {len(self.classes)} classes"
        )

    def part(self, name: str) -> Part:
        """The part "train", "validation" or "test"; another name raises `ArcalError`."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in parts:
            raise ArcalError(f"{self.name} has no part {name!r}: choose from {', '.join(parts)}")
        return parts[name]


def _difference(first: Sequence[str], second: Sequence[str]) -> str:
    """The first class in which two lists differ, as a phrase."""
    k, (a, b) = next(
        (k, pair) for k, pair in enumerate(zip_longest(first, second)) if pair[0] != pair[1]
    )
    if a is None or b is None:
        return f"only the {'second' if a is None else 'first'} has {b if a is None else a}"
    return f"class {k} is {a}, not {b}"


def load(
    source: str,
    *,
    split_seed: int = 0,
    validation: int | None = None,
    images: int | None = None,
    test_images: int | None = None,
    classes: Sequence[int] | None = None,
    size: int | None = None,
) -> Data:
    """Load a data set as a training, a validation and a test part.

    `source` is "fashion", the embedded subset of Fashion-MNIST with 9,000 training and 5,000 test
    images, or a path to one of these:

    - Parquet files in the Hugging Face layout: their folder, or a prefix such as data/cifar10 for
      data/cifar10-train*.parquet and data/cifar10-test*.parquet;
    - the official python archives of CIFAR-10 or CIFAR-100;
    - a folder with train/CLASS/IMAGE, and test/ or val/ likewise. Its images are read on demand,
        `size` x `size` pixels, 224 unless given; other sources have a size and refuse another.

      Parquet files may lie behind a URL such as s3://bucket/data/cifar10, and are copied once.

      The validation part is the source's own, such as val/ or validation.parquet beside a training
      and a test part. If it has none, or `validation` is given, that many images (by default 3,000
      of "fashion", otherwise a tenth, at most 5,000) are drawn at random from the training part. A
      source with a validation but no test part is treated like ImageNet in appendix A.3: its
      validation part is split at random into a validation and a test part, of equal size or with
      `validation` images in the first. Ids are always those of the official sets.

      For smaller experiments, `images` and `test_images` limit the training and the test part to
      randomly drawn images, and `classes` selects classes by their numbers. All draws depend only
      on `split_seed` and the numbers of images. A source that cannot be read, or a number of images
      or class that it does not have, raises `ArcalError`.

    >>> data = load("fashion", images=100)
    >>> len(data.train), len(data.validation), len(data.test), data.shape
    (100, 3000, 5000, (1, 28, 28))
    """
    started = monotonic()
    name, parts = _parts(source, size, draws=validation is not None)
    parts = {part: only_classes(whole, classes) for part, whole in parts.items()}
    train, held_out, test = (parts.get(part) for part in ("train", "validation", "test"))
    assert train is not None
    own = held_out is not None and test is not None
    if test is None:
        assert held_out is not None
        count = len(held_out) // 2 if validation is None else validation
        names = (f"{name}/validation", f"{name}/test")
        held_out, test = split(held_out, count, split_seed=split_seed, names=names)
    elif held_out is None:
        count = _usual_validation(source, len(train)) if validation is None else validation
        names = (f"{name}/validation", f"{name}/train")
        held_out, train = split(train, count, split_seed=split_seed, names=names)
    train = drawn(train, images, split_seed=split_seed)
    test = drawn(test, test_images, split_seed=split_seed)
    data = Data(name, train, held_out, test, own_validation=own)
    log.info(f"read {source} in {monotonic() - started:.1f} s: {data.counts}")
    return data


def _usual_validation(source: str, N: int) -> int:
    """How many of N training images are drawn for validation by default.

    >>> [_usual_validation("photos", N) for N in (9, 2000, 50_000, 10**6)]
    [1, 200, 5000, 5000]
    >>> [_usual_validation("fashion", N) for N in (9000, 1800)]  # the latter of two classes
    [3000, 180]
    """
    usual = VALIDATION.get(source, N)
    return usual if usual < N else max(1, min(N // 10, PAPER_VALIDATION))


def load_test(source: str, *, size: int | tuple[int, int] = 224) -> Part:
    """The whole test part of a data set, or else its validation part, or the only one it has.

    `source` and errors are those of `load_part`. Labels are 0 if there are none. If images have
    several sizes, each is resized and its centre cropped to `size` x `size` pixels, or a pair (H,
    W).

    >>> len(load_test("fashion"))
    5000
    """
    try:
        return load_part(source, labelled=False)
    except ArcalError as refused:
        try:
            return load_part(source, labelled=False, size=size, channels=3)
        except ArcalError:
            raise refused from None


TRAINABLE = ("parquet", "cifar", "folder")
"""Formats of data sets that can be trained on."""


def _parts(
    source: str, size: int | None, *, draws: bool
) -> tuple[str, Mapping[str, InMemory | Folder]]:
    """The name; and the training and test parts, and the validation part if there is one.

    With `draws`, validation images are drawn, and a validation part beside a test part is not read.
    """
    there = find_source(
        source,
        "give 'fashion', or a path with *train*.parquet and *test*.parquet (in the folder, in a "
        f"subfolder, or as {PurePath(source).name}-train*.parquet), with cifar-10-batches-py or "
        "cifar-100-python, or with train/CLASS/IMAGE and test/ or val/",
        formats=["parquet"],
    )
    names = [name for name in ("train", "validation", "test") if name in there.parts]
    if there.format not in TRAINABLE or "train" not in names or len(names) < 2:
        listed = " and ".join(filter(None, there.parts)) or "one part without a name"
        tables = ", and for a table a loop of your own" if there.format in ("csv", "jsonl") else ""
        raise ArcalError(
            f"{source} has only {listed}, in the format {there.format}: to train, give images in a "
            f"training and a test part, as Parquet, folders of classes or CIFAR's archive{tables}"
        )
    if draws and "test" in names:
        names = ["train", "test"]
    if size is not None and there.format != "folder":
        raise ArcalError(
            f"{source}: its images have a size already, and --size {size} is for folders of "
            f"images: name such a folder, or leave --size {size} out"
        )
    chosen = {name: there.choose(name)[1:] for name in names}
    if there.format == "parquet":
        return there.name, read_parquet(
            {name: files for name, (_, files) in chosen.items()}, there.name
        )
    if there.format == "folder":
        usual: dict[str, Any] = {} if size is None else {"size": size}
        parts = dict[str, Folder]()
        for name, (title, (folder, *_)) in chosen.items():  # first the training part
            classes = parts["train"].classes if parts else None
            parts[name] = Folder(folder, name=title, classes=classes, **usual)
        return there.name, parts
    return there.name, {
        name: read_cifar(archive, title, train=name == "train")
        for name, (title, (archive, *_)) in chosen.items()
    }
