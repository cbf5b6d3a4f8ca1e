"""What is doubtful about a data set that networks are trained on."""

from arcal.data._load import Data
from arcal.data.overlap import sentence_for
from arcal.data.part import Part
from arcal.data.repeats import contradicted
from arcal.printable import first_few


def doubts(data: Data) -> list[str]:
    """A sentence for each thing that makes figures of networks trained on this data doubtful.

    >>> from arcal.data import load
    >>> doubts(load("fashion", images=500))
    []
    """
    said = (
        sentence_for(data.test, data.train),
        sentence_for(data.validation, data.train, "validation"),
        contradicted(data.train),
        untrained_classes(data.train),
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
    there = set(train.labels.tolist())
    lacking = [name for z, name in enumerate(train.classes) if z not in there]
    if not lacking:
        return None
    if len(lacking) == 1:
        return f"no training image is of the class {lacking[0]}: networks will not know it"
    return (
        f"no training image is of {len(lacking):,} of the {len(train.classes):,} classes "
        f"({first_few(lacking)}): networks will not know them"
    )
