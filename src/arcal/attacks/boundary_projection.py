"""The nearest point of the decision boundary, by projection onto averaged linearisations of it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.attacks.adversarial import (
    Adversarial,
    Bounds,
    checked_bounds,
    clamped,
    flattened,
    verified,
)
from arcal.attacks.inputs import InputsLike, Model, bound, rows
from arcal.attacks.model import (
    check_differentiable,
    folded,
    frozen,
    margin,
    predicted_class,
    rounding,
)
from arcal.errors import ArcalError


@dataclass(frozen=True)
class BoundaryProjection:
    """Untargeted minimum-norm L2 attack on the model's own prediction `y = f(x)`.

    The problem is

        min |d|^2   subject to   m_k(x + d) <= 0 for some class k,   lo <= x + d <= hi,

    with `m_k = z_y - z_k`, the margin to class k. Sequential quadratic programming replaces `m_k`
    by its linearisation at the current point `x_t`; what is left, the projection of the *clean*
    input onto a half space within a box, has an exact solution (`project`). Three things make that
    work on networks:

    - The gradient of a network of ReLUs jumps from one linear piece to the next, and the plain
      iteration hops between the planes of neighbouring pieces. The normal of the plane is therefore
      an average over the gradients `g_t = grad m_k(x_t)` met so far, the later ones weighing more:
      `n <- n + b (g_t - n)` with `b = 2 / (v + 3)` at visit v = 0, 1, ... of this plane. After 14
      visits v begins at 0 again, which leaves a local minimum more often than it costs. The plane's
      offset is not averaged: the plane has at `x_t` the margin measured there,
      `m_k(x_t) + n.(x' - x_t) = 0`, so that its error is one of direction only.
    - The nearest boundary is not always that of the runner-up. Each class whose margin at `x` is
      less than `reach` times the runner-up's gets a plane of its own, and each step goes to the
      class whose plane is nearest. Curvature makes planes seen from `x` misjudge the distance of
      all classes alike: a plane not yet visited is taken to be as much farther as the nearest
      visited one turned out to be, less 15 %, so that it is not overlooked.
    - A step ends a little beyond the plane: by 2 % of the perturbation at first, by 0.6 times as
      much after each point that crosses and 1.5 times after each that does not, within 0.01 and
      20 %. The nearest point that crossed, by more than `rounding`, is kept.

    Every step costs one forward and one backward pass whatever the number of classes; the last
    needs no backward pass. `budget` passes are spent on each input, those for the first planes
    included, beside one forward pass for the prediction and one to verify what was found. The few
    inputs that have not crossed by then go on until they have, up to three times the budget. What
    an input finds does not depend on the others of its batch. `classes` is the greatest number of
    classes that get a plane; at most one third of the budget goes to the first planes of classes
    other than the runner-up.

    >>> attack = BoundaryProjection()
    >>> x = torch.tensor([[0.75, 0.5]])  # the boundary is 0.25 / sqrt(2) away
    >>> attack(torch.nn.Identity(), x).distance
    tensor([0.1768])
    """

    budget: int = 48
    classes: int = 9
    reach: float = 3.0

    def __post_init__(self) -> None:
        if self.budget < 3 or self.classes < 1 or not self.reach >= 1:
            raise ArcalError(
                f"budget {self.budget}, classes {self.classes}, reach {self.reach}: at least 3 "
                "passes, 1 class and a reach of 1 are needed"
            )

    def __call__(
        self,
        model: Model,
        x: InputsLike,
        bounds: Bounds = (0.0, 1.0),
        start: Tensor | None = None,
    ) -> Adversarial:
        """Attack inputs `(N, ...)` within `bounds`; see `Adversarial` for what comes back.

        Of inputs of several tensors the one of floats is attacked, see `Inputs`.

        `start` `(N, ...)` are points near the boundary, such as those found for an earlier state of
        the model, NaN where there is none: the first step is taken there.
        """
        model, x = bound(model, x)
        bounds = checked_bounds(x, bounds)
        if start is not None and start.shape != x.shape:
            raise ArcalError(f"start is {tuple(start.shape)}, the inputs are {tuple(x.shape)}")
        with frozen(model):
            y = predicted_class(model, x)
            perturbed, passes = self._search(folded(model, x), x, y, bounds, start)
            return verified(model, x, perturbed, y, bounds, passes)

    @torch.no_grad()
    def _search(
        self, model: Model, x: Tensor, y: Tensor, bounds: Bounds, start: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The nearest crossing `(N, ...)`, NaN where there is none, and the passes spent `(N,)`."""
        N = len(x)
        z, m, g = _margin_and_gradient(model, x, y, None)
        enough = rounding(z)
        T = min(self.classes, z.shape[1] - 1, 1 + self.budget // 3)
        rivals = z.scatter(1, y.unsqueeze(1), -torch.inf).topk(T, dim=1)
        margins = z.gather(1, y.unsqueeze(1)) - rivals.values  # ascending
        wanted = margins < self.reach * margins[:, :1]
        wanted[:, 0] = False
        T = min(T, int(wanted.sum(dim=1).max()) + 1 + (start is not None))
        k, wanted, offset = rivals.indices[:, :T], wanted[:, :T], margins[:, :T]
        planes = _Planes(x, flattened(bounds), k, offset + 2 * enough.unsqueeze(1), g)
        active, j = wanted.nonzero(as_tuple=True)
        for i, c in zip(active.split(N), j.split(N), strict=True) if len(active) else ():
            _, _, g = _margin_and_gradient(rows(model, i), x[i], y[i], planes.k[i, c])
            planes.add(i, c, g)
        passes = 1 + wanted.sum(dim=1)

        best, nearest = torch.full_like(m, torch.inf), torch.full_like(x, torch.nan)
        beyond = torch.full_like(m, 0.02)
        if start is not None:
            x_t = clamped(torch.where(start.isnan(), x, start), bounds)
            z, m, g = _margin_and_gradient(model, x_t, y, None)
            passes += 1
            d = (x_t - x).flatten(1)
            best = torch.where(m < -enough, d.norm(dim=1), torch.inf)
            nearest = torch.where(_like(best.isfinite(), x), x_t, torch.nan)
            k = z.scatter(1, y.unsqueeze(1), -torch.inf).argmax(dim=1)
            everyone = torch.arange(N, device=x.device)
            planes.visit(everyone, planes.column(k), m + 2 * enough, g, d)

        for spent in range(int(passes.min()), 3 * self.budget):
            going = (spent < self.budget) | best.isinf()
            active = ((passes <= spent) & going).nonzero().squeeze(1)
            if len(active) == 0:
                break
            j, d = planes.nearest(active)
            x_t = clamped(x[active] + _like(1 + beyond[active], x) * d.view_as(x[active]), bounds)
            if spent != self.budget - 1:
                z, m, g = _margin_and_gradient(
                    rows(model, active), x_t, y[active], planes.k[active, j]
                )
            else:  # no step follows that would need them, for nearly all
                z, m, g = rows(model, active)(x_t.clone()), None, None
            passes[active] += 1

            d = (x_t - x[active]).flatten(1)
            crossed = margin(z, y[active]) < -enough[active]
            better = crossed & (d.norm(dim=1) < best[active])
            best[active] = torch.where(better, d.norm(dim=1), best[active])
            nearest[active] = torch.where(_like(better, x), x_t, nearest[active])
            beyond[active] = (beyond[active] * torch.where(crossed, 0.6, 1.5)).clamp(1e-4, 0.2)
            if m is not None and g is not None:
                planes.visit(active, j, m + 2 * enough[active], g, d)
        return nearest, passes


class _Planes:
    """For N inputs, the planes that stand for the boundaries with T classes `k` `(N, T)`.

    A plane is where `offset + normal.d = 0`, d from the clean input; `normal` `(N, T, D)`, `offset`
    `(N, T)`. Its `distance` is the length of the step to it within the box, infinite where there is
    none or the plane is unknown. `step` `(N, D)` is the one to the plane of column `to` `(N,)`.
    """

    def __init__(self, x: Tensor, bounds: Bounds, k: Tensor, offset: Tensor, g: Tensor):
        self.x, self.bounds, self.k, self.offset = x.flatten(1), bounds, k, offset
        self.normal = g.new_zeros(*k.shape, g.shape[1])
        self.visits = torch.zeros_like(k)
        self.distance = torch.full_like(offset, torch.inf)
        self.first = self.distance.clone()
        self.step, self.to = torch.zeros_like(g), torch.zeros_like(k[:, 0])
        self.add(torch.arange(len(k), device=k.device), torch.zeros_like(self.to), g)

    def add(self, active: Tensor, j: Tensor, g: Tensor) -> None:
        """The planes of columns `j` as seen from the clean inputs `active`, both `(B,)`."""
        self.normal[active, j] = g
        self.aim(active, j, g, self.offset[active, j])
        self.first[active, j] = self.distance[active, j]

    def visit(self, active: Tensor, j: Tensor, m: Tensor, g: Tensor, d: Tensor) -> None:
        """Turn the planes towards `g` `(B, D)` and put them where the margin at `d` is `m`."""
        n, visits = self.normal[active, j], self.visits[active, j]
        b = torch.where(n.any(dim=1), 2 / (visits % 14 + 3), 1).unsqueeze(1)
        n = n.lerp(g, b.to(n))
        offset = m - torch.linalg.vecdot(n, d)
        self.normal[active, j], self.offset[active, j], self.visits[active, j] = (
            n,
            offset,
            visits + 1,
        )
        self.aim(active, j, n, offset)

    def aim(self, active: Tensor, j: Tensor, n: Tensor, offset: Tensor) -> None:
        """Find the steps to the planes of columns `j`, and their lengths."""
        d = project(self.x[active], offset, n, self.bounds)
        there = offset + torch.linalg.vecdot(n, d) <= 0.01 * offset.abs()
        self.step[active], self.to[active] = d, j
        self.distance[active, j] = torch.where(there, d.norm(dim=1), torch.inf)

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


def project(x: Tensor, offset: Tensor, normal: Tensor, bounds: Bounds) -> Tensor:
    """The smallest `d` with `offset + normal.d <= 0` and `x + d` within bounds, all `(N, D)`.

    The offset is `(N,)`. The solution is `d = clip(-t normal)` for one multiplier `t >= 0` each;
    `offset + normal.d` falls with t, is convex and piecewise linear, so that Newton's iteration
    from the left reaches its root in finitely many steps: one without bounds, three or four for
    most images. Where the box holds no solution, or the normal is zero, `d` comes as near to one
    as it can.
    """
    square = normal.square()
    missing, slope = offset.clamp(min=0), square.sum(dim=1)
    if bounds is None:
        return -torch.where(slope > 0, missing / slope, 0).unsqueeze(1) * normal
    sides = bounds[0] - x, bounds[1] - x
    t, d = torch.zeros_like(offset), torch.zeros_like(normal)
    for _ in range(3):  # looking who is there already would cost more
        t, d, missing, slope = _newton(t, missing, slope, offset, normal, square, *sides)
    for _ in range(100):
        active = ((missing > 1e-6 * offset.abs()) & (slope > 0)).nonzero().squeeze(1)
        if len(active) == 0:
            break
        of = (t, missing, slope, offset, normal, square, *sides)
        t[active], d[active], missing[active], slope[active] = _newton(*(one[active] for one in of))
    return d


def _newton(t, missing, slope, offset, n, square, lower, upper):
    """One step of `t`; with the `d` there, what is missing and the slope."""
    t = t + torch.where(slope > 0, missing / slope, 0)
    moved = -t.unsqueeze(1) * n
    d = moved.clamp(lower, upper)
    missing = (offset + torch.linalg.vecdot(n, d)).clamp(min=0)
    return t, d, missing, torch.linalg.vecdot(square, (d == moved).to(n.dtype))


def _margin_and_gradient(
    model: Model, x: Tensor, y: Tensor, k: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits `(N, Z)`, `m_k` `(N,)` and its gradient `(N, D)`; k is the runner-up where None."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        z = model(x.clone())
        if k is None:
            m = margin(z, y)
        else:
            m = (z.gather(1, y.unsqueeze(1)) - z.gather(1, k.unsqueeze(1))).squeeze(1)
        check_differentiable(z)
        (g,) = torch.autograd.grad(m.sum(), x)
    return z.detach(), m.detach(), g.flatten(1)


def _like(per_input: Tensor, x: Tensor) -> Tensor:
    return per_input.view(-1, *[1] * (x.ndim - 1))
