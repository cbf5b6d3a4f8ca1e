"""Inputs beside those that are audited or calibrated on, which a loader yields."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import as_tensor
from arcal.attacks import Inputs
from arcal.audits._examples import Examples, examples_or_loader
from arcal.audits.blocks import Settings
from arcal.labelled_batches import Copies, inputs_alone


@dataclass(frozen=True, eq=False)
class Loaded:
    """Batches of inputs under a name, which a model reads once.

    Those that are not `labelled` need no labels, and any they have are not looked at.

    >>> today = Loaded("today", [torch.rand(3, 12), torch.rand(2, 12)], labelled=False)
    >>> [(len(x), labels.tolist()) for x, labels in today.batches()]
    [(3, [0, 0, 0]), (2, [0, 0])]
    """

    name: str
    loader: Iterable[Any]
    labelled: bool = True

    def batches(self) -> Iterable[Any]:
        """The loader, or its inputs with labels of 0."""
        return self.loader if self.labelled else self._unlabelled()

    def _unlabelled(self) -> Iterator[tuple[Inputs, Tensor]]:
        copies = Copies(self.loader)
        for batch in self.loader:
            x = inputs_alone(batch)
            labels = torch.zeros(len(x), dtype=torch.int64, device="cpu")
            copies.refuse(x, labels)
            yield x, labels


def examples_or_loaded(
    data: Any, name: str, settings: Settings, *, labelled: bool = True
) -> Examples | Loaded:
    """A part of `arcal.data` or a pair `(x, y)` as `Examples`, anything else as `Loaded`.

    Inputs that are not `labelled` may be a tensor or an array alone, or a dict of tensors.

    >>> pair = torch.rand(6, 12), torch.arange(6) % 2
    >>> len(examples_or_loaded(pair, "validation", Settings(order=None)))
    6
    """
    if not labelled:
        if _are_batches(data):
            return Loaded(name, data, labelled)
        data = _with_labels(data, name)
    examples, loader = examples_or_loader(
        data, name, settings.bounds, settings.order, labelled=labelled
    )
    return Loaded(name, loader, labelled) if examples is None else examples


def _are_batches(inputs: Any) -> bool:
    """Whether these are tensors of several inputs each, and no pair of inputs and labels."""
    return isinstance(inputs, list) and all(isinstance(x, Tensor) and x.ndim > 1 for x in inputs)


def _with_labels(inputs: Any, name: str) -> Any:
    """Inputs alone as a pair with labels of 0; anything else as it is."""
    if isinstance(inputs, np.ndarray):
        inputs = as_tensor(inputs, name, copied=False)
    if isinstance(inputs, Tensor | Inputs) or (
        isinstance(inputs, Mapping) and all(isinstance(one, Tensor) for one in inputs.values())
    ):
        return inputs, torch.zeros(len(Inputs.of(inputs)), dtype=torch.int64, device="cpu")
    return inputs
