"""A search for the nearest crossing: where it begins, its steps, and the planes they lead to."""

from typing import Any

import torch
from torch import Tensor

from arcal.attacks.inputs import over
from arcal.attacks.norms import Bounds, Norm, clamped, project

PATIENCE, GAIN = 7, 0.003
"""A search ends after max(PATIENCE, budget / PATIENCE) passes that gain less than this share."""


class Steps:
    """The state of N searches: each one's last step from its clean input `x`, and its best so far.

    best      (N,)      length of the shortest step that crossed a boundary, infinite if none has
    nearest   (N, ...)  the point that step led to
    passes    (N,)      passes spent
    last      (N, D)    the last step, to the plane of column `towards` (N,)
    deep      (N,)      whether it went too far out, so that the next is shorter
    safe      (N, D)    the last step that did not
    beyond    (N,)      by what share of its length the next step overshoots a plane
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

        An input without a crossing goes on; one with a crossing stops when its patience or the
        budget is spent.
        """
        patience = max(PATIENCE, self.budget // PATIENCE)
        hopeful = (spent < self.budget) & (self.waited < patience)
        return ((self.passes <= spent) & (hopeful | self.best.isinf())).nonzero().squeeze(1)

    def next(self, active: Tensor, j: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
        """Columns `(B,)` and steps `(B, D)`: those given, or shorter after steps too far out."""
        back = self.deep[active]
        d = torch.where(back.unsqueeze(1), self._shorter(active), d)
        return torch.where(back, self.towards[active], j), d

    def _shorter(self, active: Tensor) -> Tensor:
        """The last steps halved, or midway to the `safe` ones where half would be shorter.

        Half may be shorter where a crossing nearer than the safe step is known.
        """
        step, safe = self.last[active], self.safe[active]
        length = self.norm.length(safe)
        behind = (length < self.best[active]) & (self.norm.length(step) / 2 <= 1.05 * length)
        return torch.where(behind.unsqueeze(1), (step + safe) / 2, step / 2)

    def arrive(
        self, active: Tensor, j: Tensor, point: Tensor, d: Tensor, ahead: Tensor, deep: Tensor
    ) -> Tensor:
        """Record the `point` `(B, ...)` where the steps `d` led; returns whether they crossed.

        `ahead` `(B,)` is its lead, negative once it has crossed, and `deep` `(B,)` whether it is
        too far beyond the boundary.
        """
        crossed, away = ahead < -self.enough[active], self.norm.length(d)
        better = crossed & (away < self.best[active])
        self.best[active] = torch.where(better, away, self.best[active])
        self.nearest[active] = torch.where(over(point, better), point, self.nearest[active])
        self.safe[active] = torch.where(deep.unsqueeze(1), self.safe[active], d)
        self.last[active], self.towards[active], self.deep[active] = d, j, deep
        self.passes[active] += 1
        return crossed

    def adapt(self, active: Tensor, crossed: Tensor) -> None:
        """Count passes without a gain; overshoot less after a point that `crossed`, else more."""
        gained = self.best[active] < (1 - GAIN) * self.notable[active]
        self.notable[active] = torch.where(gained, self.best[active], self.notable[active])
        waited = self.waited[active] + self.best[active].isfinite()
        self.waited[active] = torch.where(gained, 0, waited)
        beyond = self.beyond[active]
        factor = torch.where(crossed, 0.6, 1.5).to(beyond)  # else of torch's default dtype
        changed = (beyond * factor).clamp(1e-4, 0.2)
        self.beyond[active] = torch.where(self.deep[active], beyond, changed)


FEW = 64
"""Inputs of more entries than this have too many directions to draw from."""

GROUP = 8
"""Points drawn for each search that is started."""


def around(
    x: Tensor, distance: Tensor, bounds: Bounds, points: int, turn: int, norm: Norm
) -> Tensor:
    """Points `(N, points, ...)` around inputs `(N, ...)` within bounds, new ones at each `turn`.

    They fill a ball of radius `max(1, sqrt(D / 2))` times `distance` `(N,)`: in D dimensions a
    random direction meets a plane only at about that many times its distance. Where the distance is
    infinite, radii range from 1 % to 100 times the norm of the input, or of 1 if that is more. The
    draws are the same for every input.
    """
    D = x[0].numel()
    drawn: dict[str, Any] = {"generator": torch.Generator().manual_seed(turn), "device": "cpu"}
    u = torch.randn(points // 2 + points % 2, D, dtype=torch.float64, **drawn)
    u = torch.cat([u, -u])[:points]
    u = u / norm.length(u).unsqueeze(1)
    share = (torch.randperm(points, **drawn).double() + 0.5).unsqueeze(1) / points
    inside = max(1, (D / 2) ** 0.5) * share ** (1 / D) * u
    anywhere = 10 ** (4 * share - 2) * u
    known = distance.isfinite().view(-1, 1, 1)
    size = distance.where(distance.isfinite(), norm.length(x.flatten(1)).clamp(min=1))
    offset = size.view(-1, 1, 1) * torch.where(known, inside.to(x), anywhere.to(x))
    return clamped(x.unsqueeze(1) + offset.view(len(x), points, *x.shape[1:]), bounds)


def promising(x: Tensor, points: Tensor, lead: Tensor, starts: int, norm: Norm) -> Tensor:
    """The best point of each of `starts` groups, `(N, starts, ...)`.

    `points` are `(N, P, ...)`, and their margins `lead` `(N P,)`. The best is the nearest point of
    another class or, in a group without one, the point with the smallest margin.
    """
    N, P = points.shape[:2]
    distance = norm.length((points - x.unsqueeze(1)).flatten(2))
    lead = lead.nan_to_num(torch.inf).view(N, P)
    tiny = torch.finfo(x.dtype).tiny
    rank = torch.where(lead < 0, -1 / distance.clamp(min=tiny), lead)
    which = rank.view(N, starts, -1).argmin(dim=2)
    which += torch.arange(0, P, P // starts, device=x.device)
    return points[torch.arange(N, device=x.device).unsqueeze(1), which]


class Planes:
    """For N inputs, planes `offset + normal.d = 0` in place of the boundaries with T classes `k`.

    k, offset  (N, T)     the classes, and the planes' offsets; `normal` (N, T, D)
    margin     (N, T)     the first offsets: the margins at the clean inputs
    distance   (N, T)     length of the step to the plane within the box, infinite if there is none
    first      (N, T)     that distance as seen from the clean input
    visits     (N, T)     how often the plane was updated
    step       (N, D)     the step to the plane of column `to` (N,)
    square     (N, T, D)  the average of squared gradients, if the norm needs it
    """

    def __init__(self, x: Tensor, bounds: Bounds, norm: Norm, k: Tensor, offset: Tensor, g: Tensor):
        self.x, self.bounds, self.norm = x.flatten(1), bounds, norm
        self.k, self.offset = k, offset
        self.margin = offset.clone()
        self.normal = g.new_zeros(*k.shape, g.shape[1])
        self.square = torch.zeros_like(self.normal) if norm.spread else None
        self.visits = torch.zeros_like(k)
        self.distance = torch.full_like(offset, torch.inf)
        self.first = self.distance.clone()
        self.step, self.to = torch.zeros_like(g), torch.zeros_like(k[:, 0])
        self.add(torch.arange(len(k), device=k.device), torch.zeros_like(self.to), g)

    def add(self, active: Tensor, j: Tensor, g: Tensor) -> None:
        """Set the planes of columns `j` as seen from the clean inputs `active`, both `(B,)`."""
        self.normal[active, j] = g
        if self.square is not None:
            self.square[active, j] = g.square()
        self.aim(active, j, g, self.offset[active, j])
        self.first[active, j] = self.distance[active, j]

    def visit(
        self, active: Tensor, j: Tensor, m: Tensor, g: Tensor, d: Tensor, here: Tensor
    ) -> None:
        """Average `g` `(B, D)` into the normals, and shift the planes to the margin `m` at `d`.

        Only where `here` `(B,)` is true. The others are computed as well and dropped: selecting
        rows would wait for the device.
        """
        n, offset, visits = self.normal[active, j], self.offset[active, j], self.visits[active, j]
        b = torch.where(n.any(dim=1), 2 / (visits % 20 + 3), 1).unsqueeze(1).to(n)
        wide = here.unsqueeze(1)
        if self.square is not None:
            square = self.square[active, j]
            self.square[active, j] = torch.where(wide, square.lerp(g.square(), b), square)
        n = torch.where(wide, n.lerp(g, b), n)
        offset = torch.where(here, m - torch.linalg.vecdot(n, d), offset)
        self.normal[active, j], self.offset[active, j] = n, offset
        self.visits[active, j] = visits + here
        self.aim(active, j, n, offset)

    def aim(self, active: Tensor, j: Tensor, n: Tensor, offset: Tensor) -> None:
        """Set the steps to the planes of columns `j`, and their lengths."""
        square = None if self.square is None else self.square[active, j]
        d = project(self.x[active], offset, n, self.bounds, self.norm, square)
        there = offset + torch.linalg.vecdot(n, d) <= 0.01 * offset.abs()
        self.step[active], self.to[active] = d, j
        self.distance[active, j] = torch.where(there, self.norm.length(d), torch.inf)

    def nearest(self, active: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
        """The column `(B,)` of the nearest plane of each of `active`, and the step to it.

        The step `(B, D)` goes beyond the plane by the share `beyond` `(B,)` of its length.
        """
        new, first = self.visits[active] == 0, self.first[active]
        known, which = torch.where(new, torch.inf, self.distance[active]).min(dim=1, keepdim=True)
        farther = known / first.gather(1, which).clamp(min=torch.finfo(known.dtype).tiny)
        comparable = known.isfinite() & first.gather(1, which).isfinite()
        farther = torch.where(comparable, farther.clamp(0.1, 10), 1.0)
        j = torch.where(new, 0.85 * farther * first, self.distance[active]).argmin(dim=1)
        turn = (j != self.to[active]).nonzero().squeeze(1)
        if len(turn):
            a, c = active[turn], j[turn]
            self.aim(a, c, self.normal[a, c], self.offset[a, c])
        return j, (1 + beyond).unsqueeze(1) * self.step[active]

    def column(self, k: Tensor) -> Tensor:
        """The column `(N,)` of each class `k` `(N,)`; one without a column takes over the last."""
        here = self.k == k.unsqueeze(1)
        new = ~here.any(dim=1)
        self.k[new, -1], self.normal[new, -1] = k[new], 0
        self.first[new, -1] = torch.inf
        return torch.where(new, here.shape[1] - 1, here.long().argmax(dim=1))
