"""A folder of images with one subfolder per class, read on demand."""

import copy
import os
from io import BytesIO
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from arcal.data.contents import Contents, Files
from arcal.data.images import pixels_of, read_image, resize_and_crop
from arcal.data.part import check_ids_and_labels, fingerprint_of, positions_of
from arcal.errors import ArcalError
from arcal.transforms.augment import random_boxes

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # upper or lower case


class Folder:
    """A part whose images are files `root/CLASS/IMAGE`, decoded each time they are read.

    Creating it lists the files but opens none. The id of an image is its position among all files,
    sorted by class and file name. Images are RGB, `size` x `size`: the short side is resized to
    256 * size / 224 and the centre is cropped. A root without classes, or a class without images,
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

    _contents: Contents | None = None
    _draws: Tensor | None = None
    """Random numbers `(5, N)` in [0, 1) for random views: four for the box, one for the flip."""

    def __init__(self, root: str | Path, *, size: int = 224, name: str | None = None) -> None:
        self.root = Path(root)
        self.name = name or self.root.name
        self.size = size
        if size < 1:
            raise ArcalError(f"{self.name}: size must be at least 1, not {size}")
        self.classes = class_folders(self.root)
        if not self.classes:
            raise ArcalError(
                f"{self.root} has no class folders: give a folder that holds CLASS/IMAGE"
            )
        files = [image_files(self.root / folder) for folder in self.classes]
        # One array of bytes: Python strings for a million files would take 100 MB, and counting
        # references to them would copy those into every worker process.
        self._files = np.concatenate(files)
        counts = torch.tensor([len(names) for names in files])
        self.labels = torch.arange(len(self.classes)).repeat_interleave(counts)
        self.ids = torch.arange(len(self.labels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (3, size, size) of an image."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, position: int) -> Path:
        """The path of the image at this position."""
        label = int(self.labels[position])
        return self.root / self.classes[label] / os.fsdecode(self._files[position])

    def images(self, positions: Tensor) -> Tensor:
        """The images at these positions `(B,)`, uint8 `(B, 3, size, size)`, decoded now."""
        images = torch.empty((len(positions), *self.shape), dtype=torch.uint8)
        view = images.numpy()
        for row, position in enumerate(positions.tolist()):
            view[row] = pixels_of(self._image(position))
        return images

    def _image(self, position: int) -> Image.Image:
        path = self.path(position)
        if self._draws is not None:
            image = read_image(path, str(path), rgb=True)
            return self._random_view(image, self._draws[:, position])
        whole = BytesIO(self._known.read(position))
        return resize_and_crop(read_image(whole, str(path), rgb=True), self.size)

    def at_random(self, generator: torch.Generator) -> "Folder":
        """The part with a random view of each image, the same every time it is read.

        For training as in ImageNet's script (appendix A.3): a random box of the original image
        (`arcal.transforms.augment.random_boxes`) is resized to `size`, bicubic with antialiasing,
        and flipped horizontally half the time.
        """
        part = copy.copy(self)
        part._contents = None
        part._draws = torch.rand(5, len(self), generator=generator)
        return part

    def _random_view(self, image: Image.Image, draws: Tensor) -> Image.Image:
        size = torch.tensor([[image.height, image.width]])
        ((top, left, height, width),) = random_boxes(size, draws[:4, None].double()).tolist()
        box = left, top, min(left + width, image.width), min(top + height, image.height)
        resized = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        return ImageOps.mirror(resized) if draws[4] < 0.5 else resized

    def subset(self, ids: Tensor, name: str | None = None) -> Self:
        """The part with only these ids, in their order; an unknown id raises `ArcalError`."""
        positions = positions_of(ids, self)
        part = copy.copy(self)
        part._contents = None
        part.name = name or self.name
        part.ids, part.labels = self.ids[positions], self.labels[positions]
        part._files = self._files[positions.numpy()]
        part._draws = None if self._draws is None else self._draws[:, positions]
        check_ids_and_labels(part.name, part.ids, part.labels, len(part.classes))
        return part

    @property
    def _known(self) -> Contents:
        if self._contents is None:
            self._contents = Contents(self.path, len(self))
        return self._contents

    def files(self, positions: Tensor | None = None) -> Files:
        """The files at these positions, or all, whose contents the fingerprint does not know."""
        chosen = range(len(self)) if positions is None else positions.tolist()
        return Files(self._known, list(chosen))

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of ids, labels, image size, file names and sizes.

        Names are relative to the root, so a folder that is moved keeps its fingerprint. What the
        files hold is in `files`.
        """
        return fingerprint_of(self, map(self._name_and_size, range(len(self))))

    def _name_and_size(self, position: int) -> bytes:
        path = self.path(position)
        try:
            return os.fsencode(f"{path.parent.name}/{path.name} {path.stat().st_size}\0")
        except OSError as error:
            raise ArcalError(f"{path} cannot be read ({error.strerror})") from error


def class_folders(root: Path) -> tuple[str, ...]:
    """The sorted names of the subfolders of `root`, without hidden ones; () if it is missing."""
    if not root.is_dir():
        return ()
    with os.scandir(root) as entries:
        names = sorted(e.name for e in entries if e.is_dir() and e.name[0] != ".")
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ArcalError(
                f"{root / name}: the name of a class must be UTF-8: rename it"
            ) from None
    return tuple(names)


def image_files(folder: Path) -> np.ndarray:
    """The sorted names of the image files in a folder, as bytes `(N,)`; N = 0 raises an error."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
    if not names:
        raise ArcalError(
            f"{folder} holds no image file ({', '.join(SUFFIXES)}): add images or remove the folder"
        )
    return np.array([os.fsencode(name) for name in sorted(names)])
