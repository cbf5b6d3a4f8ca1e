"""The attack of Carlini and Wagner (2017b) for the L2 norm, as the paper sets it (appendix A.4)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.attacks.adversarial import Adversarial, Bounds, check_inputs, verified
from arcal.attacks.model import Model, folded, frozen, margin, predicted_class

TOLERANCE = 1e-4
"""Logits by which the other class must lead: nearer the boundary, rounding decides who leads."""


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

    With `early_stop`, an input's search step ends when its loss has not fallen by 0.01 % over a
    tenth of the iterations. Unlike there, each input stops by itself, so that a distance never
    depends on the other inputs of the batch, and an input has crossed once the other class leads by
    `TOLERANCE`.
    """

    search_steps: int = 3
    iterations: int = 500
    learning_rate: float = 0.005
    initial_c: float = 1e-2
    kappa: float = 0.0
    early_stop: bool = True

    def __call__(self, model: Model, x: Tensor, bounds: Bounds = (0.0, 1.0)) -> Adversarial:
        """Attack inputs `(N, ...)` within `bounds`; see `Adversarial` for what comes back."""
        check_inputs(x, bounds)
        with frozen(model):
            y = predicted_class(model, x)
            found, passes = self._search(folded(model, x), x, y, bounds)
            return verified(model, x, found, y, bounds, passes)

    @torch.enable_grad()
    def _search(self, model: Model, x: Tensor, y: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
        N = len(x)
        c = x.new_full((N,), self.initial_c)
        lower, upper = torch.zeros_like(c), torch.full_like(c, torch.inf)
        best, nearest = torch.full_like(c, torch.inf), torch.full_like(x, torch.nan)
        passes = torch.zeros_like(y)

        for _ in range(self.search_steps):
            crossed = self._minimise(model, x, y, c, bounds, best, nearest, passes)
            upper = torch.where(crossed, torch.minimum(upper, c), upper)
            lower = torch.where(crossed, lower, torch.maximum(lower, c))
            c = torch.where(upper.isinf(), 10 * c, (lower + upper) / 2)
        return nearest, passes

    def _minimise(self, model, x, y, c, bounds, best, nearest, passes) -> Tensor:
        """One search step. Writes what it finds into best, nearest and passes, all `(N, ...)`.

        Returns which inputs crossed the boundary, bool `(N,)`. `at` holds the positions of the
        inputs still searched; every other tensor here has their length.
        """
        crossed = torch.zeros_like(y, dtype=torch.bool)
        at = torch.arange(len(x), device=x.device)
        w = _to_w(x, bounds)
        m, v = torch.zeros_like(w), torch.zeros_like(w)
        previous = torch.full_like(c, torch.inf)

        for i in range(1, self.iterations + 1):
            w.requires_grad_()
            perturbed = _from_w(w, bounds)
            squared = (perturbed - x).flatten(1).square().sum(dim=1)
            lead = margin(model(perturbed.clone()), y)
            loss = squared + c * (lead + self.kappa).clamp(min=0)
            (gradient,) = torch.autograd.grad(loss.sum(), w)
            w, perturbed = w.detach(), perturbed.detach()
            passes[at] += 1

            over = lead.detach() < -max(self.kappa, TOLERANCE)
            better = over & (squared.detach() < best[at])
            crossed[at] |= over
            best[at] = torch.where(better, squared.detach(), best[at])
            nearest[at] = torch.where(_like(better, perturbed), perturbed, nearest[at])

            m = 0.9 * m + 0.1 * gradient
            v = 0.999 * v + 0.001 * gradient.square()
            step = (m / (1 - 0.9**i)) / ((v / (1 - 0.999**i)).sqrt() + 1e-8)
            w = w - self.learning_rate * step

            if self.early_stop and (i - 1) % max(self.iterations // 10, 1) == 0:
                falling = (loss.detach() <= 0.9999 * previous).nonzero().squeeze(1)
                if len(falling) == 0:
                    break
                previous = loss.detach()
                if len(falling) < len(at):
                    at, x, y, c, previous = (t[falling] for t in (at, x, y, c, previous))
                    w, m, v = (t[falling] for t in (w, m, v))
        return crossed


def _like(mask: Tensor, x: Tensor) -> Tensor:
    return mask.view(-1, *[1] * (x.ndim - 1))


def _to_w(x: Tensor, bounds: Bounds) -> Tensor:
    if bounds is None:
        return x.clone()
    lo, hi = bounds
    return torch.atanh(0.999999 * (2 * (x - lo) / (hi - lo) - 1))


def _from_w(w: Tensor, bounds: Bounds) -> Tensor:
    if bounds is None:
        return w.clone()
    lo, hi = bounds
    return lo + (hi - lo) * (torch.tanh(w) + 1) / 2
