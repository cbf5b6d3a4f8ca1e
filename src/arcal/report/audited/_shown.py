"""What there is to see of the inputs on a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from arcal.arrays import places_of
from arcal.data import Part


@dataclass(frozen=True, eq=False)
class Shown:
    """N inputs by their `ids` int64 `(N,)`, as images, texts or rows of numbers.

    `part` has the images, `texts` the texts, and `read`, given positions `(B,)`, returns rows
    `(B, C)` of these `columns`; what there is not is None.

    >>> import torch
    >>> shown = Shown(torch.tensor([7, 3]), texts=["dear", "yours"])
    >>> shown.positions(torch.tensor([3, 7]))
    tensor([1, 0])
    """

    ids: Tensor
    part: Part | None = None
    texts: Sequence[str] | None = None
    columns: Sequence[str] | None = None
    read: Callable[[Tensor], Any] | None = None

    def positions(self, ids: Tensor) -> Tensor:
        """The positions `(n,)` of the inputs with these ids `(n,)`."""
        return places_of(ids, self.ids)
