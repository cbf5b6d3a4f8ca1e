"""The nearest point of the decision boundary, by projection onto averaged linearisations of it."""

from dataclasses import dataclass, replace
from numbers import Integral
from typing import ClassVar, Literal

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor
from arcal.attacks._steps import FEW, GROUP, Planes, Steps, around, promising
from arcal.attacks.adversarial import Adversarial, verified
from arcal.attacks.folding import folded
from arcal.attacks.inputs import InputsLike, Model, bound, over, rows
from arcal.attacks.logit_checks import check_steady, checked_logits
from arcal.attacks.model import finite, frozen, gradient_to, margin, rounding
from arcal.attacks.norms import NORMS, Bounds, Norm, checked_bounds, clamped, flattened
from arcal.errors import ArcalError

DEEP = 0.5
"""A point that another class leads by more than this share of a clean margin is too far out."""

MOST_PASSES = 1_000_000
"""A budget above this is refused as a mistake."""

SHORT = 16
"""Passes of each search that starts elsewhere."""

ROWS = 8192
"""How many points drawn around inputs are run at a time."""

FLAT, BESIDE = 1 / 16, 0.01
"""From this share of entries without gradient on, it is taken this share of the first distance
beside the input."""

ALWAYS = 3
"""Classes that get a plane whatever their margins."""

ROUNDS = 3
"""How often a search starts again because half of the way crosses already."""

MOST_HALVINGS, BISECTIONS = 100, 20
"""The most halvings until the half does not cross (float32 has no smaller share), and the
bisections that follow."""


@dataclass(frozen=True)
class BoundaryProjection:
    """Minimum-norm attack on the model's own prediction `y = f(x)`, in L2 or L-infinity.

    The problem is

        min |d|   subject to   m_k(x + d) <= 0 for some class k,   lo <= x + d <= hi,

    with `m_k = z_y - z_k`, the margin to class k, and the norm `norm`, "l2" or "linf". Sequential
    programming replaces `m_k` by its linearisation at the current point `x_t`; what is left, the
    projection of the *clean* input onto a half space within a box, has an exact solution
    (`norms.project`). Four things make that work on networks:

    - The gradient of a network of ReLUs jumps from one linear piece to the next, and the plain
      iteration hops between the planes of neighbouring pieces. The normal of the plane is therefore
      an average over the gradients `g_t = grad m_k(x_t)` met so far, the later ones weighing more:
      `n <- n + b (g_t - n)` with `b = 2 / (v + 3)` at visit v = 0, 1, ... of this plane. After 20
      visits v restarts at 0, which escapes a local minimum more often than it costs. The plane's
      offset is not averaged: at `x_t` the plane has the margin measured there,
      `m_k(x_t) + n.(x' - x_t) = 0`, so that only its direction is in error.
    - The nearest boundary is not always that of the runner-up. Classes get a plane of their own in
      the order of their margins at `x`: the first three always, the others while they might be the
      nearest. That is while `m_k / |g|_*` is less than `reach` times the distance of the nearest
      plane, with g the longest gradient of a margin met so far, in the dual norm. Each step goes to
      the class whose plane is nearest. Curvature makes planes seen from `x` misjudge the distance
      of all classes alike. So a plane not yet visited is taken to be as many times farther as the
      nearest visited one turned out to be, less 15 % so that it is not overlooked.
    - A step ends a little beyond the plane: by 10 % of the perturbation at first, by 0.6 times as
      much after each point that crosses and 1.5 times after each that does not, between 0.01 and
      20 %. The nearest point that crossed by more than `rounding` is kept.
    - Where units saturate, the gradient at `x` is small, the first step goes far beyond the nearest
      boundary, and the gradient there says nothing about it. So a point that another class leads by
      more than half of the clean margin to the class aimed at updates no plane: the step is halved
      instead, but not to less than the last step that was not too long.

    A gradient of exactly 0 in many entries says that the input lies where they are flat, not that
    they do not matter: the logarithm of a spectrum is flat where a clip is padded with zeros, and
    steep beside it. Where at least one entry in 16 has no gradient, the first planes have the
    gradients at a point beside `x`, by 1 % of the distance of the first plane in these entries, in
    a random direction. If these entries have no gradient there either, the first planes remain as
    they were.

    Every step costs one forward and one backward pass whatever the number of classes; the last
    needs no backward pass. An input is done once 7 passes, or a seventh of the budget if that is
    more, have not brought its boundary nearer by 0.3 %, which takes 20 to 30 passes on average. The
    batch shrinks as inputs are done. No input spends more than `budget` passes, including those for
    the first planes, plus three forward passes: for the prediction, for half of the way (see below)
    and to verify the result; an input with flat entries takes one pass more. Only the few inputs
    that have not crossed by then go on until they have, up to three times the budget. The result
    for an input does not depend on the rest of its batch. `classes` is the most classes that get a
    plane; at most one third of the budget goes to the first planes of classes other than the
    runner-up.

    All this finds a boundary that no small step improves, which need not be the nearest one. Images
    have too many directions to look elsewhere, and their nearest boundaries are mostly found all
    the same. In few dimensions boundaries lie on all sides, and passes cost little. So inputs of at
    most 64 entries get one turn for each 8 passes of the budget. Each turn runs 64 points
    spread over a ball around x and begins `starts` searches, of 16 passes each, from the most
    promising of them: with the defaults at most 784 more passes, and 384 forward passes. `starts=0`
    leaves them out. They also find boundaries behind a region without gradient.

    Half of the way to the nearest boundary does not cross one. Where it does, the gradients have
    led past it, as they do when logits saturate or are clipped. The way is then bisected, and the
    search starts again at the crossing found, with a budget of its own, up to three times. Networks
    whose logits are not cut off hardly ever need this.

    In L-infinity the signs of some entries of an average are accidental: see `norms.LInf`.

    From 24 passes on, a larger budget never finds a boundary farther away, because it tries all
    that a smaller one does.

    >>> attack = BoundaryProjection()
    >>> x = torch.tensor([[0.75, 0.5]])  # the boundary is 0.25 / sqrt(2) away
    >>> attack(torch.nn.Identity(), x).distance
    tensor([0.1768])
    """

    VERSION: ClassVar[int] = 3
    """Increased when its results change: stored scores of another version are refused."""
    VERIFIES: ClassVar[bool] = True
    """Its results have been run through the model."""

    budget: int = 48
    classes: int = 9
    reach: float = 1.5
    starts: int = 8
    norm: Literal["l2", "linf"] = "l2"

    def __post_init__(self) -> None:
        whole = all(isinstance(n, Integral) for n in (self.budget, self.classes, self.starts))
        small = not whole or self.budget < 3 or self.classes < 1 or self.starts < 0
        if small or self.budget > MOST_PASSES or not self.reach >= 1:
            raise ArcalError(
                f"budget {self.budget}, classes {self.classes}, reach {self.reach}, starts "
                f"{self.starts}: give a budget of 3 to {MOST_PASSES:,}, at least 1 class, a reach "
                "of at least 1 and at least 0 starts, all but the reach whole numbers"
            )
        if self.norm not in NORMS:
            raise ArcalError(f"norm {self.norm!r} is unknown: choose from {', '.join(NORMS)}")

    def __call__(
        self,
        model: Model,
        x: InputsLike,
        bounds: Bounds = (0.0, 1.0),
        start: TensorLike | None = None,
    ) -> Adversarial:
        """Attack inputs `(N, ...)` within `bounds`; see `Adversarial` for what comes back.

        If inputs have several tensors, the floating-point one is attacked (see `Inputs`).

        `start` `(N, ...)` are points near the boundary, such as those found for an earlier state of
        the model, NaN where there is none: the first step goes there.
        """
        model, x = bound(model, x)
        bounds = checked_bounds(x, bounds)
        start = None if start is None else as_tensor(start, "start").to(x)
        if start is not None and start.shape != x.shape:
            raise ArcalError(f"start is {tuple(start.shape)}, the inputs are {tuple(x.shape)}")
        with frozen(model):
            logits = checked_logits(model, x)
            check_steady(model, x, logits)
            y, twin = logits.argmax(dim=1), folded(model, x)
            nearest, passes = self._search(twin, x, y, bounds, start)
            nearest, passes = self._search_before(twin, x, y, bounds, nearest, passes)
            if self.starts_elsewhere(x[0].numel()):
                nearest, passes = self._start_elsewhere(twin, x, y, bounds, nearest, passes)
            return verified(model, x, nearest, y, bounds, passes, self._norm)

    def starts_elsewhere(self, entries: int) -> bool:
        """Whether inputs of this many entries are searched from points around them as well."""
        return self.starts > 0 and entries <= FEW

    @property
    def _norm(self) -> Norm:
        return NORMS[self.norm]

    @torch.no_grad()
    def _search(
        self, model: Model, x: Tensor, y: Tensor, bounds: Bounds, start: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The nearest crossing `(N, ...)`, NaN where there is none, and the passes spent `(N,)`.

        What n passes find, more passes find as well: the budget only ends the search.
        """
        z, m, g = _margin_and_gradient(model, x, y, None)
        enough = rounding(z)
        rivals = _rivals(z, y, min(self.classes, 1 + self.budget // 3))
        margins = torch.stack([_lead(z, y, k) for k in rivals.unbind(1)], dim=1)  # ascending
        offsets = margins + 2 * enough.unsqueeze(1)
        seen_from, g, more = self._off_flat(model, x, y, bounds, rivals[:, 0], m, g)
        planes = Planes(x, flattened(bounds), self._norm, rivals, offsets, g)
        passes = 1 + self._add_planes(model, seen_from, y, margins, planes, g)

        steps = Steps(x, enough, passes, self.budget, self._norm)
        if start is not None:
            everyone = torch.arange(len(x), device=x.device)
            x_t = clamped(torch.where(start.isnan(), x, start), bounds)
            z, m, g = _margin_and_gradient(model, x_t, y, None)
            j, d = planes.column(_rivals(z, y, 1).squeeze(1)), (x_t - x).flatten(1)
            deep = ~(m >= -DEEP * planes.margin[everyone, j])
            steps.arrive(everyone, j, x_t, d, m, deep)
            planes.visit(everyone, j, m + 2 * enough, g, d, ~deep)

        for spent in range(int(steps.passes.min()), 3 * self.budget):
            active = steps.going(spent)
            if len(active) == 0:
                break
            some, its = rows(model, active), y[active]
            j, d = steps.next(active, *planes.nearest(active, steps.beyond[active]))
            x_t = clamped(x[active] + d.view_as(x[active]), bounds)
            if spent != self.budget - 1 or steps.best[active].isinf().any():
                z, m, g = _margin_and_gradient(some, x_t, its, planes.k[active, j])
            else:  # no step follows that would need them
                z, m, g = some(x_t.clone()), None, None
            d, ahead = (x_t - x[active]).flatten(1), margin(z, its)
            deep = ~(ahead >= -DEEP * planes.margin[active, j])  # NaN counts as deep
            crossed = steps.arrive(active, j, x_t, d, ahead, deep)
            steps.adapt(active, crossed)
            if m is not None and g is not None:
                planes.visit(active, j, m + 2 * enough[active], g, d, ~deep)
        return steps.nearest, steps.passes + more

    def _off_flat(
        self, model: Model, x: Tensor, y: Tensor, bounds: Bounds, k: Tensor, m: Tensor, g: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where the first gradients are taken, that of class k there, and the passes spent on it.

        That is at `x`, or beside it where many entries of the gradient `g` `(N, D)` of the margin
        `m` `(N,)` are 0.
        """
        flat, passes = g == 0, torch.zeros_like(y)
        away = BESIDE * m / self._norm.dual(g)
        many = flat.float().mean(dim=1) >= FLAT
        i = (many & (away > 0) & away.isfinite()).nonzero().squeeze(1)
        if len(i) == 0:
            return x, g, passes
        u = torch.randn(g.shape[1], generator=torch.Generator().manual_seed(0), device="cpu").to(g)
        u = u * flat[i]
        d = (away[i] / self._norm.length(u)).unsqueeze(1) * u
        beside = clamped(x[i] + d.view_as(x[i]), bounds)
        _, _, there = _margin_and_gradient(rows(model, i), beside, y[i], k[i])
        passes[i] += 1
        steep = (flat[i] & (there != 0)).any(dim=1)
        i, beside, there = i[steep], beside[steep], there[steep]
        return x.index_put((i,), beside), g.index_put((i,), there), passes

    def _add_planes(
        self, model: Model, x: Tensor, y: Tensor, margins: Tensor, planes: Planes, g: Tensor
    ) -> Tensor:
        """Add planes of other classes that may be the nearest; returns the passes spent, `(N,)`.

        Their gradients are those at `x`. `margins` `(N, T)` ascend; `g` `(N, D)` is the gradient of
        the first, which has its plane already.
        """
        passes, steepest = torch.zeros_like(y), self._norm.dual(g)
        active = torch.arange(len(x), device=x.device)
        for j in range(1, margins.shape[1]):
            nearest = planes.first[active].amin(dim=1)
            far = margins[active, j] > self.reach * nearest * steepest[active]  # False for NaN
            active = active[(~far | (j < ALWAYS)) & margins[active, j].isfinite()]
            if len(active) == 0:
                break
            column = torch.full_like(active, j)
            _, _, g = _margin_and_gradient(
                rows(model, active), x[active], y[active], planes.k[active, j]
            )
            planes.add(active, column, g)
            steepest[active] = steepest[active].maximum(self._norm.dual(g))
            passes[active] += 1
        return passes

    def _search_before(
        self, model: Model, x: Tensor, y: Tensor, bounds: Bounds, nearest: Tensor, passes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The nearest crossing, and all passes, after new searches where half of the way crosses.

        The new searches begin where bisection finds a crossing, at `h` of the way, with none at
        `h / 2`.
        """
        left = torch.arange(len(x), device=x.device)
        nearest, none = torch.where(nearest.isnan(), x, nearest), nearest.isnan()
        for _ in range(ROUNDS):
            left = left[_crosses(rows(model, left), x[left], y[left], nearest[left], 0.5)]
            if len(left) == 0:
                break
            some, its, there = rows(model, left), y[left], nearest[left]
            h = torch.ones_like(there.flatten(1)[:, 0])
            for _ in range(MOST_HALVINGS):
                h = torch.where(half := _crosses(some, x[left], its, there, h / 2), h / 2, h)
                if not half.any():
                    break
            low = h / 2
            for _ in range(BISECTIONS):
                middle = (low + h) / 2
                crossed = _crosses(some, x[left], its, there, middle)
                low, h = torch.where(crossed, low, middle), torch.where(crossed, middle, h)
            begin = _along(x[left], there, h)
            point, more = self._search(some, x[left], its, bounds, begin)
            passes = passes.index_add(0, left, more)
            nearest = nearest.index_put((left,), self._nearest(x[left], [there, begin, point]))
        return nearest.masked_fill(none, torch.nan), passes

    def _start_elsewhere(
        self, model: Model, x: Tensor, y: Tensor, bounds: Bounds, nearest: Tensor, passes: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The nearest crossing after searches from elsewhere, at most `nearest`, and all passes.

        The searches start all around, at points that depend only on the short searches before
        them, so that a larger budget adds searches and drops none.
        """
        short = replace(self, budget=SHORT, classes=min(self.classes, 2))
        point, more = short._search(model, x, y, bounds, None)
        passes = passes + more
        everyone = torch.arange(len(x), device=x.device)
        for turn in range(max(1, self.budget // 8)):
            away = self._distance(point, x)
            drawn = around(x, away, bounds, GROUP * self.starts, turn, self._norm)
            for some in everyone.split(max(1, ROWS // drawn.shape[1])):
                i = some.repeat_interleave(drawn.shape[1])
                z = rows(model, i)(drawn[some].flatten(0, 1))
                lead = margin(z, y[i])
                start = promising(x[some], drawn[some], lead, self.starts, self._norm)
                start = start.flatten(0, 1)
                i = some.repeat_interleave(self.starts)
                reached, more = short._search(rows(model, i), x[i], y[i], bounds, start)
                passes.index_add_(0, i, more)
                points = reached.view(len(some), self.starts, *x.shape[1:]).unbind(1)
                point[some] = self._nearest(x[some], [point[some], *points])
        return self._nearest(x, [nearest, point]), passes

    def _distance(self, point: Tensor, x: Tensor) -> Tensor:
        """How far points `(N, ...)` are from x, infinite where they are NaN."""
        return self._norm.length((point - x).flatten(1)).nan_to_num(torch.inf)

    def _nearest(self, x: Tensor, points: list[Tensor]) -> Tensor:
        """The nearest to each `x` of several points `(N, ...)`."""
        every = torch.stack(points)
        which = torch.stack([self._distance(point, x) for point in points]).argmin(dim=0)
        return every[which, torch.arange(len(x), device=x.device)]


def _along(x: Tensor, there: Tensor, share: Tensor | float) -> Tensor:
    """The points `(N, ...)` a share of the way, one for all or `(N,)`, from x to `there`."""
    if isinstance(share, Tensor):
        share = over(x, share)
    return x + share * (there - x)


def _crosses(model: Model, x: Tensor, y: Tensor, there: Tensor, share: Tensor | float) -> Tensor:
    """Whether that share of the way crosses, bool `(N,)`."""
    z = model(_along(x, there, share))
    return margin(z, y) < -rounding(z)


def _margin_and_gradient(
    model: Model, x: Tensor, y: Tensor, k: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits `(N, Z)`, the lead `(N,)` over class k, or over all if None, and its gradient."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        z = model(x.clone())
        m = margin(z, y) if k is None else _lead(z, y, k)
        g = gradient_to(x, m)
    return z.detach(), m.detach(), finite(g).flatten(1)


def _lead(z: Tensor, y: Tensor, k: Tensor) -> Tensor:
    """How far logits `(N, Z)` have class y ahead of class k, `(N,)` each."""
    return (z.gather(1, y.unsqueeze(1)) - z.gather(1, k.unsqueeze(1))).squeeze(1)


def _rivals(z: Tensor, y: Tensor, T: int) -> Tensor:
    """The T classes nearest to class y, `(N, T)`; fewer if there are fewer."""
    T = min(T, z.shape[1] - 1)
    return z.scatter(1, y.unsqueeze(1), -torch.inf).topk(T, dim=1).indices
