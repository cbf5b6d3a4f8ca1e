"""The official python archives of CIFAR-10 and CIFAR-100, read by torchvision."""

from pathlib import Path

import torch
from torchvision.datasets import CIFAR10, CIFAR100

from arcal.data.part import InMemory
from arcal.errors import ArcalError

READERS = (CIFAR10, CIFAR100)


def read_archives(source: Path, name: str) -> tuple[InMemory, InMemory] | None:
    """The training and the test part, or None if `source` is not, and does not hold, an archive.

    The archives are pickles. torchvision loads a file only after checking that its md5 is that of
    the official file, so nothing else is ever unpickled. A folder with both archives, or a missing
    or changed file, raises `ArcalError`.
    """
    archive = find_archive(source)
    if archive is None:
        return None
    reader, root = archive
    return (
        read_part(reader, root, f"{name}/train", train=True),
        read_part(reader, root, f"{name}/test", train=False),
    )


def find_archive(source: Path) -> tuple[type[CIFAR10] | type[CIFAR100], Path] | None:
    """The reader of the archive that `source` is or holds, and the folder it is in, or None."""
    roots = {reader: root for reader in READERS if (root := root_of(source, reader.base_folder))}
    if len(roots) > 1:
        folders = " and ".join(reader.base_folder for reader in roots)
        raise ArcalError(f"{source} holds {folders}: name one of the two folders")
    return next(iter(roots.items()), None)


def root_of(source: Path, folder: str) -> Path | None:
    """The parent of the folder of this name, which is `source` or in it; None if it is neither."""
    if source.name == folder and source.is_dir():
        return source.parent
    return source if (source / folder).is_dir() else None


def read_part(
    reader: type[CIFAR10] | type[CIFAR100], root: Path, name: str, *, train: bool
) -> InMemory:
    """One part; its ids are the positions in the official order."""
    try:
        official = reader(root, train=train, download=False)
    except (RuntimeError, OSError) as error:
        raise ArcalError(
            f"{root / reader.base_folder}: a file is missing or is not the official one "
            "(its md5 differs): unpack the official python archive again"
        ) from error
    pixels = torch.from_numpy(official.data).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(official.targets)
    return InMemory(name, torch.arange(len(labels)), labels, tuple(official.classes), pixels)
