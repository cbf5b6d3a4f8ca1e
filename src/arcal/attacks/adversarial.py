"""What an attack returns, and the check that it is true."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.attacks.inputs import Model, rows
from arcal.attacks.model import margin, predicted_class
from arcal.errors import ArcalError

Bounds = tuple[float | Tensor, float | Tensor] | None
"""The interval that every entry of an input lies in; None for embeddings. Tensors broadcast against
one input, so each column of a table may have an interval of its own."""


NEARBY = 1e-3
"""How far from an input its logits are looked at where no attack succeeds, in each number."""


@dataclass(frozen=True)
class Adversarial:
    """The smallest perturbations an attack found for N inputs.

    `distance` float32 `(N,)`: L2 norm of the perturbation, `+inf` where none was found.
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


def checked_bounds(x: Tensor, bounds: Bounds) -> Bounds:
    """Refuse inputs `(N, ...)` that are not finite floats within their bounds.

    Numbers come back as they are, tensors in the shape, dtype and place of one input.

    >>> x = torch.tensor([[0.5, 20.0], [0.25, 40.0]])
    >>> checked_bounds(x, (0.0, torch.tensor([1.0, 50.0])))
    (tensor([0., 0.]), tensor([ 1., 50.]))
    """
    if x.dtype not in (torch.float32, torch.float64) or x.ndim < 2:
        raise ArcalError(f"inputs are {x.dtype} {tuple(x.shape)}: float32 (N, ...) is needed")
    if len(x) == 0:
        raise ArcalError("there is no input to attack: the batch is empty")
    if not torch.isfinite(x).all():
        raise ArcalError("an input holds NaN or infinity: clean the data first")
    if bounds is None:
        return None
    low, high = bounds
    if not isinstance(low, Tensor) and not isinstance(high, Tensor):
        if x.min() < low or x.max() > high:
            raise ArcalError(
                f"inputs reach from {float(x.min()):.4g} to {float(x.max()):.4g}, outside the "
                f"bounds {bounds}: {_remedy(x, (low, high))}"
            )
        return bounds
    try:
        low, high = (torch.as_tensor(end).to(x).expand(x.shape[1:]) for end in bounds)
    except RuntimeError as error:
        shapes = [tuple(torch.as_tensor(end).shape) for end in bounds]
        raise ArcalError(
            f"bounds of shapes {shapes[0]} and {shapes[1]} do not fit inputs {tuple(x.shape)}: "
            "give what broadcasts against one input"
        ) from error
    outside = ((x < low) | (x > high)).flatten(1).nonzero()
    if len(outside):
        row, entry = outside[0].tolist()
        raise ArcalError(
            f"entry {entry} of input {row} is {float(x.flatten(1)[row, entry]):.4g}, outside its "
            f"bounds {float(low.flatten()[entry]):.4g} to {float(high.flatten()[entry]):.4g}: "
            "give the bounds the inputs have"
        )
    return low, high


def _remedy(x: Tensor, bounds: tuple[float, float]) -> str:
    """What to do with inputs `(N, ...)` outside their bounds: images show what they were."""
    if x.ndim == 4 and x.shape[1] in (1, 3) and bounds == (0, 1):
        if x.min() < 0:
            return (
                "if they are normalised images, give them in [0, 1] and normalise in the model's "
                "first layer; if not, give the bounds they have"
            )
        if x.max() > 2:
            return "if they are pixels of 0 to 255, divide them by 255; if not, give the bounds"
    return "scale them, or give the bounds they have"


def flattened(bounds: Bounds) -> Bounds:
    """The bounds of inputs `(N, ...)` as those of inputs `(N, D)`."""
    if bounds is None:
        return None
    low, high = (end.flatten() if isinstance(end, Tensor) else end for end in bounds)
    return low, high


def clamped(x: Tensor, bounds: Bounds) -> Tensor:
    """Inputs `(N, ...)` brought within their bounds."""
    return x if bounds is None else x.clamp(*bounds)  # pyright: ignore[reportArgumentType, reportCallIssue]


def verified(
    model: Model, x: Tensor, perturbed: Tensor, predicted: Tensor, bounds: Bounds, passes: Tensor
) -> Adversarial:
    """Run the perturbed inputs through the model as given and keep what really flips it.

    `perturbed` `(N, ...)` is NaN where the attack has nothing. A point so near the boundary that
    this model, unlike the attack's twin of it, is not flipped is pushed outward by up to 1 % of its
    perturbation; what still does not flip is a failure.
    """
    delta = torch.where(perturbed.isnan(), 0, perturbed - x)
    adversarial = torch.full_like(x, torch.nan)
    success = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    open_ = ~perturbed.flatten(1).isnan().any(dim=1)
    for push in (0.0, 1e-4, 1e-3, 1e-2):
        left = open_.nonzero().squeeze(1)
        if len(left) == 0:
            break
        candidate = x[left] + (1 + push) * delta[left]
        candidate = clamped(candidate, bounds)
        flips = predicted_class(rows(model, left), candidate) != predicted[left]
        adversarial[left[flips]] = candidate[flips]
        success[left[flips]] = True
        open_[left[flips]] = False
    distance = (adversarial - x).flatten(1).norm(dim=1)
    distance = torch.where(success, distance, torch.inf).float()
    reason = _why_none(model, x, predicted, (~success).nonzero().squeeze(1))
    return Adversarial(distance, success, adversarial, predicted, passes, reason)


@torch.enable_grad()
def _why_none(model: Model, x: Tensor, predicted: Tensor, failed: Tensor) -> str:
    """Why inputs `failed` `(B,)` have no distance, from the gradients of 8 of them at most."""
    if len(failed) == 0:
        return ""
    some = failed[:8]
    inputs = x[some].detach().requires_grad_()
    lead = margin(rows(model, some)(inputs.clone()), predicted[some])
    gradient = torch.zeros_like(inputs)
    if lead.requires_grad:
        (gradient,) = torch.autograd.grad(lead.sum(), inputs)
    with torch.no_grad():
        near = rows(model, some)(x[some] + (x[some] <= 0.5).to(x).mul(2).sub(1) * NEARBY)
    if not near.isfinite().all():
        return "the model's logits are not finite near these inputs: no class leads there"
    if not gradient.any():
        return (
            "the lead of the predicted class has no gradient there: the model is constant around "
            "these inputs, or rounds or thresholds what it computes, and no step of any size is "
            "known to change its prediction"
        )
    if not gradient.isfinite().all():
        return "the model's gradients are not finite there, as of a root or a logarithm at 0"
    return "no perturbation within the bounds was found to change the prediction"
