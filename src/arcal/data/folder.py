"""A folder of images, one sub-folder a class, read on demand."""

import copy
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from arcal.data.images import pixels_of, read_image, resize_and_crop
from arcal.data.part import check_ids_and_labels, fingerprint_of, positions_of
from arcal.errors import ArcalError
from arcal.transforms.augment import random_boxes

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")  # in any case


class Folder:
    """A lazy part: `root/CLASS/IMAGE` files, decoded each time they are asked for.

    Making one lists the files and opens none. The id of an image is its place among all files
    sorted by class and file name. Images come out as RGB, `size` x `size`: the short side is
    resized to 256 * size / 224 and the centre is cut out. A damaged file raises when it is read.
    """

    _draws: Tensor | None = None
    """Of random views, `(5, N)` uniform in [0, 1): four for the box, one for the mirror."""

    def __init__(self, root: str | Path, *, size: int = 224, name: str | None = None) -> None:
        self.root = Path(root)
        self.name = name or self.root.name
        self.size = size
        if size < 1:
            raise ArcalError(f"{self.name}: size must be at least 1, not {size}")
        self.classes = class_folders(self.root)
        if not self.classes:
            raise ArcalError(f"{self.root} has no class folders: expected {self.root}/CLASS/IMAGE")
        files = [image_files(self.root / folder) for folder in self.classes]
        # One array of bytes: a Python string for each of a million files would take 100 MB, and
        # counting references to them would copy that into every worker process.
        self._files = np.concatenate(files)
        counts = torch.tensor([len(some) for some in files])
        self.labels = torch.arange(len(self.classes)).repeat_interleave(counts)
        self.ids = torch.arange(len(self.labels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """(3, size, size)."""
        return 3, self.size, self.size

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, position: int) -> Path:
        """The file at this position."""
        label = int(self.labels[position])
        return self.root / self.classes[label] / os.fsdecode(self._files[position])

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, 3, size, size)`: the images at these B positions, decoded now."""
        images = torch.empty((len(positions), *self.shape), dtype=torch.uint8)
        view = images.numpy()
        for row, position in enumerate(positions.tolist()):
            path = self.path(position)
            image = read_image(path, str(path), rgb=True)
            if self._draws is None:
                image = resize_and_crop(image, self.size)
            else:
                image = self._random_view(image, self._draws[:, position])
            view[row] = pixels_of(image)
        return images

    def at_random(self, generator: torch.Generator) -> "Folder":
        """The part with a random view of each image, one and the same however often it is read.

        For training (ImageNet's script, appendix A.3): a random box of the whole image
        (`transforms.augment.random_boxes`), resized to `size` bicubically with antialiasing, and
        mirrored left to right half the time.
        """
        part = copy.copy(self)
        part._draws = torch.rand(5, len(self), generator=generator)
        return part

    def _random_view(self, image: Image.Image, draws: Tensor) -> Image.Image:
        size = torch.tensor([[image.height, image.width]])
        ((top, left, height, width),) = random_boxes(size, draws[:4, None].double()).tolist()
        box = left, top, min(left + width, image.width), min(top + height, image.height)
        resized = image.resize((self.size, self.size), Image.Resampling.BICUBIC, box)
        return ImageOps.mirror(resized) if draws[4] < 0.5 else resized

    def subset(self, ids: Tensor, name: str | None = None) -> "Folder":
        """The part with these ids only, in the order given. An unknown id raises."""
        at = positions_of(ids, self)
        part = copy.copy(self)
        part.name = name or self.name
        part.ids, part.labels = self.ids[at], self.labels[at]
        part._files = self._files[at.numpy()]
        part._draws = None if self._draws is None else self._draws[:, at]
        check_ids_and_labels(part.name, part.ids, part.labels, len(part.classes))
        return part

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the sha256 of ids, labels, image size, file names and sizes.

        Names are relative to the root, so a folder that moves keeps its fingerprint.
        """
        return fingerprint_of(self, map(self._name_and_size, range(len(self))))

    def _name_and_size(self, position: int) -> bytes:
        path = self.path(position)
        try:
            return os.fsencode(f"{path.parent.name}/{path.name} {path.stat().st_size}\0")
        except OSError as error:
            raise ArcalError(f"{path} cannot be read ({error.strerror})") from error


def class_folders(root: Path) -> tuple[str, ...]:
    """The names of root's sub-folders, sorted; hidden ones and a missing root give none."""
    if not root.is_dir():
        return ()
    with os.scandir(root) as entries:
        return tuple(sorted(e.name for e in entries if e.is_dir() and e.name[0] != "."))


def image_files(folder: Path) -> np.ndarray:
    """The names of the folder's image files, sorted, as bytes `(N,)`. None at all raises."""
    with os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.lower().endswith(SUFFIXES) and e.is_file()]
    if not names:
        raise ArcalError(f"{folder} holds no image file ({', '.join(SUFFIXES)})")
    return np.array([os.fsencode(name) for name in sorted(names)])
