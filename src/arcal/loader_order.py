"""Whether a loader yields its inputs in turn and each of them once."""

from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, IterableDataset, Sampler, SequentialSampler

from arcal.attacks import Inputs
from arcal.errors import ArcalError


def draws_order(loader: Any) -> bool:
    """Whether a sampler chooses the order, so that positions in the loader do not name the inputs.

    >>> from torch.utils.data import DataLoader
    >>> draws_order(DataLoader(range(9), shuffle=True)), draws_order(DataLoader(range(9)))
    (True, False)
    >>> draws_order(DataLoader(range(9), batch_sampler=[[8, 7], [6]]))
    True
    """
    return any(map(_has_own_order, _samplers(loader)))


def _has_own_order(sampler: Any) -> bool:
    if isinstance(sampler, Sampler):  # the order of a BatchSampler is that of its sampler
        return not isinstance(sampler, SequentialSampler | BatchSampler)
    if not isinstance(sampler, list | tuple | range | np.ndarray | Tensor):
        return False
    parts = (one if isinstance(one, list | tuple) else [one] for one in sampler)
    return any(int(i) != place for place, i in enumerate(chain.from_iterable(parts)))


def _samplers(loader: Any) -> list[Any]:
    """The samplers that choose a loader's inputs; none for a stream."""
    if isinstance(getattr(loader, "dataset", None), IterableDataset):
        return []
    outer = [getattr(loader, name, None) for name in ("sampler", "batch_sampler")]
    return [*outer, *(getattr(one, "sampler", None) for one in outer)]


class Copies:
    """Refuses a loader that yields inputs more than once without ids to tell them apart.

    >>> from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler
    >>> data = TensorDataset(torch.rand(4, 3), torch.arange(4) % 2)
    >>> loader = DataLoader(data, 2, sampler=WeightedRandomSampler([1, 1, 3, 3], 4))
    >>> x, labels = next(iter(loader))
    >>> Copies(loader).refuse(Inputs.of(x), labels)
    Traceback (most recent call last):
    arcal.errors.ArcalError: the loader's sampler draws some inputs more than once...
    """

    def __init__(self, loader: Any) -> None:
        self._drawn = any(getattr(one, "replacement", False) is True for one in _samplers(loader))
        stream = isinstance(getattr(loader, "dataset", None), IterableDataset)
        self._workers: int = getattr(loader, "num_workers", 0) if stream else 0
        self._first: tuple[Inputs, Tensor] | None = None

    def refuse(self, x: Inputs, labels: Tensor) -> None:
        """Look at the next batch without ids, and raise `ArcalError` if it shows copies."""
        if self._drawn:
            raise ArcalError(
                "the loader's sampler draws some inputs more than once, and others never: make it "
                "with shuffle=False and no sampler"
            )
        if self._workers < 2:
            return
        if self._first is None:
            self._first = x, labels
            return
        before, self._workers = self._first[0].named, 0  # the second batch is another worker's
        same = [torch.equal(part, before[name]) for name, part in x.named.items() if name in before]
        if torch.equal(labels, self._first[1]) and len(same) == len(before) and all(same):
            raise ArcalError(
                "each of the loader's workers yields the same inputs: give it num_workers=0, or "
                "share the inputs out by `torch.utils.data.get_worker_info`"
            )
