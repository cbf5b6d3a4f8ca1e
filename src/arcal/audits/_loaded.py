"""Inputs that a loader yields, and their weights and groups."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from arcal.arrays import as_tensor
from arcal.attacks import Bounds, Inputs
from arcal.auditing import Caveat, Grouping, groupings, in_clusters
from arcal.audits._drawn import ALL, Draw
from arcal.audits._examples import Examples, examples_or_loader
from arcal.audits.blocks import Settings
from arcal.calibration.checks import as_weights
from arcal.errors import ArcalError
from arcal.labelled_batches import inputs_alone
from arcal.loader_order import Copies, draws_order


@dataclass(frozen=True, eq=False)
class Loaded:
    """Batches of inputs under a name, which a model reads once.

    Inputs that are not `labelled` need no labels, and any that they have are ignored.
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
            if not len(x):
                continue
            labels = torch.zeros(len(x), dtype=torch.int64, device="cpu")
            copies.refuse(x, labels)
            yield x, labels


def examples_or_loaded(
    data: Any, name: str, settings: Settings, *, labelled: bool = True
) -> Examples | Loaded:
    """A part of `arcal.data` or a pair `(x, y)` as `Examples`, anything else as `Loaded`.

    Inputs that are not `labelled` may be a tensor or an array alone, or a dict of tensors.
    """
    if not labelled:
        if _are_batches(data):
            return Loaded(name, data, labelled)
        data = _with_labels(data, name)
    examples, loader = examples_or_loader(data, name, settings.bounds, settings.order)
    return Loaded(name, loader, labelled) if examples is None else examples


def _are_batches(inputs: Any) -> bool:
    """Whether this is a list of batches of inputs, rather than a pair of inputs and labels."""
    return isinstance(inputs, list) and all(isinstance(x, Tensor) and x.ndim > 1 for x in inputs)


def _with_labels(inputs: Any, name: str) -> Any:
    """Inputs without labels as a pair with labels of 0; anything else unchanged."""
    if isinstance(inputs, np.ndarray):
        inputs = as_tensor(inputs, name, copied=False)
    if isinstance(inputs, Tensor | Inputs) or (
        isinstance(inputs, Mapping) and all(isinstance(one, Tensor) for one in inputs.values())
    ):
        return inputs, torch.zeros(len(Inputs.of(inputs)), dtype=torch.int64, device="cpu")
    return inputs


@dataclass(frozen=True, eq=False)
class Beside:
    """The weights, groups and clusters of a loader's N inputs, in the order it yields them.

    `weights` are float64 `(N,)`, or None, and `clusters` may be None. Made by `beside`.
    """

    N: int
    weights: Tensor | None
    groupings: Sequence[Grouping]
    clusters: Grouping | None = None

    def rows(self, order: Tensor) -> tuple[Tensor | None, tuple[Grouping, ...], Grouping | None]:
        """All three in this order `(N,)` of the inputs; another length raises `ArcalError`."""
        together = [] if self.clusters is None else [self.clusters]
        if len(order) != self.N:
            titles = ["weights"] * (self.weights is not None)
            titles += [one.name for one in (*self.groupings, *together)]
            raise ArcalError(
                f"{' and '.join(titles)} of {self.N:,} inputs are given, and the loader yields "
                f"{len(order):,}: give one value for each, in its order"
            )
        weights = None if self.weights is None else self.weights[order]
        clusters = None if self.clusters is None else self.clusters.rows(order)
        return weights, tuple(one.rows(order) for one in self.groupings), clusters


def read_with(
    data: Any,
    bounds: Bounds,
    order: str | None,
    classes: Sequence[str] | None,
    *,
    weights: Any,
    clusters: Any,
    by: Any = None,
    draw: Draw = ALL,
) -> tuple[Examples | None, Iterable[Any], Beside | None]:
    """The data as `examples_or_loader` gives it, with weights `(N,)`, clusters and groups.

    `Examples` hold these themselves, and some of them may be drawn; those of a loader's inputs are
    `Beside`.
    """
    examples, loader = examples_or_loader(data, "data", bounds, order, classes)
    if examples is None:
        draw.refuse_loader()
        return None, loader, beside(loader, weights, by, clusters)
    if weights is not None:
        examples = examples.weighted(weights)
    if clusters is not None:
        examples = examples.clustered("clusters", clusters)
    if by is not None:
        examples = examples.grouped(by)
    return draw.examples(examples), (), None


def beside(loader: Any, weights: Any, by: Any, clusters: Any = None) -> Beside | None:
    """Weights `(N,)`, groups and clusters of the inputs that a loader yields; None without any.

    A number of values other than the loader's number of inputs, if that is known, and a loader that
    shuffles raise `ArcalError`.
    """
    given = {"by": by, "weights": weights, "clusters": clusters}
    titles = [name for name, values in given.items() if values is not None]
    if not titles:
        return None
    if draws_order(loader):
        raise ArcalError(
            f"{titles[0]} goes by the order of the data, and the loader "
            "shuffles: make it with shuffle=False"
        )
    N = number_of_inputs(loader)
    if weights is not None:
        weights = as_weights(weights, len(weights) if N is None else N)
        N = len(weights)
    made = () if by is None else groupings(by, N)
    N = len(made[0].number) if made else N
    together = None if clusters is None else in_clusters("clusters", clusters, N)
    return Beside((N or 0) if together is None else len(together.number), weights, made, together)


def without_iterators(values: Any) -> Any:
    """Values that can be read once as a list, also in a mapping; anything else unchanged."""
    if isinstance(values, Mapping):
        return {name: without_iterators(one) for name, one in values.items()}
    return [*values] if isinstance(values, Iterator) else values


def number_of_inputs(loader: Any) -> int | None:
    """How many inputs a loader yields; None if this is unknown before it is read."""
    size = _sizes(loader)
    return None if size is None else size[0] - size[1]


def left_out(loader: Any) -> list[Caveat]:
    """A caveat if a loader leaves the last inputs of its data set out."""
    N, dropped = _sizes(loader) or (0, 0)
    if not dropped:
        return []
    those = f"the last {dropped:,}" if dropped > 1 else "the last"
    said = f"the loader leaves out {those} of its {N:,} inputs: make it with drop_last=False"
    return [Caveat("Left out", said)]


def _sizes(loader: Any) -> tuple[int, int] | None:
    """The number of a loader's inputs, and how many of these it drops; None if unknown."""
    if not isinstance(loader, DataLoader) or not loader.batch_size:
        return None
    try:
        N = len(loader.sampler)  # pyright: ignore[reportArgumentType] a sampler may have none
    except (TypeError, NotImplementedError):
        return None
    return N, N % loader.batch_size if loader.drop_last else 0
