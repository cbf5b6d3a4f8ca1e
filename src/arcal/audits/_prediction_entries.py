"""What a file of predictions says, before it is checked, and what its columns are called."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ColumnNames:
    """What the user says that columns are called; what is None goes by its usual names.

    `by` are the columns to group the inputs by. With a `confidence` no outputs are read.
    """

    label: str | None = None
    id: str | None = None
    weight: str | None = None
    confidence: str | None = None
    by: Sequence[str] = ()

    @property
    def chosen(self) -> list[str]:
        """Those that the user names, but for `by`."""
        every = (self.label, self.id, self.weight, self.confidence)
        return [name for name in every if name is not None]


@dataclass(eq=False)
class Entries:
    """What a file says of N inputs; what it does not say is None, or empty.

    `outputs` are the `logits` or `probabilities`, `classes` the names of their columns, and
    `answers` the confidence in each answer and whether it was right. `weighed_by` says where the
    weights are from, `labelled` how many inputs have a label, where these are in another file, and
    `sums` where columns that may be probabilities do not sum to 1. `unused` are the names of what
    is not read.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    labels: Any = None
    ids: Any = None
    weights: Any = None
    classes: Any = None
    answers: tuple[Any, Any] | None = None
    by: dict[str, Any] = field(default_factory=dict)
    weighed_by: str | None = None
    labelled: str | None = None
    sums: str | None = None
    unused: tuple[str, ...] = ()
