"""Where a search for each input's nearest crossing begins, its last step, and what it has met."""

import torch
from torch import Tensor

from arcal.attacks.bounds import Bounds, clamped
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


FEW = 64
"""Entries of an input up to which there are few enough directions for drawn ones to help."""

GROUP = 8
"""Of so many points drawn, one starts a search."""


def around(
    x: Tensor, distance: Tensor, bounds: Bounds, points: int, turn: int, norm: Norm
) -> Tensor:
    """Points `(N, points, ...)` around inputs `(N, ...)`, others at each `turn`, within bounds.

    They fill the ball in which something nearer than `distance` `(N,)` is to be looked for: in D
    dimensions its radius is `sqrt(D / 2)` distances, or one if that is more, since a direction that
    is drawn leads to a given plane only at so many times its distance. Where the distance is
    infinite, radii rise from 1 % to 100 times the norm of the input, or 1 if that is more. The
    draws are the same for every input.
    """
    D = x[0].numel()
    generator = torch.Generator().manual_seed(turn)
    u = torch.randn(points // 2 + points % 2, D, generator=generator, dtype=torch.float64)
    u = torch.cat([u, -u])[:points]
    u = u / norm.length(u).unsqueeze(1)
    share = (torch.randperm(points, generator=generator).double() + 0.5).unsqueeze(1) / points
    inside = max(1, (D / 2) ** 0.5) * share ** (1 / D) * u
    anywhere = 10 ** (4 * share - 2) * u
    known = distance.isfinite().view(-1, 1, 1)
    size = distance.where(distance.isfinite(), norm.length(x.flatten(1)).clamp(min=1))
    offset = size.view(-1, 1, 1) * torch.where(known, inside.to(x), anywhere.to(x))
    return clamped(x.unsqueeze(1) + offset.view(len(x), points, *x.shape[1:]), bounds)


def promising(x: Tensor, points: Tensor, lead: Tensor, starts: int, norm: Norm) -> Tensor:
    """The best `starts` `(N, starts, ...)` of points `(N, P, ...)` with margins `lead` `(N P,)`.

    Of each group it is the nearest point of another class, or else the one of the smallest margin.
    """
    N, P = points.shape[:2]
    distance = norm.length((points - x.unsqueeze(1)).flatten(2))
    lead = lead.nan_to_num(torch.inf).view(N, P)
    tiny = torch.finfo(x.dtype).tiny
    rank = torch.where(lead < 0, -1 / distance.clamp(min=tiny), lead)
    which = rank.view(N, starts, -1).argmin(dim=2)
    which += torch.arange(0, P, P // starts, device=x.device)
    return points[torch.arange(N, device=x.device).unsqueeze(1), which]
