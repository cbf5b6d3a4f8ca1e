"""The region of a target class, bounded by several planes, and the shortest step into it."""

import torch
from torch import Tensor

from arcal.attacks._steps import Planes
from arcal.attacks.adversarial import Aim
from arcal.attacks.norms import Bounds, Norm

CYCLES = 100
"""The most cycles in which each plane gets its turn."""

TRIED, SHRUNK = 10, 0.9
"""Without bounds: a region is empty if this many cycles do not shrink the miss to this share."""

NEAR = 1e-4
"""The share of an offset by which a step may miss a plane."""

TRIES = 3
"""How often a step beyond the planes is shortened that is much longer than it should be."""


class Region(Planes):
    """Planes of the classes that were ahead of the target, and the step behind all of them.

    on    (N, T)  the planes that bound the region as far as it is known
    turn  (N, T)  when each was last visited; the oldest makes room for another class
    u     (N, T)  the planes' multipliers at the last step, where the search for the next begins
    """

    def __init__(self, x: Tensor, bounds: Bounds, norm: Norm, k: Tensor, offset: Tensor, g: Tensor):
        super().__init__(x, bounds, norm, k, offset, g)
        self.margin = offset[:, :1].expand_as(offset)
        self.on = torch.zeros_like(k, dtype=torch.bool)
        self.on[:, 0] = True
        self.turn, self.turns = torch.zeros_like(k), 0
        self.u = torch.zeros_like(offset)

    def nearest(self, active: Tensor, beyond: Tensor) -> tuple[Tensor, Tensor]:
        """The steps `(B, D)` a little beyond all planes, longer by the share `beyond` `(B,)`.

        In a corner a step grows by more than the planes move, so the planes are moved by less. The
        column `(B,)` does not matter: `met` says whose plane is visited.
        """
        offset, normal, on = self.offset[active], self.normal[active], self.on[active]
        sides = self._sides(active)
        d, there, u = shortest_into(offset, normal, on, *sides, self.u[active])
        self.u[active] = u
        length = self.norm.length(d)
        wanted, share = beyond * length, torch.ones_like(length)
        inset, left = wanted.unsqueeze(1) * self.norm.dual(normal), there.nonzero().squeeze(1)
        for _ in range(TRIES):
            if len(left) == 0:
                break
            moved = offset[left] + share[left].unsqueeze(1) * inset[left]
            low, high = (side[left] for side in sides)
            farther, there, _ = shortest_into(moved, normal[left], on[left], low, high, u[left])
            more = self.norm.length(farther) - length[left]
            d[left[there]] = farther[there]
            share[left] *= torch.where(there, wanted[left] / more, 1 / 8)
            left = left[~there | (more > 2 * wanted[left])]
        return torch.zeros_like(active), d

    def aimed_at(self, active: Tensor, j: Tensor) -> None:
        """None: the lead over the target counts, whichever class has it."""

    def met(self, active: Tensor, j: Tensor, aim: Aim, z: Tensor) -> Tensor:
        """The columns `(B,)` of the target's strongest rivals in the logits `z` `(B, Z)`."""
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

    Returns also whether `d` satisfies this, bool `(B,)`, or only comes near, and the multipliers.
    Offsets, `on` and the initial multipliers `u` are `(B, T)`, normals `(B, T, D)`;
    `low <= d <= high`, both `(B, D)`. This is Hildreth's method (1957) with a box:
    `d = clip(-sum_k u_k normal_k)`, and each `u_k >= 0` in turn is made as large as its own plane
    needs. Each such update climbs the dual,

        min_d |d|^2 / 2 + sum_k u_k (offset_k + normal_k.d),    low <= d <= high,

    and so must the step of Newton's method after each cycle: otherwise it is not taken.

    >>> normal, none = torch.tensor([[[-1.0, 0.0], [1.0, -1.0]]]), torch.full((1, 2), torch.inf)
    >>> planes = torch.tensor([[1.0, 0.0]]), normal, torch.tensor([[True, True]])
    >>> d, there, u = shortest_into(*planes, -none, none, torch.zeros(1, 2))
    >>> d, u  # at least (1, 1)
    (tensor([[1.0000, 1.0000]]), tensor([[2.0000, 1.0000]]))
    """
    start, u = u, u.clone()
    tiny = torch.finfo(offset.dtype).tiny
    columns = on.any(dim=0).nonzero().squeeze(1).tolist()
    bent = {k: _bends(normal[:, k], low, high) for k in columns}
    scale = offset.abs().clamp(min=tiny)
    going = torch.ones_like(on[:, 0])  # each on its own, whatever the rest of its batch does
    before = torch.full_like(offset[:, 0], torch.inf)
    farthest = low.square().maximum(high.square()).sum(dim=1) / 2
    boxed = farthest.isfinite()

    def evaluated(u: Tensor) -> tuple[Tensor, ...]:
        """-d without the box; d; what planes lack there; the largest relative miss; the dual."""
        behind = torch.einsum("bt,btd->bd", u, normal)
        d = (-behind).clamp(low, high)
        lacking = offset + torch.linalg.vecdot(normal, d.unsqueeze(1))
        missed = torch.where(u > 0, lacking.abs(), lacking.clamp(min=0)) / scale
        dual = (u * offset).sum(dim=1) + torch.linalg.vecdot(d / 2 + behind, d)
        return behind, d, lacking, torch.where(on, missed, 0).amax(dim=1), dual

    behind, d, lacking, missed, dual = evaluated(u)
    for cycle in range(CYCLES):
        for k in columns:
            n, was = normal[:, k], u[:, k].clone()
            others = behind - was.unsqueeze(1) * n
            new = _behind_one(offset[:, k], n, others, low, high, *bent[k])
            new = torch.where(going & on[:, k], new, was)
            u[:, k], behind = new, others + new.unsqueeze(1) * n
        behind, d, lacking, missed, climbed = evaluated(u)
        jumped = _jump(u, lacking, normal, on & (u > 0), d == -behind)
        better = going & (evaluated(jumped)[4] > climbed)
        u, last = torch.where(better.unsqueeze(1), jumped, u), dual
        behind, d, lacking, missed, dual = evaluated(u)
        # if there is such a d, the dual climbs no higher than |d|^2 / 2
        going = going & (missed >= NEAR) & (dual > last) & (dual <= farthest)
        if cycle % TRIED == TRIED - 1:
            going, before = going & (boxed | (missed <= SHRUNK * before)), missed
        if not going.any():
            break
    there = (~on | (lacking <= NEAR * offset.abs())).all(dim=1)
    return d, there, torch.where(there.unsqueeze(1), u, start)  # in an empty region they only grow


def _jump(u: Tensor, lacking: Tensor, normal: Tensor, some: Tensor, free: Tensor) -> Tensor:
    """The multipliers at which `some` planes lack nothing, if the `free` entries stay the same.

    This is one step of Newton's method. It gets ahead where planes meet at a sharp angle and taking
    turns hardly does.
    """
    n = normal * some.unsqueeze(2)
    gram = torch.einsum("btd,bsd->bts", n * free.unsqueeze(1), n)
    least = 1e-6 * gram.diagonal(dim1=1, dim2=2).amax(dim=1, keepdim=True) + 1e-12
    diagonal = torch.where(some, least, 1)  # 1 for the other planes
    wanted = torch.where(some, lacking, 0)
    more, _ = torch.linalg.solve_ex(gram + diagonal.diag_embed(), wanted)
    return (u + more).clamp(min=0)


def _bends(n: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What `_behind_one` needs from the normals, whatever the other planes do.

    First the sides of the box that each entry leaves, and those that it arrives at, `(B, 2 D)`;
    then by how much the slope rises or falls there; and the slope, `(B,)`, up to which no step
    helps.
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
    ends: Tensor,
    squares: Tensor,
    hopeless: Tensor,
) -> Tensor:
    """The least `t >= 0` with `offset + n.clip(-others - t n) <= 0`.

    All are `(B,)` or `(B, D)`; the last three are from `_bends`. The sum falls with t and is linear
    between the values at which an entry leaves one side of the box or arrives at the other. Where
    it stays above 0, t goes only as far as it helps.
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
    return torch.where(above > 0, t + torch.where(slope > hopeless, rest / slope, 0), 0)
