"""The attack of Carlini and Wagner (2017b) for the L2 norm, as the paper sets it (appendix A.4)."""

import math
from dataclasses import dataclass
from numbers import Integral
from typing import ClassVar, Literal

import torch
from torch import Tensor

from arcal.attacks.adversarial import Adversarial, verified
from arcal.attacks.folding import folded
from arcal.attacks.inputs import InputsLike, Model, bound, rows
from arcal.attacks.logit_checks import check_steady, checked_logits
from arcal.attacks.model import finite, frozen, gradient_to, margin, rounding
from arcal.attacks.norms import Bounds, checked_bounds, flattened
from arcal.errors import ArcalError


@dataclass(frozen=True)
class CarliniWagner:
    """Untargeted L2 attack on the model's own prediction `y = f(x)`.

    Each search step minimises, by Adam,

        |x' - x|^2 + c max(z_y(x') - max_{z != y} z(x') + kappa, 0),      x' = g(w),

    over `w`, where `g` is the scaled tanh that keeps x' inside its bounds (the identity without
    bounds). `c` starts at `initial_c` for each input, is multiplied by 10 while the attack fails
    and bisected once it has succeeded. The nearest x' that changed the prediction, over all search
    steps, is kept. Defaults are the paper's; c and the early stop, which the paper does not give,
    are those of the CleverHans code it points to.

    With `early_stop`, an input's search step ends when, over a twentieth of the iterations, neither
    its lowest loss has fallen by 0.01 % nor its mean loss by 1 % (which falls while x' comes back
    from too far out). CleverHans ends the whole batch when its loss, looked at every tenth of the
    iterations, has not fallen by 0.01 %. Here each input stops on its own and starts its next
    search step at once, so that a distance never depends on the rest of the batch. An input has
    crossed once the other class leads by more than `rounding`.

    `initial_c="gradient"` is not the paper's: for one pass more, it starts each input at twice the
    c that it needs to first order, `2 |delta| / |grad|` with `|delta| = margin / |grad|`. The first
    search step then mostly succeeds, whatever the scale of the logits, and the others search below
    it.

    >>> attack = CarliniWagner(search_steps=2, iterations=100, initial_c="gradient")
    >>> x = torch.tensor([[0.75, 0.5]])  # the boundary is 0.25 / sqrt(2) = 0.1768 away
    >>> distance = attack(torch.nn.Identity(), x).distance
    >>> bool(0.1767 < distance < 0.18)
    True
    """

    VERIFIES: ClassVar[bool] = True
    """Its results have been run through the model."""

    search_steps: int = 3
    iterations: int = 500
    learning_rate: float = 0.005
    initial_c: float | Literal["gradient"] = 1e-2
    kappa: float = 0.0
    early_stop: bool = True

    def __post_init__(self) -> None:
        if self.initial_c != "gradient" and not (
            isinstance(self.initial_c, int | float) and 0 < self.initial_c < math.inf
        ):
            raise ArcalError(f"initial_c is {self.initial_c!r}: a number above 0, or 'gradient'")
        whole = isinstance(self.search_steps, Integral) and isinstance(self.iterations, Integral)
        if not whole or min(self.search_steps, self.iterations) < 1:
            raise ArcalError("search_steps and iterations must be whole numbers above 0")
        if not (0 < self.learning_rate < math.inf and 0 <= self.kappa < math.inf):
            raise ArcalError("learning_rate must be above 0, and kappa at least 0")

    def __call__(self, model: Model, x: InputsLike, bounds: Bounds = (0.0, 1.0)) -> Adversarial:
        """Attack inputs `(N, ...)` within `bounds`; see `Adversarial` for what comes back.

        If inputs have several tensors, the floating-point one is attacked (see `Inputs`).
        """
        model, x = bound(model, x)
        bounds = checked_bounds(x, bounds)
        with frozen(model):
            logits = checked_logits(model, x)
            check_steady(model, x, logits)
            y = logits.argmax(dim=1)
            perturbed, passes = self._search(folded(model, x), x, y, flattened(bounds))
            return verified(model, x, perturbed, y, bounds, passes)

    def _search(self, model: Model, x: Tensor, y: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
        """The nearest crossing `(N, ...)`, NaN where there is none, and the passes spent `(N,)`.

        `active` holds the positions of the inputs still searched; the model and every tensor of a
        search cover only these. Each input is at its own iteration `i` of its own search step.
        Tensors of the inputs' size are written in place: besides the model, the attack costs mainly
        memory.
        """
        shape, x = x.shape[1:], x.flatten(1)
        c, passes = self._first_c(model, x, shape, y)
        best, nearest = torch.full_like(c, torch.inf), torch.full_like(x, torch.nan)
        active, scratch = torch.arange(len(x), device=x.device), x.new_empty(4, *x.shape)
        window = max(self.iterations // 20, 1)

        lower, upper = torch.zeros_like(c), torch.full_like(c, torch.inf)
        start = _to_w(x, bounds)
        w, m, v = start.clone(), torch.zeros_like(x), torch.zeros_like(x)
        # The lowest loss so far and the sum of losses in this window; and both at the end of the
        # last.
        unsearched, enough_fall = x.new_tensor([torch.inf, 0]), x.new_tensor([0.9999, 0.99])
        losses, before = unsearched.repeat(len(x), 1), x.new_full((len(x), 2), torch.inf)
        i, searches, crossed = torch.zeros_like(c), torch.zeros_like(c), torch.zeros_like(y).bool()

        while len(active):
            i += 1
            passes[active] += 1
            perturbed, slope, delta, gradient = scratch[:, : len(active)]
            _from_w(w, bounds, perturbed, slope)
            torch.sub(perturbed, x, out=delta)
            squared = torch.linalg.vector_norm(delta, dim=1).square()
            logits, hinge, downhill = _hinge(model, perturbed, shape, y, c, self.kappa)

            enough = rounding(logits).clamp(min=self.kappa)
            over = margin(logits, y) < -enough
            crossed |= over
            better = (over & (squared < best[active])).nonzero().squeeze(1)
            best[active[better]], nearest[active[better]] = squared[better], perturbed[better]

            # The chain rule by hand for all but the model: 2 (x' - x) + c grad margin, times dg/dw.
            gradient.unflatten(1, shape).copy_(downhill)
            gradient.add_(delta, alpha=2).mul_(slope)
            _adam_step(w, m, v, gradient, i, self.learning_rate)

            done = i == self.iterations
            if self.early_stop:
                loss = squared + hinge
                losses = torch.stack([loss.minimum(losses[:, 0]), loss + losses[:, 1]], dim=1)
                check = i % window == 0
                done |= check & (losses > enough_fall * before).all(dim=1)
                before = torch.where(check.unsqueeze(1), losses, before)
                losses[:, 1] *= ~check
            ended = done.nonzero().squeeze(1)
            if len(ended) == 0:
                continue
            c, lower, upper = _next_c(c, lower, upper, done, crossed)
            searches += done
            w[ended] = start[ended]
            for t, value in ((m, 0), (v, 0), (i, 0), (crossed, False)):
                t[ended] = value
            losses[ended], before[ended] = unsearched, torch.inf
            left = (searches < self.search_steps).nonzero().squeeze(1)
            if len(left) < len(active):
                model = rows(model, left)
                active, x, y, c, lower, upper = (t[left] for t in (active, x, y, c, lower, upper))
                start, w, m, v = (t[left] for t in (start, w, m, v))
                losses, before, i, searches = (t[left] for t in (losses, before, i, searches))
                crossed = crossed[left]
        return nearest.unflatten(1, shape), passes

    def _first_c(self, model, x, shape, y) -> tuple[Tensor, Tensor]:
        """The c each input starts with and the passes spent on it, both `(N,)`."""
        one = torch.ones_like(x[:, 0])
        if self.initial_c != "gradient":
            return self.initial_c * one, torch.zeros_like(y)
        _, lead, gradient = _hinge(model, x, shape, y, one, 0.0)
        c = 4 * lead / gradient.flatten(1).square().sum(dim=1)
        return c.nan_to_num(1e-2).clamp(1e-10, 1e10), torch.ones_like(y)


@torch.enable_grad()
def _hinge(model, x, shape, y, c, kappa) -> tuple[Tensor, Tensor, Tensor]:
    """Logits `(N, Z)`, c times the hinge `(N,)`, and its gradient `(N, ...)` to the model's input.

    No backward pass where every input has crossed and the gradient is 0.
    """
    x = x.detach().unflatten(1, shape).requires_grad_()
    logits = model(x.clone())
    lead = margin(logits, y) + kappa
    hinge = c * lead.clamp(min=0)
    crossed = bool((lead < 0).all())  # not at a lead of exactly 0, from which the gradient leads on
    gradient = torch.zeros_like(x) if crossed else gradient_to(x, hinge)
    return logits.detach(), hinge.detach(), finite(gradient.detach())


def _adam_step(w: Tensor, m: Tensor, v: Tensor, gradient: Tensor, i: Tensor, rate: float) -> None:
    """Adam's step `i` `(N,)` of each row, in place; `gradient` is overwritten."""
    m.lerp_(gradient, 0.1)
    v.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
    first, second = (1 - 0.9**i).unsqueeze(1), (1 - 0.999**i).unsqueeze(1)
    root = torch.sqrt(v, out=gradient).mul_(first / second.sqrt()).add_(1e-8 * first)
    w.addcdiv_(m, root, value=-rate)


def _next_c(
    c: Tensor, lower: Tensor, upper: Tensor, done: Tensor, crossed: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The next c and its bounds, all `(N,)`, of the inputs whose search step is `done`."""
    upper = torch.where(done & crossed, torch.minimum(upper, c), upper)
    lower = torch.where(done & ~crossed, torch.maximum(lower, c), lower)
    middle = torch.where(upper.isinf(), 10 * c, (lower + upper) / 2)
    return torch.where(done, middle, c), lower, upper


def _to_w(x: Tensor, bounds: Bounds) -> Tensor:
    if bounds is None:
        return x.clone()
    lo, hi = bounds
    width = hi - lo
    if not (width.isfinite().all() if isinstance(width, Tensor) else math.isfinite(width)):
        raise ArcalError("Carlini-Wagner needs finite bounds, or None: infinity has no middle")
    if isinstance(width, Tensor):
        width = width.clamp(min=torch.finfo(x.dtype).tiny)  # for a column that never changes
    return torch.atanh(0.999999 * (2 * (x - lo) / width - 1))


def _from_w(w: Tensor, bounds: Bounds, x: Tensor, slope: Tensor) -> None:
    """Write `x = g(w)` and `dg/dw`; (tanh(w) + 1) / 2 is the sigmoid of 2 w, which is faster."""
    if bounds is None:
        x.copy_(w)
        slope.fill_(1)
        return
    lo, hi = bounds
    torch.mul(w, 2, out=slope).sigmoid_()
    torch.mul(slope, hi - lo, out=x).add_(lo)
    slope.addcmul_(slope, slope, value=-1).mul_(2 * (hi - lo))
