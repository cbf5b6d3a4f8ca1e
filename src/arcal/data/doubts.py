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
        without_images(data.train, "training", "networks will not know {them}"),
        without_images(
            data.validation, "validation", "what is learned or chosen on them ignores {these}"
        ),
    )
    return [sentence for sentence in said if sentence is not None]


def without_images(part: Part, name: str, so: str) -> str | None:
    """A sentence if there are classes without images in a part called `name`, or None.

    `so` is what follows from it, where {them} and {these} are "it" for a single class.

    >>> import torch
    >>> from arcal.data import InMemory
    >>> ids, pixels = torch.arange(2), torch.zeros(2, 1, 2, 2, dtype=torch.uint8)
    >>> part = InMemory("toy/train", ids, 2 * ids, ("cat", "dog", "fox"), pixels)
    >>> without_images(part, "training", "networks will not know {them}")
    'no training image is of the class dog: networks will not know it'
    """
    there = set(part.labels.tolist())
    lacking = [each for z, each in enumerate(part.classes) if z not in there]
    if not lacking:
        return None
    which = f"the class {lacking[0]}"
    if len(lacking) > 1:
        which = f"{len(lacking):,} of the {len(part.classes):,} classes ({first_few(lacking)})"
    them, these = ("it", "it") if len(lacking) == 1 else ("them", "these")
    return f"no {name} image is of {which}: {so.format(them=them, these=these)}"
