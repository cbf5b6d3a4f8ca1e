"""The region of a target that several planes bound, and the shortest step into it."""

import torch
from torch import Tensor

from arcal.attacks._steps import Planes
from arcal.attacks.adversarial import Aim
from arcal.attacks.norms import Bounds, Norm

CYCLES = 100
"""How often all planes get their turn, at most."""

TRIED, SHRUNK = 10, 0.9
"""After so many cycles moves are this share of what they were, or the planes leave no room."""

NEAR = 1e-3
"""The share of an offset by which a step may miss a plane."""

SHARES = 1, 1 / 8, 0
"""Of the way beyond the planes: less where the region is too small for all of it."""


class Region(Planes):
    """Planes of the classes that were ahead of the target, and the step behind all of them.

    on      (N, T)  the planes that bound the region as far as it is known
    turn    (N, T)  when each was last visited; the one longest ago makes room for another class
    length  (N,)    of the last step
    u       (N, T)  the planes' multipliers there, from which the next are sought
    """

    def __init__(self, x: Tensor, bounds: Bounds, norm: Norm, k: Tensor, offset: Tensor, g: Tensor):
        super().__init__(x, bounds, norm, k, offset, g)
        self.margin = offset[:, :1].expand_as(offset)
        self.on = torch.zeros_like(k, dtype=torch.bool)
        self.on[:, 0] = True
        self.turn, self.turns = torch.zeros_like(k), 0
        self.length, self.u = norm.length(self.step), torch.zeros_like(offset)

    def nearest(self, active: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
        """The steps `(B, D)` a little beyond all planes, by that share `(B,)` of the last length.

        The column `(B,)` is of no importance: what is met there says whose plane is visited.
        """
        offset, normal, on = self.offset[active], self.normal[active], self.on[active]
        inset = (beyond * self.length[active]).unsqueeze(1) * self.norm.dual(normal)
        d, left = torch.zeros_like(normal[:, 0]), torch.arange(len(active), device=normal.device)
        for share in SHARES:
            some, rows = (offset[left] + share * inset[left], normal[left], on[left]), active[left]
            d[left], there, self.u[rows] = shortest_into(*some, *self._sides(rows), self.u[rows])
            left = left[~there]
            if len(left) == 0:
                break
        self.length[active] = self.norm.length(d)
        return torch.zeros_like(active), d

    def aimed_at(self, active: Tensor, j: Tensor) -> None:
        """The lead over the target counts, whichever class has it."""

    def met(self, active: Tensor, j: Tensor, aim: Aim, z: Tensor) -> Tensor:
        """The columns `(B,)` of the classes ahead of the target, or next to it, in `z` `(B, Z)`."""
        k = aim.rivals(z, 1).squeeze(1)
        here = self.k[active] == k.unsqueeze(1)
        new = ~here.any(dim=1)
        j = torch.where(new, self.turn[active].argmin(dim=1), here.long().argmax(dim=1))
        a, c = active[new], j[new]
        self.k[a, c], self.normal[a, c], self.visits[a, c], self.u[a, c] = k[new], 0, 0, 0
        self.turns += 1
        self.on[active, j], self.turn[active, j] = True, self.turns
        return j

    def _sides(self, active: Tensor) -> tuple[Tensor, Tensor]:
        """How far each entry may fall and rise, `(B, D)`."""
        x = self.x[active]
        if self.bounds is None:
            return torch.full_like(x, -torch.inf), torch.full_like(x, torch.inf)
        return self.bounds[0] - x, self.bounds[1] - x


def shortest_into(
    offset: Tensor, normal: Tensor, on: Tensor, low: Tensor, high: Tensor, u: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The shortest `d` `(B, D)` in L2 with `offset_k + normal_k.d <= 0` for all k that are `on`.

    Also whether it is, bool `(B,)`, and not only near to that, and the multipliers. Offsets, `on`
    and multipliers `u` to begin with are `(B, T)`, normals `(B, T, D)`; `low <= d <= high`, both
    `(B, D)`. Hildreth's method (1957), with a box: `d = clip(-sum_k u_k normal_k)`, and each
    `u_k >= 0` in turn is made as large as its own plane needs.

    >>> normal, none = torch.tensor([[[-1.0, 0.0], [1.0, -1.0]]]), torch.full((1, 2), torch.inf)
    >>> planes = torch.tensor([[1.0, 0.0]]), normal, torch.tensor([[True, True]])
    >>> d, there, u = shortest_into(*planes, -none, none, torch.zeros(1, 2))
    >>> d, u  # at least (1, 1)
    (tensor([[1., 1.]]), tensor([[2., 1.]]))
    """
    start, u, behind = u, u.clone(), torch.einsum("bt,btd->bd", u, normal)
    tiny = torch.finfo(offset.dtype).tiny
    columns = on.any(dim=0).nonzero().squeeze(1).tolist()
    bent = {k: _bends(normal[:, k], low, high) for k in columns}
    scale = offset.abs().clamp(min=tiny)
    going = torch.ones_like(on[:, 0])  # each by itself, whatever the others of its batch do
    before = torch.full_like(offset[:, 0], torch.inf)
    farthest = low.square().maximum(high.square()).sum(dim=1) / 2
    for cycle in range(CYCLES):
        missed = torch.zeros_like(before)
        for k in columns:
            n, was = normal[:, k], u[:, k].clone()
            others = behind - was.unsqueeze(1) * n
            new, lacking = _behind_one(offset[:, k], n, others, low, high, was, *bent[k])
            new = torch.where(going & on[:, k], new, was)
            u[:, k], behind = new, others + new.unsqueeze(1) * n
            lacking = torch.where(new != was, lacking.abs(), 0)
            missed = missed.maximum(lacking / scale[:, k])
        d = (-behind).clamp(low, high)
        dual = (u * offset).sum(dim=1) + torch.linalg.vecdot(d / 2 + behind, d)
        going = going & (missed >= NEAR) & (dual <= farthest)  # at most |d|^2 / 2, if there is any
        if cycle % TRIED == TRIED - 1:
            going, before = going & (missed <= SHRUNK * before), missed
        if not going.any():
            break
    d = (-behind).clamp(low, high)
    lacking = offset + torch.linalg.vecdot(normal, d.unsqueeze(1))
    there = (~on | (lacking <= NEAR * offset.abs())).all(dim=1)
    return d, there, torch.where(there.unsqueeze(1), u, start)  # without room they only grow


def _bends(n: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What `_behind_one` needs of the normals, whatever the other planes do.

    First the sides of the box that each entry leaves, and those that it arrives at, `(B, 2 D)`; by
    how much the slope rises or falls there; and up to which slope, `(B,)`, no step helps.
    """
    up, square = n > 0, n.square()
    ends = torch.cat([torch.where(up, high, low), torch.where(up, low, high)], dim=1)
    return ends, torch.cat([square, -square], dim=1), 1e-6 * square.sum(dim=1)


def _behind_one(
    offset: Tensor,
    n: Tensor,
    others: Tensor,
    low: Tensor,
    high: Tensor,
    u: Tensor,
    ends: Tensor,
    squares: Tensor,
    hopeless: Tensor,
) -> tuple[Tensor, Tensor]:
    """The least `t >= 0` with `offset + n.clip(-others - t n) <= 0`, and what is lacking at `u`.

    All are `(B,)` or `(B, D)`, and `_bends`. The sum falls with t and is linear between the values
    at which an entry leaves one side of the box or arrives at the other. Where it stays above 0, t
    is as large as helps.
    """
    here = -others
    bends = (here.repeat(1, 2) - ends) / n.repeat(1, 2)
    t, order = bends.nan_to_num(0, torch.inf, 0).clamp(min=0).sort(dim=1)
    slope = squares.gather(1, order).cumsum(dim=1)
    falls = (slope[:, :-1] * t.diff(dim=1)).cumsum(dim=1)
    above = offset + torch.linalg.vecdot(n, here.clamp(low, high))
    rest = above.unsqueeze(1) - torch.cat([torch.zeros_like(falls[:, :1]), falls], dim=1)
    last = ((rest > 0).sum(dim=1, keepdim=True) - 1).clamp(min=0)  # the last value above 0
    t, rest, slope = (each.gather(1, last).squeeze(1) for each in (t, rest, slope))
    t = torch.where(above > 0, t + torch.where(slope > hopeless, rest / slope, 0), 0)
    return t, offset + torch.linalg.vecdot(n, (here - u.unsqueeze(1) * n).clamp(low, high))
