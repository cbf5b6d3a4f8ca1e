"""Random numbers for a batch of images that depend only on the id of each image.

Every image has its own generator, keyed by (id, type, intensity, seed), so that its numbers are the
same in any batch. Philox is counter-based: each key gives an independent stream.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

Generator = np.random.Generator


class Draws:
    """Random numbers for the corruption of B images with int64 ids `(B,)`.

    Each method returns `(B, *shape)`, one row per image, and without a shape one number per image,
    `(B,)`: float64 (`integers`: int64) on the CPU. Each call continues the streams, so the results
    depend on the order of the calls.

    >>> draws = Draws(torch.tensor([7, 8]), type="fog", intensity=3)
    >>> alone = Draws(torch.tensor([8]), type="fog", intensity=3)
    >>> torch.equal(draws.uniform(-1, 1, 4)[1:], alone.uniform(-1, 1, 4))
    True
    """

    def __init__(self, ids: Tensor, *, type: str, intensity: int, seed: int = 0):
        self.ids = ids
        digest = hashlib.sha256(f"{seed}/{type}/{intensity}".encode()).digest()
        self._set = int.from_bytes(digest[:8], "little")

    @cached_property
    def generators(self) -> list[Generator]:
        """One numpy generator per image, made when first used: many corruptions draw nothing."""
        keys = np.array([[self._set, id % 2**64] for id in self.ids.tolist()], np.uint64)
        return [Generator(np.random.Philox(key=key)) for key in keys]

    def normal(self, *shape: int) -> Tensor:
        """Numbers from the standard normal distribution."""
        return self._rows(lambda generator: generator.standard_normal(shape))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers uniform in [low, high)."""
        return self._rows(lambda generator: generator.uniform(low, high, shape))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Integers uniform in low .. high - 1."""
        return self._rows(lambda generator: generator.integers(low, high, shape))

    def poisson(self, mean: Tensor) -> Tensor:
        """Poisson counts with the means `mean` `(B, ...)`, of the same shape and dtype."""
        rows = zip(self.generators, mean.numpy(), strict=True)
        return torch.from_numpy(np.stack([generator.poisson(row) for generator, row in rows])).to(
            mean.dtype
        )

    def _rows(self, draw: Callable[[Generator], np.ndarray | float]) -> Tensor:
        return torch.from_numpy(np.stack([draw(generator) for generator in self.generators]))
