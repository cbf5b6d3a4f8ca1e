"""Training on each batch and on a copy of it, perturbed along the gradient of its loss."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from arcal.errors import ArcalError
from arcal.levels_by_id import ById
from arcal.methods.setting import Setting

Distances = Literal["attack", "gradient"]
"""The orders that are distances."""

ATTACK = "boundary-projection-quick"
"""The attack for the distances, the same as for AR-AdaLS."""

PERTURBED = Setting(
    "train on each batch and then again at x + r g/|g|, g the gradient of its loss: the L2 norm "
    "r, for pixels in [0, 1]; 0.15 is a start. With perturbed-by, r as a share of each image's own "
    "distance",
    above=0,
    name="perturbed",
    type=float | None,
)

PERTURBED_BY = Setting(
    "perturb each image by a share of its own robustness by a vanilla model, which is trained and "
    "scored first: by attack, or by gradient, which is faster",
    words="of the distance by {}".format,
    flag="perturbed-by",
    name="perturbed_by",
    type=Distances | None,
)
"""Settings of all methods with a criterion."""


def check_distances(name: Any) -> None:
    """Refuse an order whose scores are not distances."""
    if name not in get_args(Distances):
        raise ArcalError(
            f"perturbed_by is {name!r}: give attack or gradient, whose scores are distances"
        )


def perturbed(x: Tensor, g: Tensor, r: Tensor | float) -> Tensor:
    """Images `(B, C, H, W)` in [0, 1], each moved by r, in the L2 norm, along its gradient g.

        x' = clip(x + r g / |g|, 0, 1)

    `r` is a number or `(B,)`. Images that are clipped, or have no gradient, move less. To first
    order, x' has the highest loss within this distance (Goodfellow et al. 2015, in the L2 norm).

    >>> x, g = torch.full((1, 1, 1, 2), 0.5), torch.tensor([[[[3e-30, -4e-30]]]])
    >>> perturbed(x, g, 0.1)
    tensor([[[[0.5600, 0.4200]]]])
    """
    over = tuple(range(1, x.ndim))
    largest = g.abs().amax(over, keepdim=True)
    g = g / largest.masked_fill(largest == 0, 1)  # squares of tiny gradients would be 0
    norm = torch.linalg.vector_norm(g, dim=over, keepdim=True)
    if isinstance(r, Tensor):
        r = r.to(x.device, x.dtype).view(-1, *(1,) * len(over))
    return (x + r * g / norm.masked_fill(norm == 0, 1)).clamp(0, 1)


def losses_at_both(
    loss: Callable[[Tensor], Tensor], x: Tensor, r: Tensor | float
) -> Iterator[Tensor]:
    """Half the loss of the images x, then half the loss of the perturbed images; their sum is L.

        L = (L(x) + L(x + r g / |g|)) / 2,   g = dL(x) / dx

    The caller must call backward on the first loss before taking the second: this computes g, so
    that an image costs two forward and backward passes, and no third for its perturbation. Both are
    in training mode, each a batch of its own for batch norm; weights are updated once, after both.

    >>> x, weight = torch.zeros(1, 1, 1, 1), torch.tensor(3.0, requires_grad=True)
    >>> total = 0.0
    >>> for half in losses_at_both(lambda x: (weight * x + 1).sum(), x, r=0.5):
    ...     half.backward()
    ...     total += half.item()
    >>> total, weight.grad  # (1 + 2.5) / 2, (0 + 0.5) / 2
    (1.75, tensor(0.2500))
    """
    x = x.detach().requires_grad_()
    yield loss(x) / 2
    assert x.grad is not None, "backward was called on the first loss"
    yield loss(perturbed(x.detach(), x.grad, r)) / 2


class DistancesById(ById):
    """The robustness of training images by id (ids may be sparse); saved with the method.

    >>> distances = DistancesById()
    >>> distances.assign(torch.tensor([40, 7, 9]), torch.tensor([0.25, 0.5, float("inf")]))
    >>> distances(torch.tensor([7, 9, 40]))
    tensor([0.5000, 0.5000, 0.2500])
    """

    distance: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("ids", torch.empty(0, dtype=torch.int64, device="cpu"))
        self.register_buffer("distance", torch.empty(0, device="cpu"))

    def assign(self, ids: Tensor, robustness: Tensor) -> None:
        """Take unique int64 ids `(N,)` and their robustness `(N,)`.

        An infinite robustness, for which no attack succeeded, is replaced by the largest finite
        one. If there is none, it raises `ArcalError`.
        """
        succeeded = robustness.isfinite()
        if not succeeded.any():
            raise ArcalError(
                "no attack on a training image succeeded, so there are no distances to perturb "
                "by: give the radius itself, without perturbed_by"
            )
        distance = robustness.float().clamp(max=float(robustness[succeeded].max()))
        order = ids.argsort()
        self.ids: Tensor = ids[order]
        self.distance = distance[order]

    def forward(self, ids: Tensor) -> Tensor:
        """The distances float32 `(B,)` of ids; an id without a distance raises `ArcalError`."""
        places, known = self.places(ids)
        if not known.all():
            raise ArcalError(f"training id {int(ids[~known][0])} has no distance: assign them all")
        return self.distance[places]
