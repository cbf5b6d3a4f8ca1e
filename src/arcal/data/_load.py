"""`load`: a data set by name or path, as training, validation and test part."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from arcal.data._split import split
from arcal.data.archives import read_archives
from arcal.data.fewer import drawn, only_classes
from arcal.data.folder import Folder, class_folders
from arcal.data.parquet import read_parquet
from arcal.data.part import Part
from arcal.errors import ArcalError

EMBEDDED = Path(__file__).parent / "embedded"
VALIDATION = {"fashion": 3000}
PAPER_VALIDATION = 5000  # of CIFAR's 50,000 training images


@dataclass(frozen=True, eq=False)
class Data:
    """A data set in three parts, which share their classes and the shape of an image."""

    name: str
    train: Part
    validation: Part
    test: Part

    def __post_init__(self) -> None:
        for part in (self.validation, self.test):
            if part.classes != self.train.classes:
                raise ArcalError(
                    f"{part.name} and {self.train.name} have different classes: "
                    f"{_apart(part.classes, self.train.classes)}"
                )
            if part.shape != self.train.shape:
                raise ArcalError(
                    f"{part.name} has images of {part.shape}, {self.train.name} of "
                    f"{self.train.shape}: both must have one shape (C, H, W)"
                )

    @property
    def classes(self) -> tuple[str, ...]:
        """The Z names."""
        return self.train.classes

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return self.train.shape

    def part(self, name: str) -> Part:
        """The part "train", "validation" or "test"."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in parts:
            raise ArcalError(f"{self.name} has no part {name!r}: there are {', '.join(parts)}")
        return parts[name]


def _apart(first: Sequence[str], second: Sequence[str]) -> str:
    """The first class, by number, that two lists do not share."""
    k, (a, b) = next(
        (k, pair) for k, pair in enumerate(zip_longest(first, second)) if pair[0] != pair[1]
    )
    return f"class {k} is {a or 'missing'}, not {b or 'missing'}"


def load(
    source: str,
    *,
    split_seed: int = 0,
    validation: int | None = None,
    images: int | None = None,
    test_images: int | None = None,
    classes: Sequence[int] | None = None,
) -> Data:
    """The data set that `source` names.

    "fashion" is the embedded subset of Fashion-MNIST: 9,000 training and 5,000 test images.
    Anything else is a path: to Parquet files in the Hugging Face layout (their folder, or a
    prefix: data/cifar10 stands for data/cifar10-train*.parquet and data/cifar10-test*.parquet),
    to the official python archives of CIFAR-10 or CIFAR-100, or to a folder with
    train/CLASS/IMAGE and test/ or val/ likewise, whose images are read on demand.

    `validation` images (3,000 of "fashion", 5,000 otherwise) are drawn at random from the
    training part, by `split_seed` alone. A folder with train/ and val/ but no labelled test/ is
    ImageNet's case, appendix A.3: val/ is halved at random into validation and test part, or
    cut into `validation` images and the rest. Ids are those of the official sets throughout.

    For smaller experiments `images` of the rest are drawn for training and `test_images` of the
    test part, by `split_seed` as well; and `classes` keeps only those of these numbers.
    """
    name, train, test, official = _parts(source)
    train = only_classes(train, classes)
    if test is None:
        official = only_classes(official, classes)
        size = len(official) // 2 if validation is None else validation
        names = (f"{name}/validation", f"{name}/test")
        held_out, test = split(official, size, split_seed=split_seed, names=names)
    else:
        test = only_classes(test, classes)
        size = VALIDATION.get(source, PAPER_VALIDATION) if validation is None else validation
        names = (f"{name}/validation", f"{name}/train")
        held_out, train = split(train, size, split_seed=split_seed, names=names)
    train = drawn(train, images, split_seed=split_seed)
    return Data(name, train, held_out, drawn(test, test_images, split_seed=split_seed))


def load_test(source: str) -> Part:
    """The whole test part of what `source` names, or val/ where there is no test/; no split."""
    _, _, test, official = _parts(source)
    part = test if test is not None else official
    assert part is not None
    return part


def _parts(source: str) -> tuple[str, Any, Part | None, Any]:
    """Name, training part, test part, and ImageNet's val/ where there is no test part."""
    if source == "fashion":
        name, path = source, EMBEDDED / "fashion"
    else:
        path = Path(source).expanduser()
        name = path.resolve().name
    if pair := read_parquet(path, name) or read_archives(path, name):
        return name, *pair, None
    if class_folders(path / "train"):
        train = Folder(path / "train", name=f"{name}/train")
        if class_folders(path / "test"):
            return name, train, Folder(path / "test", name=f"{name}/test"), None
        if class_folders(path / "val"):
            return name, train, None, Folder(path / "val", name=f"{name}/val")
    raise ArcalError(
        f"{source} is no data set: looked there for 'fashion', for *train*.parquet and "
        f"*test*.parquet (in the folder, in a folder of it, or as {path.name}-train*.parquet), "
        "for cifar-10-batches-py or cifar-100-python, and for train/CLASS/IMAGE with test/ or "
        "val/"
    )
