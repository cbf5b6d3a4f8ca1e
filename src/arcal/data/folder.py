"""Folders of images with one subfolder per class: listed, and as a part that is read on demand."""

import copy
import os
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Self

import torch
from PIL import Image, ImageOps
from torch import Tensor

from arcal.data.contents import Files
from arcal.data.images import pixels_of, read_upright
from arcal.data.on_demand import ImageFiles
from arcal.data.part import check_ids_and_labels, fingerprint_of, positions_of
from arcal.data.views import Settings, View, before_crop
from arcal.errors import ArcalError
from arcal.printable import first_few
from arcal.transforms.augment import random_boxes

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Endings of the names of images, upper or lower case."""


class Folder:
    """A part whose images are files `root/CLASS/IMAGE`, decoded each time they are read.

    Creating it lists the files but opens none. The id of an image is its position among all files,
    sorted by class and file name. Images are RGB, turned upright by their EXIF tag, and `size` x
    `size`: the short side is resized to 256 * size / 224 and the centre is cropped. `classes` are
    those of the training part; another part may lack some. A root without classes, or with a class
    that is not among these, a class without images or with a subfolder, or a size out of range
    raises `ArcalError`; so does a damaged file, when it is read.

    >>> for name in ("cat", "dog"):
    ...     Path("pets", name).mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGB", (40, 30)).save(Path("pets", name, "1.png"))
    >>> part = Folder("pets", size=28)
    >>> part.classes, part.labels, part.shape
    (('cat', 'dog'), tensor([0, 1]), (3, 28, 28))
    >>> part.images(torch.tensor([1])).shape
    torch.Size([1, 3, 28, 28])
    """

    _draws: Tensor | None = None
    """Random numbers `(5, N)` in [0, 1) for random views: four for the box, one for the flip."""

    def __init__(
        self,
        root: str | Path,
        *,
        size: int = 224,
        name: str | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.root: Path = Path(root)
        self.name: str = name or self.root.name
        self.size = size
        Settings(size)  # raises on one out of range
        self._files, labels, _ = list_images(self.root)
        there = tuple(dict.fromkeys(labels))
        if not there:
            raise ArcalError(
                f"{self.root} has no class folders: give a folder that holds CLASS/IMAGE"
            )
        self.classes: tuple[str, ...] = there if classes is None else tuple(classes)
        if unknown := [label for label in there if label not in self.classes]:
            raise ArcalError(
                f"{self.root / unknown[0]} is of a class that the training images lack, which have "
                f"{first_few(self.classes)}: add training images, or remove the folder"
            )
        number = {label: z for z, label in enumerate(self.classes)}
        self.labels: Tensor = torch.tensor([number[label] for label in labels], device="cpu")
        self.ids: Tensor = torch.arange(len(self.labels), device="cpu")
        self._rows = self.ids

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (3, size, size) of an image."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, position: int) -> Path:
        """The path of the image at this position."""
        return self._files.path(int(self._rows[position]))

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, 3, size, size)`, decoded now."""
        images = torch.empty((len(positions), *self.shape), dtype=torch.uint8, device="cpu")
        view = images.numpy()
        for row, position in enumerate(positions.tolist()):
            view[row] = pixels_of(self._image(position))
        return images

    def _image(self, position: int) -> Image.Image:
        path = self.path(position)
        if self._draws is not None:
            image = read_upright(path, str(path), rgb=True)
            return self._random_view(image, self._draws[:, position])
        whole = BytesIO(self._files.contents.read(int(self._rows[position])))
        view = View(3, self.size, self.size, before_crop(self.size))
        return view.resized(read_upright(whole, str(path), rgb=True))

    def at_random(self, generator: torch.Generator) -> "Folder":
        """The part with a random view of each image, the same every time it is read.

        For training as in ImageNet's script (appendix A.3): a random box of the original image
        (`arcal.transforms.augment.random_boxes`) is resized to `size`, bicubic with antialiasing,
        and flipped horizontally half the time.
        """
        part = copy.copy(self)
        part._draws = torch.rand(5, len(self), generator=generator, device="cpu")
        return part

    def _random_view(self, image: Image.Image, draws: Tensor) -> Image.Image:
        size = torch.tensor([[image.height, image.width]], device="cpu")
        ((top, left, height, width),) = random_boxes(size, draws[:4, None].double()).tolist()
        box = left, top, min(left + width, image.width), min(top + height, image.height)
        resized = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        return ImageOps.mirror(resized) if draws[4] < 0.5 else resized

    def subset(self, ids: Tensor, name: str | None = None) -> Self:
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        positions = positions_of(ids, self)
        part = copy.copy(self)
        part.name = name or self.name
        part.ids, part.labels = self.ids[positions], self.labels[positions]
        part._rows = self._rows[positions]
        part._draws = None if self._draws is None else self._draws[:, positions]
        check_ids_and_labels(part.name, part.ids, part.labels, len(part.classes))
        return part

    def files(self, positions: Tensor | None = None) -> Files:
        """The files at these positions, or all; the fingerprint does not cover their contents."""
        rows = self._rows if positions is None else self._rows[positions]
        return Files(self._files.contents, rows.tolist())

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of ids, labels, image size, file names and sizes.

        Names are relative to the root, so a folder that is moved keeps its fingerprint. `files`
        covers their contents.
        """
        return fingerprint_of(self, self._content())

    def _content(self) -> Iterator[bytes]:
        yield b"upright"  # unlike images of earlier versions
        yield from self._files.content(self._rows.tolist())


OF_A_MAC = "__MACOSX"
"""A folder that macOS adds to archives, with metadata of the other files."""


def class_folders(root: Path) -> tuple[str, ...]:
    """The sorted names of the subfolders of `root`, without hidden ones; () if it is missing."""
    if not root.is_dir():
        return ()
    with os.scandir(root) as entries:
        folders = (e.name for e in entries if e.is_dir())
        names = sorted(name for name in folders if name[0] != "." and name != OF_A_MAC)
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ArcalError(
                f"{root / name}: the name of a class must be UTF-8: rename it"
            ) from None
    return tuple(names)


def is_image_file(entry: os.DirEntry[str]) -> bool:
    """Whether this is an image file by its name, and not hidden; a broken link counts, too."""
    named = entry.name[0] != "." and entry.name.lower().endswith(SUFFIXES)
    return named and (entry.is_file() or (entry.is_symlink() and not entry.is_dir()))


def image_files(folder: Path) -> list[str]:
    """The sorted names of the image files in a folder; none raises `ArcalError`."""
    names = [entry.name for entry in _entries(folder) if is_image_file(entry)]
    if not names:
        raise ArcalError(
            f"{folder} holds no image file ({', '.join(SUFFIXES)}): add images or remove the folder"
        )
    return sorted(names)


def has_images(folder: Path) -> bool:
    """Whether there is an image in the folder itself."""
    return any(map(is_image_file, _entries(folder)))


def has_class_folders(folder: Path, minimum: int = 1) -> bool:
    """Whether at least `minimum` of the subfolders hold an image."""
    classes = 0
    for name in class_folders(folder):
        classes += has_images(folder / name)
        if classes >= minimum:
            return True
    return False


def list_images(root: Path) -> tuple[ImageFiles, list[str], int]:
    """The images in `root/CLASS/`, the class of each, and how many other files there are.

    They are sorted by class and then by name. Hidden files are not counted. A class without images,
    or with a subfolder, raises `ArcalError`.
    """
    names: list[str] = []
    labels: list[str] = []
    others = 0
    for label in class_folders(root):
        visible = [entry for entry in _entries(root / label) if entry.name[0] != "."]
        images = sorted(entry.name for entry in visible if is_image_file(entry))
        folders = sorted(entry.name for entry in visible if entry.is_dir())
        if folders:
            raise ArcalError(
                f"{root / label / folders[0]} is a folder within a class: images are read from "
                "CLASS/IMAGE alone, so move them there"
            )
        if not images:
            raise ArcalError(
                f"{root / label} holds no image file ({', '.join(SUFFIXES)}): add some, or "
                "remove the folder if it is not a class"
            )
        names += [f"{label}/{image}" for image in images]
        labels += [label] * len(images)
        others += len(visible) - len(images)
    return ImageFiles(root, names), labels, others


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise ArcalError(f"{folder} cannot be read ({error.strerror})") from error
