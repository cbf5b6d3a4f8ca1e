"""The orders that a data set is ranked by, from the least to the most robust input (section 3).

    attack      the distance an attack finds; the paper's order, and the only one that is a distance
    gradient    one gradient: the logit margin over the norm of its gradient, |delta| to first order
    margin      the logit margin alone
    confidence  the predicted class's probability p, ranked by its log-odds log p / (1 - p); it
                saturates on training data (footnote 1)
    random      none: the control

All but `attack` are mere rankings: their values have no unit, and nothing is verified.
"""

from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from arcal.attacks import Model, frozen, margin
from arcal.attacks.logit_checks import check_steady, checked_logits
from arcal.attacks.model import gradient_to
from arcal.errors import ArcalError

ORDERS = ("attack", "gradient", "margin", "confidence", "random")
AUDIT_ORDERS = ("attack", "gradient", "margin")
"""Those of an audit's levels. Levels by confidence or by chance are none of robustness."""
FORWARD = ("margin", "confidence", "random")
"""The orders that only run the model, so that inputs may be whole numbers, such as token ids."""
TINY = 1e-15
"""Gradient entries below this lose digits in float32 when they are squared."""


def check_order(order: str) -> None:
    """Refuse an order that is not one of `ORDERS`.

    >>> check_order("margin")
    >>> check_order("size")
    Traceback (most recent call last):
    arcal.errors.ArcalError: order 'size' is unknown: choose from attack, gradient, margin, ...
    """
    if order not in ORDERS:
        raise ArcalError(f"order {order!r} is unknown: choose from {', '.join(ORDERS)}")


def check_audit_order(order: str | None) -> None:
    """Refuse an order that is neither None nor one of `AUDIT_ORDERS`.

    >>> check_audit_order("margin")
    >>> check_audit_order("random")
    Traceback (most recent call last):
    arcal.errors.ArcalError: order 'random' is not for an audit: choose from attack, gradient, \
margin, or None for no levels
    """
    if order not in (None, *AUDIT_ORDERS):
        what = "not for an audit" if order in ORDERS else "unknown"
        raise ArcalError(
            f"order {order!r} is {what}: choose from {', '.join(AUDIT_ORDERS)}, or None for no "
            "levels"
        )


def ranking(
    model: Model, x: Tensor, ids: Tensor, order: str, seed: int, *, check: bool
) -> tuple[Tensor, Tensor]:
    """The logits `(B, Z)` of a batch, and the values `(B,)` that an order but `attack` ranks by.

    `x` `(B, ...)` are the model's inputs; `seed` is used by the order `random` alone. With `check`,
    the model must give a part of the batch the same logits as in the whole batch.

    >>> x = torch.tensor([[0.75, 0.5], [0.0, 0.5]])  # the inputs are the logits
    >>> ranking(torch.nn.Identity(), x, torch.tensor([7, 8]), "margin", seed=0, check=True)[1]
    tensor([0.2500, 0.5000])
    """
    with frozen(model):
        if order == "gradient":
            logits, value = gradient_order(model, x)
        else:
            logits, value = checked_logits(model, x), None
        if check:  # an attack does so itself
            check_steady(model, x, logits)
        if order == "random":
            value = random_order(ids, seed)
        elif order == "margin":
            value = margin(logits, logits.argmax(dim=1))
        elif value is None:
            value = _log_odds(logits.cpu().double())  # not all devices have float64
    return logits, value


def _log_odds(logits: Tensor) -> Tensor:
    """`log p / (1 - p)` of the confidence p, `(N,)`: the same order, and no ties near 1."""
    top, predicted = logits.max(dim=1, keepdim=True)
    others = logits.scatter(1, predicted, -torch.inf)
    return top.squeeze(1) - others.logsumexp(dim=1)


@torch.enable_grad()
def gradient_order(model: Model, x: Tensor) -> tuple[Tensor, Tensor]:
    """Logits `(N, Z)`, and the distance to the nearest boundary if the margin were linear, `(N,)`.

    `(z_y - z_k) / |grad_x (z_y - z_k)|` with y the prediction and k the class with the next
    greatest logit: one forward and one backward pass. A zero gradient gives `+inf`, but 0 where the
    margin is 0 as well; an infinite one gives NaN.

    >>> logits, value = gradient_order(torch.nn.Identity(), torch.tensor([[0.75, 0.5], [0.0, 0.5]]))
    >>> value
    tensor([0.1768, 0.3536])
    """
    x = x.detach().clone().requires_grad_()
    logits = checked_logits(model, x, differentiable=True)
    lead = margin(logits, logits.argmax(dim=1))
    gradient = gradient_to(x, lead)
    lead, gradient = lead.detach(), gradient.flatten(1)
    norm, largest = gradient.norm(dim=1), gradient.abs().amax(dim=1)
    tiny = (largest > 0) & (largest < TINY)  # their squares underflow to 0: all would tie at inf
    scaled = gradient / torch.where(tiny, largest, 1)[:, None]
    norm = torch.where(tiny, largest * scaled.norm(dim=1), norm)
    norm = torch.where(norm.isinf(), torch.nan, norm)  # else all these would tie at 0
    return logits.detach(), torch.where(lead > 0, lead / norm, 0.0)


def random_order(ids: Tensor, seed: int) -> Tensor:
    """A draw in [0, 1) for each id, a hash of (id, seed): the same in any batch. On the CPU.

    >>> random_order(torch.tensor([7, 8]), seed=0)
    tensor([0.5500, 0.7663], dtype=torch.float64)
    >>> random_order(torch.tensor([8]), seed=0)
    tensor([0.7663], dtype=torch.float64)
    """
    digests = b"".join([sha256(b"%d/%d" % (seed, i)).digest()[:8] for i in ids.tolist()])
    return torch.from_numpy(np.frombuffer(digests, dtype=">u8").astype(np.float64) / 2.0**64)
