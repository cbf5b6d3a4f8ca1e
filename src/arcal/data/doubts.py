"""What is doubtful about a data set that networks are trained on."""

from arcal.data._load import Data
from arcal.data.overlap import sentence_for
from arcal.data.part import Part
from arcal.data.repeats import contradicted
from arcal.printable import first_few


def doubts(data: Data) -> list[str]:
    """A sentence for each reason to doubt the figures of networks trained on this data.

    >>> from arcal.data import load
    >>> doubts(load("fashion", images=500))
    []
    """
    said = (
        sentence_for(data.test, data.train),
        sentence_for(data.validation, data.train, "validation"),
        contradicted(data.train),
        untrained_classes(data.train),
        unvalidated_classes(data.validation),
    )
    return [sentence for sentence in said if sentence is not None]


def untrained_classes(train: Part) -> str | None:
    """A sentence if there are classes without training images, or None.

    >>> import torch
    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    >>> untrained_classes(InMemory("toy/train", ids, 2 * ids, ("cat", "dog", "fox"), pixels))
    'no training image is of the class dog: networks will not know it'
    """
    lacking = _lacking(train)
    if not lacking:
        return None
    them = "it" if len(lacking) == 1 else "them"
    return f"no training image is {_which(lacking, train)}: networks will not know {them}"


def unvalidated_classes(validation: Part) -> str | None:
    """A sentence if there are classes without validation images, or None.

    >>> import torch
    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    >>> part = InMemory("toy/validation", ids, ids, ("cat", "dog", "fox"), pixels)
    >>> unvalidated_classes(part)
    'no validation image is of the class fox: what is learned or chosen on them ignores it'
    """
    lacking = _lacking(validation)
    if not lacking:
        return None
    them = "it" if len(lacking) == 1 else "these"
    return (
        f"no validation image is {_which(lacking, validation)}: what is learned or chosen on them "
        f"ignores {them}"
    )


def _lacking(part: Part) -> list[str]:
    there = set(part.labels.tolist())
    return [name for z, name in enumerate(part.classes) if z not in there]


def _which(lacking: list[str], part: Part) -> str:
    if len(lacking) == 1:
        return f"of the class {lacking[0]}"
    return f"of {len(lacking):,} of the {len(part.classes):,} classes ({first_few(lacking)})"
