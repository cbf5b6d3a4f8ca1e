"""What an attack returns, and the check that it is true."""

from dataclasses import dataclass

import torch
from torch import Tensor

from arcal.attacks.inputs import Model, rows
from arcal.attacks.model import predicted_class
from arcal.errors import ArcalError

Bounds = tuple[float, float] | None
"""The interval that every entry of an input lies in; None for embeddings and tables."""


@dataclass(frozen=True)
class Adversarial:
    """The smallest perturbations an attack found for N inputs.

    `distance` float32 `(N,)`: L2 norm of the perturbation, `+inf` where none was found.
    `success` bool `(N,)`: whether the perturbed input changes the model's prediction.
    `x` `(N, ...)`: the perturbed inputs, NaN where none was found.
    `predicted` int64 `(N,)`: the model's prediction on the clean inputs, which was attacked.
    `passes` int64 `(N,)`: forward and backward passes spent on each input.

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


def check_inputs(x: Tensor, bounds: Bounds) -> None:
    """Refuse inputs that are not finite floats within their bounds."""
    if x.dtype not in (torch.float32, torch.float64) or x.ndim < 2:
        raise ArcalError(f"inputs are {x.dtype} {tuple(x.shape)}: float32 (N, ...) is needed")
    if len(x) == 0:
        raise ArcalError("there is no input to attack: the batch is empty")
    if not torch.isfinite(x).all():
        raise ArcalError("an input holds NaN or infinity: clean the data first")
    if bounds is not None and (x.min() < bounds[0] or x.max() > bounds[1]):
        raise ArcalError(
            f"inputs reach from {float(x.min()):.4g} to {float(x.max()):.4g}, outside the bounds "
            f"{bounds}: scale them, or give the bounds they have"
        )


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
        candidate = candidate if bounds is None else candidate.clamp(*bounds)
        flips = predicted_class(rows(model, left), candidate) != predicted[left]
        adversarial[left[flips]] = candidate[flips]
        success[left[flips]] = True
        open_[left[flips]] = False
    distance = (adversarial - x).flatten(1).norm(dim=1)
    distance = torch.where(success, distance, torch.inf).float()
    return Adversarial(distance, success, adversarial, predicted, passes)
