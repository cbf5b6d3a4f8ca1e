"""Inputs of one tensor or several: one is perturbed, and the others follow it row by row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import no_finer_than, plain
from arcal.errors import ArcalError, a_type

Model = Callable[[Any], Tensor]
"""Any callable from inputs, a tensor `(N, ...)` or several as in `Inputs`, to logits `(N, Z)`."""

Parts = Tensor | Mapping[str, Tensor] | tuple[Tensor, ...] | list[Tensor]


@dataclass(frozen=True)
class Inputs:
    """N inputs made of tensors `(N, ...)`, such as embeddings and their attention mask.

    `parts` is what the model is called with: a tensor, a dict or a tuple. `perturbed` is the key or
    the position of the tensor that attacks change, by default the only floating-point one. Anything
    that is the same for every input belongs in the model.

    A part that is not a tensor or has another number of rows raises `ArcalError`.

    >>> import torch
    >>> x = Inputs({"embeddings": torch.rand(3, 5, 8), "mask": torch.ones(3, 5).long()})
    >>> x.perturbed, len(x), x.rows(torch.tensor([2, 0])).x.shape
    ('embeddings', 3, torch.Size([2, 5, 8]))
    """

    parts: Parts
    perturbed: str | int | None = None

    def __post_init__(self) -> None:
        parts = self.named
        if not parts:
            raise ArcalError("the inputs hold no tensor: give a dict or tuple of tensors (N, ...)")
        for name, part in parts.items():
            if isinstance(part, str):
                raise ArcalError(
                    "the inputs are texts, which no model reads here: make tensors of them by your "
                    "tokenizer, or give predictions alone, by `as_predictions`"
                )
            if not isinstance(part, Tensor):
                raise ArcalError(
                    f"input {name!r} is {a_type(part)}: give tensors (N, ...), and leave out what "
                    "the model does not take; what it takes and is the same for all of them "
                    "belongs in it"
                )
        rows = {name: len(t) if t.ndim else 0 for name, t in parts.items()}
        first = next(iter(rows))
        for name in rows:
            if rows[name] != rows[first]:
                raise ArcalError(
                    f"input {first!r} has {rows[first]} rows and {name!r} has {rows[name]}: "
                    "give one row of each for every input"
                )
        floats = [name for name, part in parts.items() if part.is_floating_point()]
        if self.perturbed is None and len(floats) == 1:
            object.__setattr__(self, "perturbed", floats[0])
        if self.perturbed is not None and self.perturbed not in floats:
            raise ArcalError(
                f"perturbed is {self.perturbed!r}: choose from the inputs of floats, {floats}"
            )

    @classmethod
    def of(cls, x: "InputsLike") -> "Inputs":
        """Inputs from whatever a model takes; `Inputs` are returned as they are."""
        return x if isinstance(x, Inputs) else cls(x)

    @property
    def named(self) -> dict[Any, Tensor]:
        """The parts by key, or by position; a tensor alone is `x`."""
        if isinstance(self.parts, Tensor):
            return {"x": self.parts}
        return dict(self.parts if isinstance(self.parts, Mapping) else enumerate(self.parts))

    @property
    def x(self) -> Tensor:
        """The tensor that is perturbed, `(N, ...)`."""
        if self.perturbed is None:
            kinds = ", ".join(f"{name!r} {part.dtype}" for name, part in self.named.items())
            if not any(part.is_floating_point() for part in self.named.values()):
                raise ArcalError(
                    f"nothing can be perturbed among {kinds}: choose the order margin, confidence, "
                    "random or, in an audit, none, or give inputs of floats, such as a text's "
                    "embeddings in place of its token ids"
                )
            raise ArcalError(
                f"which input is to be perturbed, of {kinds}? Name one of floats by giving "
                "arcal.attacks.Inputs(parts, perturbed=...) in place of the parts, or choose the "
                "order margin, confidence, random or, in an audit, none"
            )
        return self.named[self.perturbed]

    @property
    def only_run(self) -> bool:
        """Whether they can be run, and no part is to be perturbed.

        So it is with whole numbers, such as token ids and their mask, but not pixels; and with
        several tensors of floats, of which none is named.
        """
        kinds = (torch.int64, torch.int32, torch.int16, torch.bool)
        parts = self.named.values()
        floats = any(part.is_floating_point() for part in parts)
        return self.perturbed is None and (floats or all(part.dtype in kinds for part in parts))

    @property
    def device(self) -> torch.device:
        """The device of the first part; all should be on it."""
        return next(iter(self.named.values())).device

    def __len__(self) -> int:
        return len(next(iter(self.named.values())))

    def rows(self, index: Tensor | slice) -> "Inputs":
        """The inputs of these rows."""
        return self._of({name: part[index] for name, part in self.named.items()})

    def to(self, device: torch.device) -> "Inputs":
        """The same inputs on a device."""
        return self._of({name: part.to(device) for name, part in self.named.items()})

    def plain(self) -> "Inputs":
        """The same inputs as tensors of torch's own class."""
        if all(type(part) is Tensor for part in self.named.values()):
            return self
        return self._of({name: plain(part) for name, part in self.named.items()})

    def no_finer_than(self, model: Model) -> "Inputs":
        """The same inputs, float64 ones as float32 unless the model's weights are float64.

        >>> x = torch.zeros(2, 3, dtype=torch.float64)
        >>> Inputs(x).no_finer_than(torch.nn.Linear(3, 2)).x.dtype
        torch.float32
        """
        return self._of({name: no_finer_than(model, one) for name, one in self.named.items()})

    def replaced(self, x: Tensor) -> Parts:
        """The parts with `x` `(N, ...)` in the place of the perturbed tensor."""
        return self._of(self.named | {self.perturbed: x}).parts

    def _of(self, parts: dict[Any, Tensor]) -> "Inputs":
        if isinstance(self.parts, Tensor):
            return Inputs(parts["x"], self.perturbed)
        whole = parts if isinstance(self.parts, Mapping) else tuple(parts.values())
        return Inputs(whole, self.perturbed)


InputsLike = Inputs | Parts
"""What a model is called with: a tensor `(N, ...)`, or several as `Inputs` has them."""


@dataclass(frozen=True)
class RowwiseModel:
    """A model as a function of the perturbed tensor alone: each row keeps its own other tensors."""

    model: Model
    inputs: Inputs

    def __call__(self, x: Tensor) -> Tensor:
        if len(x) != len(self.inputs):
            raise ArcalError(
                f"the model holds the other tensors of {len(self.inputs)} inputs and is called "
                f"with {len(x)}: an attack on some rows calls `rows(model, index)(x[index])`"
            )
        return self.model(self.inputs.replaced(x))

    def rows(self, index: Tensor | slice) -> "RowwiseModel":
        """The model of these rows."""
        return RowwiseModel(self.model, self.inputs.rows(index))


def bound(model: Model, x: InputsLike) -> tuple[Model, Tensor]:
    """The model as a function of the perturbed tensor alone, and that tensor, detached.

    For inputs of several tensors that is a `RowwiseModel`, for a plain tensor the model itself.

    >>> import torch
    >>> parts = {"x": torch.ones(2, 3), "factor": torch.tensor([[1], [2]])}
    >>> model, x = bound(lambda parts: parts["x"] * parts["factor"], parts)
    >>> model(x + 1)
    tensor([[2., 2., 2.],
            [4., 4., 4.]])
    """
    with torch.inference_mode(False):  # a copy made outside it can have a gradient
        inputs = Inputs.of(x)
        if any(part.is_inference() for part in inputs.named.values()):
            inputs = inputs.rows(torch.arange(len(inputs), device="cpu"))
    if isinstance(inputs.parts, Tensor):
        return model, inputs.parts.detach()
    return RowwiseModel(model, inputs), inputs.x.detach()


@dataclass(frozen=True)
class PositionModel:
    """A model as a function of positions `(N, 1)` among inputs that need not be perturbed.

    >>> import torch
    >>> inputs = Inputs({"ids": torch.tensor([[3, 4], [5, 6]])})
    >>> model = PositionModel(lambda parts: parts["ids"].float(), inputs)
    >>> model(model.positions), model(model.positions[1:])
    (tensor([[3., 4.],
            [5., 6.]]), tensor([[5., 6.]]))
    """

    model: Model
    inputs: Inputs

    @property
    def positions(self) -> Tensor:
        """The positions of all inputs, of the dtype of the logits: float64 only if a part is."""
        parts = self.inputs.named.values()
        dtype = torch.float64 if any(p.dtype == torch.float64 for p in parts) else torch.float32
        every = torch.arange(len(self.inputs), dtype=dtype, device=self.inputs.device)
        return every.unsqueeze(1)

    def __call__(self, x: Tensor) -> Tensor:
        return self.model(self.inputs.rows(x[:, 0].long()).parts)


def over(x: Tensor, row: Tensor) -> Tensor:
    """A tensor `(N,)` with as many dimensions as `x` `(N, ...)`, to broadcast over it.

    >>> import torch
    >>> over(torch.zeros(2, 3, 4), torch.ones(2)).shape
    torch.Size([2, 1, 1])
    """
    return row.reshape(-1, *[1] * (x.ndim - 1))


def rows(model: Model, index: Tensor | slice) -> Model:
    """The model for `x[index]`: itself, unless its rows have other tensors that must follow.

    >>> import torch
    >>> parts = {"x": torch.ones(2, 3), "factor": torch.tensor([[1], [2]])}
    >>> model, x = bound(lambda parts: parts["x"] * parts["factor"], parts)
    >>> index = torch.tensor([1])
    >>> rows(model, index)(x[index])
    tensor([[2., 2., 2.]])
    """
    return model.rows(index) if isinstance(model, RowwiseModel) else model
