"""Random numbers of a batch of images that depend on nothing but each image's id.

Every image has a generator of its own, keyed by (id, type, intensity, seed), so its numbers are the
same in any batch. Philox is counter-based: every key is an independent stream.
"""

import hashlib
from collections.abc import Callable
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray
Generator = np.random.Generator


class Draws:
    """What a corruption draws for `B` images: each call returns `(B, *shape)`, a row an image.

    Without a shape a call returns one number an image, `(B,)`. Numbers are float64 (`integers`:
    int64) on the CPU. Later calls return further numbers; the order of the calls is part of the
    result.
    """

    def __init__(self, ids: Tensor, *, type: str, intensity: int, seed: int = 0):
        """For images with int64 ids `(B,)`."""
        self.ids = ids
        digest = hashlib.sha256(f"{seed}/{type}/{intensity}".encode()).digest()
        self._set = int.from_bytes(digest[:8], "little")

    @cached_property
    def generators(self) -> list[Generator]:
        """One numpy generator an image, made at the first draw: many corruptions draw nothing."""
        keys = np.array([[self._set, id % 2**64] for id in self.ids.tolist()], np.uint64)
        return [Generator(np.random.Philox(key=key)) for key in keys]

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return self._rows(lambda generator: generator.standard_normal(shape))

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform numbers in [low, high)."""
        return self._rows(lambda generator: generator.uniform(low, high, shape))

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Integers in low .. high - 1."""
        return self._rows(lambda generator: generator.integers(low, high, shape))

    def poisson(self, mean: Tensor) -> Tensor:
        """Poisson counts with the means `(B, ...)`, of the same shape."""
        rows = zip(self.generators, mean.numpy(), strict=True)
        return torch.from_numpy(np.stack([generator.poisson(row) for generator, row in rows])).to(
            mean.dtype
        )

    def _rows(self, draw: Callable[[Generator], Array | float]) -> Tensor:
        return torch.from_numpy(np.stack([draw(generator) for generator in self.generators]))
