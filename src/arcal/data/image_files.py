"""Folders that hold images in one subfolder per class, as a list of files."""

import os
from collections.abc import Iterator
from pathlib import Path

from arcal.data.encoded import Files
from arcal.data.folder import SUFFIXES, class_folders, is_image_file
from arcal.errors import ArcalError


def has_class_folders(folder: Path, minimum: int = 1) -> bool:
    """Whether at least so many of the subfolders hold an image."""
    classes = 0
    for name in class_folders(folder):
        classes += any(map(is_image_file, _entries(folder / name)))
        if classes >= minimum:
            return True
    return False


def list_images(root: Path) -> tuple[Files, list[str], int]:
    """The images in `root/CLASS/`, the class of each, and how many other files there are.

    They are sorted by class and then by name. Hidden files are not counted. A class without images,
    or images in a subfolder of a class, raise `ArcalError`.
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
                f"{root / label} holds no image ({', '.join(SUFFIXES)}): add some, or remove the "
                "folder if it is no class"
            )
        names += [f"{label}/{image}" for image in images]
        labels += [label] * len(images)
        others += len(visible) - len(images)
    return Files(root, names), labels, others


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise ArcalError(f"{folder} cannot be read ({error.strerror})") from error
