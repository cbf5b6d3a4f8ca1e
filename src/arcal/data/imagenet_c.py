"""ImageNet-C as its authors publish it: TYPE/INTENSITY/CLASS/IMAGE, read on demand."""

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from arcal.data.folder import Folder, image_files
from arcal.data.images import pixels_of, read_image
from arcal.data.part import Part, fingerprint_of
from arcal.errors import ArcalError

CUT = (224, 224)  # the authors' size for every file


class Cropped(Folder):
    """The images of a clean folder, by the same class and file names below another root.

    Ids are the clean folder's, whatever else lies below the root. The files are the central
    squares already that `Folder` cuts out of the clean images: they are not cropped again, and
    resized only where the clean part's size is not 224.
    """

    def __init__(self, root: Path, clean: Folder, name: str) -> None:
        self.root, self.name, self.size, self.classes = root, name, clean.size, clean.classes
        self.ids, self.labels, self._files = clean.ids, clean.labels, clean._files

    def images(self, positions: Tensor) -> Tensor:
        """uint8 `(B, 3, size, size)`: the images at these B positions, decoded now."""
        images = torch.empty((len(positions), *self.shape), dtype=torch.uint8)
        view = images.numpy()
        for row, position in enumerate(positions.tolist()):
            path = self.path(position)
            image = read_image(path, str(path), rgb=True)
            if image.size != CUT:
                raise ArcalError(
                    f"{path} is {image.width} x {image.height} pixels, not 224 x 224 as all of "
                    "ImageNet-C: unpack the official archive again"
                )
            square = image.resize((self.size, self.size), Image.Resampling.BILINEAR)
            view[row] = pixels_of(square)
        return images

    def fingerprint(self) -> str:
        """As that of `Folder`, of type and intensity too: file sizes alone might not differ."""
        which = os.fsencode(f"{self.root.parent.name}/{self.root.name}\0")
        return fingerprint_of(self, [which, *map(self._name_and_size, range(len(self)))])


def open_imagenet_c(root: Path, clean: Part, name: str) -> Cropped:
    """The clean folder's images below root, which is TYPE/INTENSITY. A missing one raises."""
    if not isinstance(clean, Folder):
        raise ArcalError(
            f"{root} is matched to clean images by file name, and {clean.name} is no folder of "
            "images: load ImageNet as val/CLASS/IMAGE"
        )
    part = Cropped(root, clean, name)
    for label in part.labels.unique().tolist():
        folder = root / part.classes[label]
        if not folder.is_dir():
            raise ArcalError(
                f"{folder} is missing: {clean.name} has images of that class, unpack the "
                "official archive again"
            )
        missing = np.setdiff1d(part._files[(part.labels == label).numpy()], image_files(folder))
        if len(missing):
            raise ArcalError(
                f"{folder / os.fsdecode(missing[0])} is missing, one of {len(missing)}: "
                f"the images of {clean.name} must be there by the same names"
            )
    return part
