"""Projected gradient ascent in an L-infinity ball, with momentum and backtracking."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from arcal.attacks.inputs import InputsLike, Model, bound, over
from arcal.attacks.model import frozen, gradient_to
from arcal.attacks.norms import Bounds, checked_bounds, clamped


@dataclass(frozen=True)
class PGD:
    """The worst point within `radius` of each input: the highest `objective` met in `iterations`.

    From `x' = x + start`, each iteration of Madry et al. (2018) goes

        v  <-  momentum v + (1 - momentum) sign(gradient of the objective at x')
        x' <-  x' + step v, back into the ball and the bounds

    The rest is from Stutz, Hein and Schiele (2020). A `momentum` of 0 is plain PGD. With
    `backtracking` above 1, an input keeps its place and divides its step by that number whenever
    the objective would fall. `start` names one or more of `STARTS`; each call draws one.

    The objectives, each of the true class `y`:

        cross-entropy     -log f_y(x')
        wrong-confidence  max_{z != y} f_z(x'), maximised by its log: same gradient signs and order

    Draws are from torch's global CPU generator, whatever the device of the inputs.
    """

    radius: float
    step: float
    iterations: int = 10
    objective: str = "cross-entropy"
    momentum: float = 0.0
    backtracking: float = 1.0
    start: Sequence[str] = ("zero",)

    def __call__(
        self, model: Model, x: InputsLike, y: Tensor, bounds: Bounds = (0.0, 1.0)
    ) -> Tensor:
        """Perturbed inputs `(N, ...)` for inputs of that shape and true classes `(N,)`.

        Inputs outside the bounds raise `ArcalError`.

        If inputs have several tensors, the floating-point one is attacked (see `Inputs`). The model
        runs in evaluation mode and full float32 precision, without gradients to its weights, and is
        left as it was found. Each iteration takes one forward and one backward pass; one of each
        comes before.
        """
        model, x = bound(model, x)
        bounds = checked_bounds(x, bounds)
        y = y.to(x.device, torch.int64)
        low, high = x - self.radius, x + self.radius
        if bounds is not None:
            low, high = clamped(low, bounds), clamped(high, bounds)

        with frozen(model):
            current = (x + self._drawn_start(x)).clamp(low, high)
            value, gradient = self._climb(model, current, y)
            best, highest = current, value
            velocity, step = torch.zeros_like(x), torch.full_like(value, self.step)
            for _ in range(self.iterations):
                velocity = self.momentum * velocity + (1 - self.momentum) * gradient.sign()
                there = (current + over(x, step) * velocity).clamp(low, high)
                value_there, gradient_there = self._climb(model, there, y)
                goes = (value_there >= value) | (self.backtracking == 1)
                step = torch.where(goes, step, step / self.backtracking)
                value = torch.where(goes, value_there, value)
                gradient = torch.where(over(x, goes), gradient_there, gradient)
                current = torch.where(over(x, goes), there, current)
                best = torch.where(over(x, value > highest), current, best)
                highest = value.maximum(highest)
        return best

    def _drawn_start(self, x: Tensor) -> Tensor:
        names = self.start
        drawn = int(torch.randint(len(names), (), device="cpu")) if len(names) > 1 else 0
        return STARTS[names[drawn]](x.shape, self.radius).to(x)

    @torch.enable_grad()
    def _climb(self, model: Model, current: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The objective `(N,)` and its gradient `(N, ...)`."""
        current = current.detach().requires_grad_()
        logits = model(current.clone())  # some models write into their input
        value = OBJECTIVES[self.objective](F.log_softmax(logits.float(), dim=1), y)
        return value.detach(), gradient_to(current, value)


OBJECTIVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross-entropy": lambda log_f, y: -log_f.gather(1, y.unsqueeze(1)).squeeze(1),
    "wrong-confidence": lambda log_f, y: log_f.scatter(1, y.unsqueeze(1), -torch.inf).amax(dim=1),
}
"""What is maximised, `(N,)`, from log-probabilities `(N, Z)` and true classes `(N,)`."""


def _uniform_norm(shape: torch.Size, radius: float) -> Tensor:
    direction = torch.randn(shape, device="cpu")
    size = direction.flatten(1).abs().amax(dim=1)
    return radius * direction * over(direction, torch.rand(shape[0], device="cpu") / size)


def _gaussian(shape: torch.Size, radius: float) -> Tensor:
    deviation = radius / (2 * math.log(max(shape[1:].numel(), 2)))
    return deviation * torch.randn(shape, device="cpu")


STARTS: dict[str, Callable[[torch.Size, float], Tensor]] = {
    "zero": lambda shape, radius: torch.zeros(shape, device="cpu"),
    "uniform-norm": _uniform_norm,
    "gaussian": _gaussian,
}
"""First perturbations of a shape: none; a Gaussian direction with a norm uniform in [0, radius];
Gaussian noise with standard deviation radius / (2 ln D) in D dimensions."""
