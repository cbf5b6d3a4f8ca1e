"""Checks that a run can learn from its data."""

import math
from collections.abc import Iterator

from arcal.data import Data
from arcal.methods import method_named
from arcal.training.run import Run

FEWEST = 50
"""With fewer validation images in a level, its gap is uncertain by more than 7 points."""


def doubts_of_run(run: Run, data: Data) -> Iterator[str]:
    """A sentence for each reason why a run has too little to learn from.

    >>> from arcal.data import load
    >>> data = load("fashion", images=100, validation=90)
    >>> for doubt in doubts_of_run(Run(method="ar-adals"), data):
    ...     print(doubt.partition(":")[0])
    a batch of 128 holds all 100 training images
    90 validation images in 10 levels are 9 in each, whose gap is then uncertain by up to 17 points
    """
    images, batch = len(data.train), run.recipe.batch_size
    if images <= batch:
        yield (
            f"a batch of {batch:,} holds all {images:,} training images: an epoch is one step; "
            "give a smaller --batch-size"
        )
    method = method_named(run.method, len(data.classes), run.settings)
    if method.ranks and method.R > 1:
        N = len(data.validation)
        each = max(1, N // method.R)
        if each < FEWEST:
            yield (
                f"{N:,} validation images in {method.R} levels are {each} in each, whose gap is "
                f"then uncertain by up to {100 * math.sqrt(0.25 / each):.0f} points: give fewer "
                "--levels or more --validation images"
            )
