"""Fewer of the inputs that `arcal.audit` and `arcal.calibrate` are given: one of each, or a few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from arcal.auditing import Grouping, Predictions, one_per
from arcal.audits._examples import DRAWN, Examples, drawn_of_each
from arcal.errors import ArcalError


@dataclass(frozen=True, eq=False)
class Draw:
    """One input for each of the `values` `(N,)` of a column, if given, and `limit` of these."""

    limit: int | None = None
    values: Any = None
    column: str = "cluster"

    @classmethod
    def given(cls, limit: int | None, one_per: Any) -> "Draw":
        """From the arguments of `arcal.audit`: the values may have a name, as in a mapping."""
        if not isinstance(one_per, Mapping):
            return cls(limit, one_per)
        if len(one_per) != 1:
            raise ArcalError(
                f"one_per has {len(one_per)} entries: give the values of one column, such as "
                '{"patient": patients}'
            )
        ((column, values),) = one_per.items()
        return cls(limit, values, str(column))

    @property
    def one_per(self) -> str | None:
        """The column that is thinned to one input per value, or None."""
        return None if self.values is None else self.column

    @property
    def said(self) -> dict[str, str]:
        """What to know of every figure, by title; empty if nothing was drawn by a column."""
        return {} if self.values is None else {DRAWN: drawn_at_random(self.column)}

    def not_drawn(self, others: Sequence[str]) -> list[str]:
        """A sentence for each of the other data, by name, none of which is drawn by the column."""
        if self.values is None:
            return []
        return [
            f"{name}: all its inputs count, since one of each {self.column} is drawn of the "
            "labelled data alone, and intervals are too narrow if some are much alike"
            for name in others
        ]

    def examples(self, examples: Examples) -> Examples:
        """Those that are drawn of these inputs."""
        if self.values is not None:
            examples = examples.one_per(self.column, self.values)
        return examples.limited(self.limit)

    def predictions(
        self,
        whole: Predictions,
        weights: Tensor | None,
        groupings: Sequence[Grouping] = (),
        clusters: Grouping | None = None,
    ) -> tuple[Predictions, Tensor | None, Sequence[Grouping], Grouping | None, dict[str, str]]:
        """Those that are drawn of predictions, with all that belongs to them, and a fact on it."""
        if self.limit is not None:
            raise ArcalError(
                "limit is for a model of torch, and these are probabilities alone: leave it out"
            )
        if self.values is None:
            return whole, weights, groupings, clusters, {}
        rows = one_per(self.values, whole.ids, weights=weights, name=self.column)
        return (
            whole.rows(rows),
            None if weights is None else weights[rows],
            [one.rows(rows) for one in groupings],
            None if clusters is None else clusters.rows(rows),
            {DRAWN: drawn_of_each(self.column, len(rows), len(whole.ids))},
        )

    def refuse_loader(self) -> None:
        """Refuse to draw inputs of a loader, which are read only in its own order."""
        if self.limit is not None or self.values is not None:
            name = "limit" if self.values is None else "one_per"
            raise ArcalError(
                f"{name} draws inputs by their position, and data is a loader: give a part or a "
                "pair (x, y), or a loader of torch.utils.data.Subset(dataset, positions)"
            )


ALL = Draw()
"""All inputs, as they are."""


def drawn_at_random(column: str) -> str:
    """A sentence on figures for one input of each value in a column."""
    return f"one input is drawn at random of each {column}"
