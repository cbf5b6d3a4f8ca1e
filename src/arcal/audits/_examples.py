"""What an audit runs on: labelled inputs of any kind, each with an id."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import TensorLike, bytes_of
from arcal.attacks import Bounds, Inputs, InputsLike
from arcal.attacks.norms import checked_bounds
from arcal.auditing import Caveat, Grouping, groupings, in_clusters, one_per
from arcal.batch_parts import as_inputs, check_data, is_pair
from arcal.calibration.checks import as_weights
from arcal.data import Kind, OnDemand, Part, Table, as_input
from arcal.errors import ArcalError, first_line, prefixing_errors
from arcal.labelled_batches import (
    as_loader,
    check_stacked,
    has_ids,
    loader_augments,
)
from arcal.labels import as_whole_numbers, numbered
from arcal.loader_order import draws_order
from arcal.orders import random_order

DRAWN = "Drawn"
"""The title of the fact that one input was drawn per value of a column."""


@dataclass(frozen=True, eq=False)
class Examples:
    """N labelled inputs of one data set, read by position.

    `ids` and `labels` are int64 `(N,)`, with labels in [0, Z) and `classes` the Z names. `read`,
    given positions `(B,)`, returns the model's inputs for them on the CPU: float32 in [0, 1] for
    images. Every entry of an input lies within `bounds`. `part` has the images as uint8, to corrupt
    and to show, and is None for other inputs. `texts` are the texts of text data, and `token_ids`
    returns their tokens for given positions, each int64 `(B, length)`. `columns` are the names of a
    table's columns, and `names` those of the inputs, such as their files. `weights` float64 `(N,)`
    say how much each input counts, `groupings` which groups it is in, and `clusters` which inputs
    belong together. `facts` are for the page, by title, `caveats` come before any figure, and
    `content` is a fingerprint of the data.
    """

    name: str
    ids: Tensor
    labels: Tensor
    classes: tuple[str, ...]
    read: Callable[[Tensor], InputsLike]
    content: str
    kind: Kind = "table"
    bounds: Bounds = (0.0, 1.0)
    part: Part | None = None
    texts: Sequence[str] | None = None
    token_ids: Callable[[Tensor], dict[str, Tensor]] | None = None
    columns: Sequence[str] | None = None
    names: Sequence[str] | None = None
    weights: Tensor | None = None
    groupings: Sequence[Grouping] = ()
    clusters: Grouping | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    caveats: Sequence[Caveat] = ()

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def numbered(self) -> bool:
        """Whether the classes have no names but the numbers 0, 1 and so on."""
        return self.classes == tuple(map(str, range(len(self.classes))))

    @classmethod
    def from_part(cls, part: Part) -> "Examples":
        """The images of a part, as float32 in [0, 1]."""
        if not len(part):
            raise ArcalError(f"{part.name} is empty: there is nothing to audit")
        how, key = getattr(part, "how", None), getattr(part, "key", lambda position: "")
        names = [str(key(position)) for position in range(len(part))]
        caveats = []
        if skipped := getattr(part, "skipped", ()):
            first, whole = skipped[0], len(part) + len(skipped)
            said = (
                f"{len(skipped):,} of {whole:,} images that cannot be read, such as {first.where} "
                f"({first.reason})"
            )
            caveats.append(Caveat("Left out", f"left out: {said}", said))
        return cls.labelled_as(
            part,
            lambda positions: as_input(part.images(positions), "cpu"),
            kind="images",
            part=part,
            names=names if all(names) else None,
            facts={"Images": how} if how else {},
            caveats=caveats,
        )

    @classmethod
    def from_table(cls, table: Table) -> "Examples":
        """The rows of a table; each column is bounded by its range in the table."""
        return cls.labelled_as(
            table,
            lambda positions: table.rows[positions],
            bounds=table.bounds,
            columns=table.columns,
            facts={
                "Columns": ", ".join(table.columns),
                "Distances": "in the columns' own units, each within the range it has in the data",
            },
        )

    @classmethod
    def labelled_as(
        cls, data: Any, read: Callable[[Tensor], InputsLike], **more: Any
    ) -> "Examples":
        """The inputs of a part of any kind of `data`; `read` returns the model's inputs."""
        own = {name: getattr(data, name) for name in ("name", "ids", "labels", "classes")}
        own |= {name: getattr(data, name, None) for name in ("weights", "names")}
        return cls(read=read, content=data.fingerprint(), **own | more)

    @classmethod
    def from_tensors(
        cls,
        x: InputsLike,
        y: Any,
        *,
        name: str = "data",
        classes: Sequence[str] | None = None,
        bounds: Bounds = (0.0, 1.0),
        **more: Any,
    ) -> "Examples":
        """Inputs that are in memory: a tensor `(N, ...)`, or a dict or tuple of several.

        Labels are numbers, or names among the `classes`.
        """
        inputs = Inputs.of(x).plain()
        alone = isinstance(inputs.parts, Tensor)
        if not len(inputs):
            raise ArcalError(f"{name} is empty: there is nothing to audit")
        check_stacked(x, y, len(inputs), name)
        y = y if classes is None else numbered(y, classes)
        labels = as_whole_numbers(y, len(inputs), f"labels of {name}")
        if classes is None:
            classes = tuple(map(str, range(int(labels.max()) + 1)))
        digest = sha256()
        for tensor in (*inputs.named.values(), labels):
            digest.update(repr((tensor.shape, tensor.dtype)).encode())
            digest.update(bytes_of(tensor))
        return cls(
            name=name,
            ids=torch.arange(len(labels), device="cpu"),
            labels=labels,
            classes=tuple(classes),
            read=lambda i: inputs.rows(i).parts if alone else inputs.rows(i),
            content=digest.hexdigest()[:16],
            bounds=bounds,
            **more,
        )

    @property
    def weights_by_id(self) -> Tensor | None:
        """The weights in ascending order of the ids, the order of predictions, or None."""
        return None if self.weights is None else self.weights[self.ids.argsort()]

    @property
    def clusters_by_id(self) -> Grouping | None:
        """The clusters in the order of predictions, or None."""
        return None if self.clusters is None else self.clusters.rows(self.ids.argsort())

    def weighted(self, weights: TensorLike) -> "Examples":
        """The same inputs with these weights `(N,)`."""
        return replace(self, weights=as_weights(weights, len(self)))

    def grouped(self, by: Any) -> "Examples":
        """The same inputs, grouped by values `(N,)` by name or by the columns of a table."""
        return replace(self, groupings=groupings(by, len(self)))

    def clustered(self, name: str, values: Any) -> "Examples":
        """The same inputs; those that have the same of the `values` `(N,)` belong together."""
        return replace(self, clusters=in_clusters(name, values, len(self)))

    @property
    def encoded(self) -> bool:
        """Whether these are images in files, or encoded like files."""
        return isinstance(self.part, OnDemand)

    def digests(self, *, decoded: bool = False) -> list[bytes]:
        """A hash of each input: of its file, pixels, row or text.

        For images that are `decoded` it is the hash of the pixels that the model gets.
        """
        if isinstance(self.part, OnDemand) and not decoded:
            read = self.part.encoded.read(self.part.rows.tolist())
            contents = (one.read_bytes() if isinstance(one, Path) else one or b"" for one in read)
        elif self.texts is not None:
            contents = (text.encode() for text in self.texts)
        else:
            contents = (
                _content(self.read(i)) for i in torch.arange(len(self), device="cpu").split(1)
            )
        return [sha256(content).digest() for content in contents]

    def order(self) -> Tensor:
        """The positions in an order drawn by id, so that the first n are a random sample."""
        return self._order

    @cached_property
    def _order(self) -> Tensor:  # cached: it takes seconds for a million inputs
        return random_order(self.ids, seed=0).argsort()

    def first(self, N: int) -> "Examples":
        """The first `N` inputs of `order`, in ascending order of their ids."""
        return self.rows(self.order()[:N], f"{N}")

    def limited(self, limit: int | None) -> "Examples":
        """The first `limit` inputs of `order`, or all if there are no more, or without a limit."""
        if limit is None:
            return self
        if not isinstance(limit, Integral) or limit < 1:
            raise ArcalError(f"limit {limit!r}: a whole number, at least 1, is needed")
        return self.first(limit) if limit < len(self) else self

    def one_per(self, column: str, values: Any) -> "Examples":
        """One input, drawn at random, for each of the `values` `(N,)` of a column."""
        chosen = one_per(values, self.ids, weights=self.weights, name=column)
        said = drawn_of_each(column, len(chosen), len(self))
        some = self.rows(chosen, f"one per {column}")
        return replace(some, facts={**self.facts, DRAWN: said})

    def rows(self, chosen: Tensor, which: str) -> "Examples":
        """The inputs at `chosen` positions, in ascending order of their ids.

        `which` says how they were chosen, for the fingerprint.
        """
        token_ids = self.token_ids
        chosen = chosen[self.ids[chosen].argsort()]
        return replace(
            self,
            ids=self.ids[chosen],
            labels=self.labels[chosen],
            read=lambda positions: self.read(chosen[positions]),
            part=None if self.part is None else self.part.subset(self.ids[chosen]),
            texts=None if self.texts is None else [self.texts[i] for i in chosen.tolist()],
            token_ids=None if token_ids is None else lambda some: token_ids(chosen[some]),
            names=None if self.names is None else [self.names[i] for i in chosen.tolist()],
            weights=None if self.weights is None else self.weights[chosen],
            groupings=[one.rows(chosen) for one in self.groupings],
            clusters=None if self.clusters is None else self.clusters.rows(chosen),
            content=sha256(f"{self.content} {which}".encode()).hexdigest()[:16],
        )


def drawn_of_each(column: str, n: int, N: int) -> str:
    """A phrase for a draw of n out of N inputs."""
    return f"one input of each {column}: {n:,} of {N:,}"


def _content(x: InputsLike) -> bytes:
    return b"".join(
        repr(tuple(one.shape)).encode() + bytes(bytes_of(one))
        for one in Inputs.of(x).named.values()
    )


def usable_device(name: str | torch.device) -> torch.device:
    """The device of this name; one that cannot be used here raises `ArcalError`."""
    try:
        return torch.empty(0, device=name).device
    except (AssertionError, RuntimeError) as error:  # the first is torch's without CUDA
        raise ArcalError(
            f"device {str(name)!r} cannot be used here ({first_line(error)}): leave it out for "
            "the CPU"
        ) from error


def examples_or_loader(
    data: Any,
    name: str,
    bounds: Bounds,
    order: str | None,
    classes: Sequence[str] | None = None,
) -> tuple[Examples | None, Iterable[Any]]:
    """A part of `arcal.data` or a pair `(x, y)` as `Examples`; anything else is a loader."""
    check_data(data, name)
    examples = _examples(data, name, bounds, order, classes)
    return (None, as_loader(data, name)) if examples is None else (examples, ())


def in_drawn_order(loader: Any, models: int) -> list[Caveat]:
    """A caveat if a loader shuffles and gives no ids.

    With several models it raises `ArcalError`, because each would get another order.
    """
    batch = next(iter(loader), None) if draws_order(loader) else None
    if batch is None or has_ids(batch):
        return []
    remedy = "make it with shuffle=False, or from `arcal.data.WithIds(dataset)`"
    if models > 1:
        raise ArcalError(
            "data is a loader that shuffles, so each model would get the inputs in another order: "
            + remedy
        )
    said = "the loader shuffles and gives no ids: an id here is a place in its order, not in the "
    return [Caveat("Ids", f"{said}data set; {remedy}")]


def augmented(loader: Any) -> list[Caveat]:
    """A caveat if a loader's data set gives other inputs each time it is read."""
    said = (
        "the loader's data set gives different inputs at each reading, as one with augmentation "
        "does, so the figures are of augmented inputs: give it without augmentation"
    )
    return [Caveat("Augmentation", said)] if loader_augments(loader) else []


def _examples(
    data: Any, name: str, bounds: Bounds, order: str | None, classes: Sequence[str] | None
) -> Examples | None:
    """The inputs of a part or a pair; None for anything else."""
    if isinstance(data, Examples):
        return data
    if hasattr(data, "images") and hasattr(data, "fingerprint"):
        return Examples.from_part(data)
    if isinstance(data, Table):
        return Examples.from_table(data)
    if is_pair(data):
        x, y = as_inputs(data[0]), data[1]
        check_stacked(data[0], y, len(x), name)
        examples = Examples.from_tensors(x, y, name=name, classes=classes, bounds=bounds)
        if order is not None:
            with prefixing_errors(name):
                check_within(x, bounds)
        return examples
    return None


def check_within(x: InputsLike, bounds: Bounds) -> None:
    """Refuse inputs outside their bounds, before the first is attacked or ranked.

    Inputs that are only run, such as token ids, have none.
    """
    inputs = Inputs.of(x)
    if inputs.only_run:
        return
    perturbed = inputs.parts if isinstance(inputs.parts, Tensor) else inputs.x
    if perturbed.dtype in (torch.float32, torch.float64):  # check_model says more of others
        checked_bounds(perturbed, bounds)
