"""One figure of several runs: its mean and its standard deviation."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spread:
    """One figure of n runs, in the order of their seeds.

    >>> Spread((1.0, 3.0)).mean
    2.0
    """

    values: tuple[float, ...]

    @classmethod
    def from_tensor(cls, values: Tensor) -> "Spread":
        """The figures of a tensor `(n,)`."""
        return cls(tuple(values.tolist()))

    @property
    def mean(self) -> float:
        return torch.tensor(self.values, dtype=torch.float64).mean().item()

    @property
    def deviation(self) -> float | None:
        """The standard deviation over runs, with n - 1; one run has none."""
        if len(self.values) < 2:
            return None
        return torch.tensor(self.values, dtype=torch.float64).std(correction=1).item()
