"""The result of an attack, and the check that it is true."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from arcal.attacks.inputs import Model, over, rows
from arcal.attacks.model import frozen, margin, rounding
from arcal.attacks.norms import NORMS, Bounds, Norm, clamped
from arcal.errors import ArcalError

OUTSIDE = 1e-5
"""How far rounding may take a perturbed input out of its bounds."""


NEARBY = 1e-3
"""How far from an input, in each entry, logits are evaluated to explain why no attack succeeds."""


@dataclass(frozen=True, eq=False)
class Adversarial:
    """The smallest perturbations an attack found for N inputs.

    `distance` float32 `(N,)`: norm of the perturbation, L2 unless the attack has another; `+inf`
    where none was found.
    `success` bool `(N,)`: whether the perturbed input changes the model's prediction.
    `x` `(N, ...)`: the perturbed inputs, NaN where none was found.
    `predicted` int64 `(N,)`: the model's prediction on the clean inputs, which was attacked.
    `passes` int64 `(N,)`: forward and backward passes spent on each input.
    `reason`: why some have no distance, in a line; empty if all have one.

    >>> from arcal.attacks import BoundaryProjection
    >>> x = torch.tensor([[0.75, 0.5], [0.25, 0.5]])
    >>> result = BoundaryProjection()(torch.nn.Identity(), x)  # the inputs are the logits
    >>> result.predicted, result.success
    (tensor([0, 1]), tensor([True, True]))
    >>> result.x.argmax(dim=1)
    tensor([1, 0])
    >>> torch.allclose((result.x - x).norm(dim=1), result.distance)
    True
    """

    distance: Tensor
    success: Tensor
    x: Tensor
    predicted: Tensor
    passes: Tensor
    reason: str = ""


def as_adversarial(
    result: Any, attack: Any, model: Model, x: Tensor, bounds: Bounds = None
) -> Adversarial:
    """Check what an attack, perhaps a user's own, returned for `x` `(N, ...)`, and return it.

    It must be an `Adversarial` of N inputs. Unless the attack sets `VERIFIES`, two forward passes
    check it. `predicted` must be the model's own prediction and the distance finite exactly where
    `success` is true; there, the perturbed input must be within the bounds and predicted
    differently. Anything else raises `ArcalError`.

    >>> x = torch.zeros(1, 2)
    >>> as_adversarial(x, "mine", torch.nn.Identity(), x)
    Traceback (most recent call last):
    arcal.errors.ArcalError: the attack mine returned a Tensor: return `arcal.attacks.Adversarial`
    """
    if not isinstance(result, Adversarial):
        kind = type(result).__name__
        raise ArcalError(
            f"the attack {attack} returned a {kind}: return `arcal.attacks.Adversarial`"
        )
    if not getattr(attack, "VERIFIES", False):
        _check_shapes(result, attack, x)
        _check_success(result, attack, model, x, bounds)
    return result


def _check_shapes(result: Adversarial, attack: Any, x: Tensor) -> None:
    for name, shape in {
        "distance": x.shape[:1],
        "success": x.shape[:1],
        "x": x.shape,
        "predicted": x.shape[:1],
        "passes": x.shape[:1],
    }.items():
        one = getattr(result, name)
        if not isinstance(one, Tensor) or one.shape != shape:
            has = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
            raise ArcalError(
                f"the attack {attack} returned {name} {has} for {len(x)} inputs: give a tensor "
                f"{tuple(shape)}"
            )
    if result.success.dtype != torch.bool:
        raise ArcalError(
            f"the attack {attack} returned success as {result.success.dtype}: give booleans"
        )


@torch.no_grad()
def _check_success(
    result: Adversarial, attack: Any, model: Model, x: Tensor, bounds: Bounds
) -> None:
    distance, success, predicted = (
        one.to(x.device) for one in (result.distance, result.success, result.predicted)
    )
    if (wrong := int(((distance.isfinite() & (distance >= 0)) != success).sum())) > 0:
        raise ArcalError(
            f"the attack {attack} gives {wrong} of {len(x)} inputs a distance without success, or "
            "success without a distance: it is +inf where the attack failed, and there alone"
        )
    there = torch.where(over(x, success), result.x.to(x), x)
    if not ((clamped(there, bounds) - there).abs().amax() <= OUTSIDE):
        raise ArcalError(
            f"the attack {attack} returned an x outside the bounds, or nan: clamp it before the "
            "model is run on it"
        )
    with frozen(model):
        clean, logits = model(x.clone()), model(there.clone())
    if (wrong := int((margin(clean, predicted) < -rounding(clean)).sum())) > 0:
        raise ArcalError(
            f"the attack {attack} returned a `predicted` other than the model's own prediction for "
            f"{wrong} of {len(x)} inputs: return model(x).argmax(dim=1)"
        )
    same = success & ~(margin(logits, predicted) <= rounding(logits))
    if (wrong := int(same.sum())) > 0:
        raise ArcalError(
            f"the attack {attack} claims success on {wrong} of {len(x)} inputs for whose x the "
            "model predicts the same as before: leave success False there"
        )


def verified(
    model: Model,
    x: Tensor,
    perturbed: Tensor,
    y: Tensor,
    bounds: Bounds,
    passes: Tensor,
    norm: Norm = NORMS["l2"],
) -> Adversarial:
    """Run the perturbed inputs through the model as given, and keep those not predicted as `y`.

    `perturbed` `(N, ...)` is NaN where the attack found nothing. A point may be so near the
    boundary that it flips the attack's twin of the model but not the model itself: it is then
    pushed outward by up to 1 % of its perturbation. A point that still does not flip is a failure.
    """
    delta = torch.where(perturbed.isnan(), 0, perturbed - x)
    adversarial = torch.full_like(x, torch.nan)
    success = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    open_ = ~perturbed.flatten(1).isnan().any(dim=1)
    for push in (0.0, 1e-4, 1e-3, 1e-2):
        left = open_.nonzero().squeeze(1)
        if len(left) == 0:
            break
        candidate = clamped(x[left] + (1 + push) * delta[left], bounds)
        with torch.no_grad():
            z = rows(model, left)(candidate.clone())
        flips = (z.argmax(dim=1) != y[left]) & ~(z.isnan() | z.isposinf()).any(dim=1)
        adversarial[left[flips]] = candidate[flips]
        success[left[flips]] = True
        open_[left[flips]] = False
    distance = norm.length((adversarial - x).flatten(1))
    distance = torch.where(success, distance, torch.inf).float()
    reason = _why_none(model, x, y, (~success).nonzero().squeeze(1))
    return Adversarial(distance, success, adversarial, y, passes, reason)


@torch.enable_grad()
def _why_none(model: Model, x: Tensor, y: Tensor, failed: Tensor) -> str:
    """Why inputs `failed` `(B,)` have no distance, judged by at most 8 of them."""
    if len(failed) == 0:
        return ""
    some = failed[:8]
    inputs = x[some].detach().requires_grad_()
    lead = margin(rows(model, some)(inputs.clone()), y[some])
    gradient = torch.zeros_like(inputs)
    if lead.requires_grad:
        (gradient,) = torch.autograd.grad(lead.sum(), inputs, materialize_grads=True)
    with torch.no_grad():
        near = rows(model, some)(x[some] + (x[some] <= 0.5).to(x).mul(2).sub(1) * NEARBY)
    if not near.amax(dim=1).isfinite().all():  # a class at -inf is masked, which is fine
        return "the model's logits are not finite near these inputs: no class leads there"
    flat = int((~gradient.flatten(1).any(dim=1)).sum())
    if 2 * flat >= len(some):
        which = "" if flat == len(some) else f" for {flat} of {len(some)} of these inputs"
        return (
            f"the lead of the predicted class has no gradient there{which}: the model is constant "
            "around them, as one that rounds, thresholds, or clips probabilities before their "
            "logarithm, and no step of any size is known to change its prediction"
        )
    if not gradient.isfinite().all():
        return "the model's gradients are not finite there, as with a root or a logarithm at 0"
    return "no perturbation within the bounds was found to change the prediction"
