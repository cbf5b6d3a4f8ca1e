"""Where the search for each input's nearest crossing stands: its last step, and what it has met."""

import torch
from torch import Tensor

from arcal.attacks.norms import Norm

PATIENCE, GAIN = 7, 0.003
"""A search ends once so many passes, or that part of the budget, brought it no nearer by GAIN."""


class Steps:
    """For N inputs, the last step of a search from the clean input `x`, and the best so far.

    `best` `(N,)` is the length of the shortest step that crossed a boundary, infinite where none
    has, and `nearest` `(N, ...)` the point it led to; `passes` `(N,)` is what all of them cost. The
    last step `last` `(N, D)` went to the plane of column `towards` `(N,)`. Where that was too far
    out, `deep` `(N,)`, the next is a shorter one, and `safe` `(N, D)` is the last that was not. The
    next step to a plane ends `beyond` `(N,)` of its length behind it.
    """

    def __init__(self, x: Tensor, enough: Tensor, passes: Tensor, budget: int, norm: Norm):
        self.x, self.enough, self.passes, self.budget, self.norm = x, enough, passes, budget, norm
        self.best = torch.full_like(enough, torch.inf)
        self.nearest = torch.full_like(x, torch.nan)
        self.last, self.safe = torch.zeros_like(x).flatten(1), torch.zeros_like(x).flatten(1)
        self.towards = torch.zeros_like(passes)
        self.deep = torch.zeros_like(enough, dtype=torch.bool)
        self.beyond = torch.full_like(enough, 0.1)
        self.notable, self.waited = self.best.clone(), torch.zeros_like(passes)

    def going(self, spent: int) -> Tensor:
        """The inputs `(B,)` that take a step once `spent` passes are spent on each.

        Those with a crossing until it has not come nearer for a while or the budget is spent, the
        others until they have one.
        """
        patience = max(PATIENCE, self.budget // PATIENCE)
        hopeful = (spent < self.budget) & (self.waited < patience)
        return ((self.passes <= spent) & (hopeful | self.best.isinf())).nonzero().squeeze(1)

    def next(self, active: Tensor, j: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """Columns `(B,)` and steps `(B, D)`: beyond the planes that `d` leads to, or back."""
        back = self.deep[active]
        there = (1 + self.beyond[active]).unsqueeze(1) * d
        d = torch.where(back.unsqueeze(1), self._shorter(active), there)
        return torch.where(back, self.towards[active], j), d

    def _shorter(self, active: Tensor) -> Tensor:
        """The last steps halved, or ended midway to the last ones that were not too long.

        They are not to fall back behind those, unless a crossing nearer than they are is known.
        """
        step, safe = self.last[active], self.safe[active]
        length = self.norm.length(safe)
        behind = (length < self.best[active]) & (self.norm.length(step) / 2 <= 1.05 * length)
        return torch.where(behind.unsqueeze(1), (step + safe) / 2, step / 2)

    def arrive(
        self, active: Tensor, j: Tensor, point: Tensor, d: Tensor, ahead: Tensor, deep: Tensor
    ) -> Tensor:
        """Take note of the `point` `(B, ...)` that the steps `d` led to; whether it crossed `(B,)`.

        `ahead` `(B,)` is how far it is from a crossing, by the logits, and `deep` `(B,)` whether
        that is too far beyond one.
        """
        crossed, away = ahead < -self.enough[active], self.norm.length(d)
        better = crossed & (away < self.best[active])
        self.best[active] = torch.where(better, away, self.best[active])
        wide = better.view(-1, *[1] * (point.ndim - 1))
        self.nearest[active] = torch.where(wide, point, self.nearest[active])
        self.safe[active] = torch.where(deep.unsqueeze(1), self.safe[active], d)
        self.last[active], self.towards[active], self.deep[active] = d, j, deep
        self.passes[active] += 1
        return crossed

    def adapt(self, active: Tensor, crossed: Tensor) -> None:
        """Wait for a nearer crossing, and go less far beyond planes where that one `crossed`."""
        gained = self.best[active] < (1 - GAIN) * self.notable[active]
        self.notable[active] = torch.where(gained, self.best[active], self.notable[active])
        waited = self.waited[active] + self.best[active].isfinite()
        self.waited[active] = torch.where(gained, 0, waited)
        beyond = self.beyond[active]
        factor = torch.where(crossed, 0.6, 1.5).to(beyond)  # by itself of torch's default dtype
        changed = (beyond * factor).clamp(1e-4, 0.2)
        self.beyond[active] = torch.where(self.deep[active], beyond, changed)
