"""Which inputs a page lists: all of them, or a sample of more than it could hold."""

from collections.abc import Sequence

import torch
from torch import Tensor

from arcal.auditing import Audited
from arcal.robustness import random_order

LISTED = 50_000
"""Inputs that a page lists at most: each takes some 130 bytes a model, and its picture."""
WORST = 100
"""Of the most suspect, and of the most fragile, that are listed in any case."""


def listed_inputs(models: Sequence[Audited]) -> Tensor:
    """The positions int64 `(n,)` of the inputs to list, ascending: all, or `LISTED` of them.

    They are the worst of each model, and others drawn at random by their ids.
    """
    ids = models[0].predictions.ids
    if len(ids) <= LISTED:
        return torch.arange(len(ids))
    worst = [rows[:WORST] for one in models for rows in (one.suspects, one.fragile)]
    chosen = torch.zeros(len(ids), dtype=torch.bool)
    chosen[torch.cat(worst)] = True
    others = random_order(ids, seed=0).argsort()
    others = others[~chosen[others]]
    chosen[others[: LISTED - int(chosen.sum())]] = True
    return chosen.nonzero()[:, 0]


def in_words(n: int, N: int) -> str | None:
    """Which inputs are listed if not all N are."""
    if n == N:
        return None
    return (
        f"They are the {WORST} labels that each model contradicts the most, the {WORST} inputs "
        "that it is right on and least robust, and others drawn at random."
    )
