"""Ids for any data set."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from arcal.errors import ArcalError


class WithIds(Dataset[tuple[int, Any, Any]]):
    """Wraps a map-style data set of pairs (x, y) to yield (id, x, y), also through a DataLoader.

    Ids are 0 .. N-1, or N unique integers that are given. `WithIds(subset, subset.indices)` gives
    the inputs of a `torch.utils.data.Subset` their ids in the whole data set. A data set without a
    length, items that are not pairs, and other ids raise `ArcalError`.

    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(torch.tensor([0.5, 1.5, 2.5]), torch.tensor([0, 1, 0]))
    >>> next(iter(DataLoader(WithIds(dataset, ids=[3, 5, 8]), batch_size=2)))
    [tensor([3, 5]), tensor([0.5000, 1.5000]), tensor([0, 1])]
    """

    def __init__(self, dataset: Any, ids: Tensor | Sequence[int] | None = None) -> None:
        try:
            N = len(dataset)
        except TypeError as error:
            raise ArcalError(
                f"WithIds needs a map-style data set, with a length, but {type(dataset).__name__} "
                "has none"
            ) from error
        self.dataset = dataset
        self.ids = torch.arange(N) if ids is None else torch.as_tensor(ids)
        if self.ids.shape != (N,) or self.ids.is_floating_point() or self.ids.is_complex():
            raise ArcalError(
                f"WithIds: ids must be {N} integers, one for each input, "
                f"not {self.ids.dtype} of shape {tuple(self.ids.shape)}"
            )
        self.ids = self.ids.to("cpu", torch.int64)
        if len(self.ids.unique()) != N:
            raise ArcalError("WithIds: an id occurs more than once: ids must be unique")

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, position: int) -> tuple[int, Any, Any]:
        item = self.dataset[position]
        if not isinstance(item, tuple | list) or len(item) != 2:  # a dict could be unpacked, too
            raise ArcalError(
                f"WithIds needs a data set of pairs (x, y), but input {position} is "
                f"a {type(item).__name__}"
            )
        x, y = item
        return int(self.ids[position]), x, y
