"""Random draws of right and wrong, made once for all figures that compare with chance."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from arcal.arrays import TensorLike
from arcal.calibration.checks import as_confidence
from arcal.calibration.clusters import Clusters
from arcal.calibration.draws import block_sizes, chance


class Chance:
    """Random draws of which of N rows are right, if each confidence is the chance of being right.

    The draws are those of `draws.chance` with this seed, made on first use and kept as bits, N/8
    bytes each. Figures of the same `confidence` `(N,)` that share a `Chance` share its draws. With
    `clusters`, inputs that belong together are often right or wrong together.

    >>> by_chance = Chance([0.5, 1.0])
    >>> (errors,) = by_chance.errors(3)
    >>> errors
    tensor([[-0.5000, -0.5000,  0.5000],
            [ 0.0000,  0.0000,  0.0000]], dtype=torch.float64)
    """

    def __init__(
        self, confidence: TensorLike, seed: int = 0, clusters: Clusters | None = None
    ) -> None:
        self.confidence = as_confidence(confidence)
        self._seed, self._clusters = seed, clusters
        self._drawn: list[list[tuple[int, NDArray[np.uint8]]]] = []

    def errors(self, resamples: int) -> Iterator[Tensor]:
        """Correct minus confidence in each draw: `(N, b)` float64 blocks.

        A block reuses the memory of the one before it, and may be written to.
        """
        N, confidence = len(self.confidence), self.confidence.numpy()[:, None]
        memory = np.empty((N, 0))  # allocating it for each block would take most of the time
        for b, bits in self._of(resamples):
            if memory.shape != (N, b):
                memory = np.empty((N, b))
            right = np.unpackbits(bits, count=N * b).reshape(N, b)
            yield torch.from_numpy(np.subtract(right, confidence, out=memory))

    def _of(self, resamples: int) -> list[tuple[int, NDArray[np.uint8]]]:
        """The blocks of `resamples` draws: the number in each, and a bit per row and draw."""
        N = len(self.confidence)
        sizes = list(block_sizes(N, resamples))
        for known in self._drawn:  # the first blocks of more draws, if they end there
            first = known[: len(sizes)]
            if [b for b, _ in first] == sizes:
                return first
        lengths = [(N * b + 7) // 8 for b in sizes]
        # allocated at once: see `draws.gathered`
        pieces = np.split(np.empty(sum(lengths), np.uint8), np.cumsum(lengths)[:-1])
        blocks = chance(self.confidence, resamples, self._seed, self._clusters)
        for piece, right in zip(pieces, blocks, strict=True):
            piece[:] = np.packbits(right.numpy())
        self._drawn.append(list(zip(sizes, pieces, strict=True)))
        return self._drawn[-1]
