"""The values that replace probabilities of exactly 0 before something is fitted to them."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 0.005
"""The most that the zeros of a row share: no confidence moves by more than half a point."""


@dataclass(frozen=True, eq=False)
class Zeros:
    """The values that replace the zeros among a model's probabilities.

    If an event of probability 0 happened, the log-loss would be infinite, so a 0 is taken to be
    rounded. The zeros of a row share half the smallest probability above 0, which is how far
    rounding moves one, and at most 0.005: confidences hardly change, however many classes there
    are. A class that is 0 in every row is masked, and stays 0.

    `least` is the logarithm of the smallest probability above 0, `masked` is bool `(Z,)`.

    >>> p = torch.tensor([[0.99, 0.01, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    >>> Zeros.among([p.log()], 3).mended(p.log())[1].exp().round(decimals=4)
    tensor([0.9950, 0.0025, 0.0025], dtype=torch.float64)
    """

    least: float
    masked: Tensor

    @classmethod
    def among(cls, blocks: Iterable[Tensor], Z: int) -> "Zeros":
        """The `Zeros` of log-probabilities of Z classes, given as blocks of rows `(n, Z)`.

        >>> p = torch.tensor([[0.99, 0.01, 0, 0], [1, 0, 0, 0]], dtype=torch.float64)
        >>> zeros = Zeros.among([p.log()], 4)
        >>> round(math.exp(zeros.least), 6), zeros.masked.tolist()
        (0.01, [False, False, True, True])
        """
        masked = torch.ones(Z, dtype=torch.bool, device="cpu")
        least = torch.tensor(torch.inf, dtype=torch.float64, device="cpu")
        for log_p in blocks:
            masked &= log_p.isneginf().all(0)
            least = torch.minimum(least, log_p.where(log_p.isfinite(), torch.inf).min())
        return cls(least.item(), masked)

    @property
    def log_share(self) -> float:
        """The logarithm of what the zeros of a row share, as half of 5e-324 would be 0."""
        return min(self.least - math.log(2), math.log(MOST))

    def rounded(self, log_p: Tensor) -> Tensor:
        """Which log-probabilities `(N, Z)` are those of rounded zeros, bool `(N, Z)`."""
        return log_p.isneginf() & ~self.masked

    def mended(self, log_p: Tensor) -> Tensor:
        """Log-probabilities `(N, Z)`, float64, with small values in place of rounded zeros."""
        rounded = self.rounded(log_p)
        each = self.log_share - rounded.sum(1, keepdim=True).clamp(min=1).double().log()
        share = torch.tensor(self.log_share, dtype=torch.float64, device="cpu").exp()
        whole = torch.where(rounded.any(1, keepdim=True), share, 0).log1p()
        return torch.where(rounded, each, log_p) - whole
