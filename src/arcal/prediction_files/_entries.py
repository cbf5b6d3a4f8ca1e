"""The contents of a file of predictions before they are checked, and the names of its columns."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from arcal.errors import ArcalError


@dataclass(frozen=True)
class ColumnNames:
    """The names that the user gives for columns; None stands for the usual names.

    `by` are further columns to read, such as those to group the inputs by. With a `confidence` no
    outputs are read, and with `probabilities` no other outputs: a single one is for class 1, or the
    second of two classes, several are one per class, in this order. `classes` then name the classes
    if the columns' names do not, or those of lists of outputs. `labels_from` is a table of labels
    that came later, matched by ids; inputs without one are left out.

    >>> ColumnNames(label="truth", by=["age"]).chosen
    ['truth']
    """

    label: str | None = None
    id: str | None = None
    weight: str | None = None
    confidence: str | None = None
    by: Sequence[str] = ()
    probabilities: Sequence[str] = ()
    classes: Sequence[str] = ()
    labels_from: Path | None = None

    def check(self) -> None:
        """Refuse `probabilities` that are named twice, or for something else as well."""
        if self.probabilities and self.confidence is not None:
            raise ArcalError(
                f"--confidence {self.confidence} and --probabilities {self.probabilities[0]}: a "
                "file is read for one of them: leave the other out"
            )
        for name in self.probabilities:
            if self.probabilities.count(name) > 1:
                raise ArcalError(f"--probabilities names {name} twice: name each class's column")
            others = {"label": self.label, "id": self.id, "weight": self.weight}
            if other := next((flag for flag, one in others.items() if one == name), None):
                raise ArcalError(
                    f"--{other} and --probabilities both name {name}: a column is one of them"
                )

    @property
    def chosen(self) -> list[str]:
        """The columns that the user names, except `by`."""
        every = (self.label, self.id, self.weight, self.confidence, *self.probabilities)
        return [name for name in every if name is not None]

    def beside(self, there: Sequence[str]) -> list[str]:
        """The columns that may not be outputs: all but the `probabilities`."""
        return [name for name in there if name not in self.probabilities]


USUAL = ColumnNames()
"""The usual names of columns."""


@dataclass(eq=False)
class Entries:
    """What a file has on N inputs; anything missing is None, or empty.

    `outputs` are the `logits` or `probabilities`, `classes` the names of their columns, and
    `answers` the confidence in each answer and whether it was right. `weighed_by` says where the
    weights come from, `labelled` how many inputs have a label if these are in another file, `sums`
    where columns that may be probabilities do not sum to 1, and `doubt` why the confidences may be
    probabilities of class 1. `unused` are the names of columns that are not read.
    """

    outputs: dict[str, Any] = field(default_factory=dict)
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    weights: np.ndarray | None = None
    classes: np.ndarray | None = None
    answers: tuple[np.ndarray, np.ndarray] | None = None
    by: dict[str, Any] = field(default_factory=dict)
    weighed_by: str | None = None
    labelled: str | None = None
    sums: str | None = None
    doubt: str | None = None
    unused: tuple[str, ...] = ()
