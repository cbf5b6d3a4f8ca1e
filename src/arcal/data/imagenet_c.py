"""ImageNet-C as its authors publish it: TYPE/INTENSITY/CLASS/IMAGE, read on demand."""

import os
from io import BytesIO
from pathlib import Path

import torch
from PIL import Image

from arcal.data.encoded import Files
from arcal.data.folder import Folder, image_files
from arcal.data.images import read_image
from arcal.data.part import Part, fingerprint_of
from arcal.errors import ArcalError

CROP = (224, 224)  # the size of every file of the official set


class Cropped(Folder):
    """The images of a clean folder under another root, with the same class and file names.

    Ids are those of the clean folder; other files under the root are ignored. The official files
    are already the centre crops that `Folder` takes of the clean images, so they are not cropped
    again, and they are resized only when the size of the clean part is not 224.
    """

    def __init__(self, root: Path, clean: Folder, name: str) -> None:
        self.root, self.name, self.size, self.classes = root, name, clean.size, clean.classes
        self.ids, self.labels = clean.ids, clean.labels
        self._rows = torch.arange(len(clean))
        self._files = Files(root, [clean._files.key(row) for row in clean._rows.tolist()])

    def _image(self, position: int) -> Image.Image:
        path = self.path(position)
        data = self._files.contents.read(int(self._rows[position]))
        image = read_image(BytesIO(data), str(path), rgb=True)
        if image.size != CROP:
            raise ArcalError(
                f"{path} is {image.width} x {image.height} pixels, not 224 x 224 like all of "
                "ImageNet-C: unpack the official archive again"
            )
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR)

    def fingerprint(self) -> str:
        """Like that of `Folder`, but also of type and intensity, as file sizes might not differ."""
        which = os.fsencode(f"{self.root.parent.name}/{self.root.name}\0")
        return fingerprint_of(self, [which, *self._files.content(self._rows.tolist())])


def open_imagenet_c(root: Path, clean: Part, name: str) -> Cropped:
    """The images of the clean folder under `root`, which is TYPE/INTENSITY.

    A clean part that is not a `Folder`, or a missing image, raises `ArcalError`.
    """
    if not isinstance(clean, Folder):
        raise ArcalError(
            f"{root} is matched to clean images by file name, but {clean.name} is not a folder of "
            "images: load ImageNet as val/CLASS/IMAGE"
        )
    part = Cropped(root, clean, name)
    for label in part.labels.unique().tolist():
        folder = root / part.classes[label]
        if not folder.is_dir():
            raise ArcalError(
                f"{folder} is missing, but {clean.name} has images of that class: unpack the "
                "official archive again"
            )
        positions = (part.labels == label).nonzero()[:, 0].tolist()
        names = {part.path(position).name for position in positions}
        if missing := sorted(names - {*image_files(folder)}):
            raise ArcalError(
                f"{folder / missing[0]} is missing, one of {len(missing)} images of "
                f"{clean.name}: unpack the official archive again"
            )
    return part
