"""Planes that stand for the boundaries between classes, and the nearest points on them."""

import torch
from torch import Tensor

from arcal.attacks.bounds import Bounds
from arcal.attacks.norms import Norm, project


class Planes:
    """For N inputs, the planes that stand for the boundaries with T classes `k` `(N, T)`.

    A plane is where `offset + normal.d = 0`, d from the clean input; `normal` `(N, T, D)`, `offset`
    `(N, T)`. Its `distance` is the length of the step to it within the box, infinite where there is
    none or the plane is unknown. `step` `(N, D)` is the one to the plane of column `to` `(N,)`;
    `margin` `(N, T)` is the offset at first, which is the margin at the clean input. `square`
    averages the squares of what `normal` averages, for a norm that asks for it.
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
        """The planes of columns `j` as seen from the clean inputs `active`, both `(B,)`."""
        self.normal[active, j] = g
        if self.square is not None:
            self.square[active, j] = g.square()
        self.aim(active, j, g, self.offset[active, j])
        self.first[active, j] = self.distance[active, j]

    def visit(
        self, active: Tensor, j: Tensor, m: Tensor, g: Tensor, d: Tensor, here: Tensor
    ) -> None:
        """Turn the planes towards `g` `(B, D)` and put them where the margin at `d` is `m`.

        Only those where `here` `(B,)` is true; the others are computed and left, since to pick rows
        is to wait for a device.
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
        """Find the steps to the planes of columns `j`, and their lengths."""
        square = None if self.square is None else self.square[active, j]
        d = project(self.x[active], offset, n, self.bounds, self.norm, square)
        there = offset + torch.linalg.vecdot(n, d) <= 0.01 * offset.abs()
        self.step[active], self.to[active] = d, j
        self.distance[active, j] = torch.where(there, self.norm.length(d), torch.inf)

    def nearest(self, active: Tensor) -> tuple[Tensor, Tensor]:
        """The column `(B,)` of the nearest plane of each of `active`, and the step to it."""
        new, first = self.visits[active] == 0, self.first[active]
        known, which = torch.where(new, torch.inf, self.distance[active]).min(dim=1, keepdim=True)
        farther = known / first.gather(1, which).clamp(min=torch.finfo(known.dtype).tiny)
        comparable = known.isfinite() & first.gather(1, which).isfinite()
        farther = torch.where(comparable, farther.clamp(0.1, 10), 1.0)
        j = torch.where(new, 0.85 * farther * first, self.distance[active]).argmin(dim=1)
        turn = (j != self.to[active]).nonzero().squeeze(1)
        a, c = active[turn], j[turn]
        self.aim(a, c, self.normal[a, c], self.offset[a, c])
        return j, self.step[active]

    def column(self, k: Tensor) -> Tensor:
        """The column of class `k` `(N,)`, which takes the last one where it has none."""
        here = self.k == k.unsqueeze(1)
        new = ~here.any(dim=1)
        self.k[new, -1], self.normal[new, -1] = k[new], 0
        self.first[new, -1] = torch.inf
        return torch.where(new, here.shape[1] - 1, here.long().argmax(dim=1))
