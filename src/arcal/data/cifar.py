"""The official python archives of CIFAR-10 and CIFAR-100."""

from pathlib import Path

import torch

from arcal.data.part import InMemory
from arcal.errors import ArcalError

FOLDERS = {"cifar-10-batches-py": "CIFAR10", "cifar-100-python": "CIFAR100"}
"""The folders of the archives, with the torchvision classes that read them."""


def find_archive(source: Path) -> Path | None:
    """The folder of the archive that `source` is or holds, or None; two raise `ArcalError`."""
    if source.name in FOLDERS and source.is_dir():
        return source
    held = [source / folder for folder in FOLDERS if (source / folder).is_dir()]
    if len(held) > 1:
        folders = " and ".join(folder.name for folder in held)
        raise ArcalError(f"{source} holds {folders}: name one of the two folders")
    return held[0] if held else None


def read_cifar(archive: Path, name: str, *, train: bool) -> InMemory:
    """One part of an archive's folder; its ids are the positions in the official order.

    The archives are pickles. torchvision loads a file only after checking that its md5 is that of
    the official file, so nothing else is ever unpickled: other files raise `ArcalError`.
    """
    from torchvision import datasets  # takes seconds to import

    reader = getattr(datasets, FOLDERS[archive.name])
    try:
        official = reader(archive.parent, train=train, download=False)
    except (RuntimeError, OSError) as error:
        raise ArcalError(
            f"{archive}: a file is missing or is not the official one "
            "(its md5 differs): unpack the official python archive again"
        ) from error
    pixels = torch.from_numpy(official.data).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(official.targets, device="cpu")
    return InMemory(
        name, torch.arange(len(labels), device="cpu"), labels, tuple(official.classes), pixels
    )
