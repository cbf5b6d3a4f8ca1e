"""Adversarial robustness of a data set, and the levels it is cut into (section 3).

The robustness of an input is the norm, L2 unless the attack has another, of the smallest
perturbation found that changes the model's own prediction. Levels come from ranking by it, or by
one of the cheaper orders:

    attack      the distance an attack finds; the paper's order, and the only one that is a distance
    gradient    one gradient: the logit margin over the norm of its gradient, |delta| to first order
    margin      the logit margin alone
    confidence  the log-odds log p / (1 - p) of the predicted class's probability p, which have the
                same order; it saturates on training data (footnote 1)
    random      none: the control

All but `attack` are rankings: their unit means nothing and nothing is verified.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from numbers import Integral
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor, ascending, no_finer_than
from arcal.attacks import Adversarial, Bounds, Model, as_attack, bound, frozen, margin
from arcal.attacks.adversarial import as_adversarial
from arcal.attacks.inputs import PositionModel
from arcal.attacks.model import check_steady, checked_logits, gradient_to, logits_of_one
from arcal.attacks.norms import checked_bounds
from arcal.errors import ArcalError
from arcal.labelled_batches import (
    Copies,
    as_loader,
    draws_order,
    has_ids,
    refuse_repeats,
    unpacked,
)

TINY = 1e-15
"""Gradient entries below this lose digits in float32 when they are squared."""
ORDERS = ("attack", "gradient", "margin", "confidence", "random")
FORWARD = ("margin", "confidence", "random")
"""The orders that only run the model: they take inputs of whole numbers, such as token ids."""
TAKES_KEYWORDS = "a model that takes several inputs is wrapped: arcal.auditing.as_model(model)"

Attack = Callable[..., Adversarial]
"""`attack(model, x, bounds)`; one that can start from given points also takes `start=`, and one
that runs a part of its inputs calls `rows(model, index)(x[index])`. What it returns is checked by
`arcal.attacks.adversarial.as_adversarial`."""


@dataclass(frozen=True, eq=False)
class Robustness:
    """The robustness of N inputs of one data set by one order.

    `ids`, `predicted`, `labels`, `passes` int64 `(N,)`; `robustness` float32 `(N,)`, greater is
    more robust. For the order `attack` it is a distance, `+inf` where the attack failed; `success`
    bool `(N,)` says where it did not and `reason`, in a line, why some failed. For the others,
    which attack nothing, `success` is None.

    >>> x = torch.tensor([[0.75, 0.5], [0.0, 0.5]])
    >>> batch = torch.tensor([7, 8]), x, torch.tensor([0, 0])
    >>> result = score(torch.nn.Identity(), [batch], "margin")  # the inputs are the logits
    >>> result.ids, result.robustness
    (tensor([7, 8]), tensor([0.2500, 0.5000]))
    >>> result.predicted == result.labels
    tensor([ True, False])
    >>> result
    <Robustness by margin: 2 inputs, median 0.375>
    """

    order: str
    ids: Tensor
    robustness: Tensor
    success: Tensor | None
    predicted: Tensor
    labels: Tensor
    passes: Tensor
    reason: str = ""

    def __repr__(self) -> str:
        finite = self.robustness[self.robustness.isfinite()].tolist()
        failed = len(self.robustness) - len(finite)
        line = f"{type(self).__name__} by {self.order}: {len(self.robustness):,} inputs"
        line += f", {failed:,} infinite" if failed else ""
        return f"<{line}{f', median {median(finite):.4g}' if finite else ''}>"

    def rows(self, which: Tensor) -> "Robustness":
        """The robustness of some inputs, by a mask or by positions."""
        some = {name: one[which] for name, one in vars(self).items() if isinstance(one, Tensor)}
        return replace(self, **some)


def score(
    model: Model,
    data: Any,
    order: str = "attack",
    *,
    attack: Attack | str | None = None,
    bounds: Bounds = (0.0, 1.0),
    seed: int = 0,
    start: Callable[[Tensor], Tensor] | None = None,
    keep: Callable[[Tensor, Adversarial], object] | None = None,
) -> Robustness:
    """Score every input of a data set by one of `ORDERS`.

    `data` yields batches `(ids (B,), x (B, ...), labels (B,))`, labels in [0, Z) and x within
    `bounds` on the model's device; x may be a dict or tuple of tensors, of which the floating-point
    one is perturbed, see `Inputs`; a module without weights in float64 gets float64 as float32.
    The orders margin, confidence and random take token ids as well. Batches `(x, labels)`
    get their positions as ids; a loader that shuffles has to give ids. A data set, a pair
    `(x, labels)` and images of `arcal.data` are scored in batches of `usual_batch`. `attack` is an
    attack or its name in `arcal.attacks.ATTACKS`, by default `BoundaryProjection`; `seed` is for
    the order `random` alone. The model runs in evaluation mode and is left as it was.

    To score again after the model has changed a little: `start` maps ids `(B,)` to earlier
    adversarial points `(B, ...)`, NaN where there is none, for an attack that can start from them,
    and `keep` gets the ids and the `Adversarial` of every batch.

    >>> x = torch.tensor([[0.75, 0.5], [0.0, 0.5]])
    >>> batch = torch.tensor([7, 8]), x, torch.tensor([0, 0])
    >>> result = score(torch.nn.Identity(), [batch])  # the inputs are the logits
    >>> result.robustness  # 0.25 / sqrt(2) and 0.5 / sqrt(2)
    tensor([0.1768, 0.3536])
    """
    check_order(order)
    if order != "attack" and (attack or start or keep):
        raise ArcalError(f"the order {order} attacks nothing: leave out attack, start and keep")
    attacker: Attack = as_attack(attack)
    if start and "start" not in inspect.signature(attacker).parameters:
        raise ArcalError(f"{attacker} cannot start from given points: leave out start")
    parts: list[tuple[Tensor, ...]] = []
    reason, known, Z = "", set[int](), None
    loader = as_loader(data)
    copies = Copies(loader)
    for n, batch in enumerate(loader):
        try:
            ids, inputs, labels = unpacked(batch, len(known))
            if not has_ids(batch) and draws_order(loader):
                raise ArcalError(
                    "the loader shuffles, or has a sampler, and gives no ids that tell the inputs "
                    "apart: make it with shuffle=False, or of `arcal.data.WithIds(dataset)`"
                )
            if not has_ids(batch):
                copies.refuse(inputs, labels)
            refuse_repeats(ids, known)
            inputs = inputs.no_finer_than(model)
            if order in FORWARD and inputs.are_whole_numbers:
                rowwise = PositionModel(model, inputs)
                x = rowwise.positions
            else:
                rowwise, x = bound(model, inputs)
                checked_bounds(x, bounds)
        except ArcalError as error:
            raise ArcalError(f"batch {n}, counted from 0: {error}") from None
        try:
            if order == "attack":
                begin = {} if start is None else {"start": start(ids).to(x)}
                attacked = as_adversarial(
                    attacker(rowwise, x, bounds, **begin), attacker, rowwise, x, bounds
                )
                row = (attacked.distance, attacked.success, attacked.predicted, attacked.passes)
                reason = reason or attacked.reason
            else:
                logits, value = _rank_only(rowwise, x, ids, order, seed, check=not parts)
                attacked, predicted, Z = None, logits.argmax(dim=1), logits.shape[1]
                passes = torch.full_like(predicted, int(order == "gradient"))
                row = (value, torch.zeros_like(predicted, dtype=torch.bool), predicted, passes)
        except Exception as error:  # of the model, or about what it returns
            error.add_note(f"in batch {n} of those to score, counted from 0, {tuple(x.shape)}")
            if isinstance(error, TypeError) and rowwise is not model:
                error.add_note(TAKES_KEYWORDS)
            raise
        if Z is None and len(ids) and (labels.min() < 0 or labels.max() > row[2].max()):
            with frozen(model):
                Z = checked_logits(rowwise, x).shape[1]
        if Z is not None:
            _check_labels(labels, ids, Z)
        if keep is not None and attacked is not None:
            keep(ids, attacked)
        parts.append((ids, labels, *row))
    if not parts:
        raise ArcalError("there is nothing to score: the data set is empty")
    columns = [torch.cat(column).cpu() for column in zip(*parts, strict=True)]
    ids, labels, robustness, success, predicted, passes = columns
    if robustness.isnan().any():
        raise ArcalError(
            f"the order {order} ranks {int(robustness.isnan().sum())} of {len(ids)} inputs by NaN, "
            f"first that of id {int(ids[robustness.isnan()][0])}: the model's gradients are not "
            "finite there, as with a root or a logarithm at 0; choose the order attack or margin"
        )
    return Robustness(
        order=order,
        ids=ids,
        robustness=robustness.float(),
        success=success if order == "attack" else None,
        predicted=predicted,
        labels=labels.long(),
        passes=passes,
        reason=reason,
    )


def _check_labels(labels: Tensor, ids: Tensor, Z: int) -> None:
    if len(wrong := ((labels < 0) | (labels >= Z)).nonzero()):
        i = int(wrong[0])
        raise ArcalError(
            f"label {int(labels[i])} of id {int(ids[i])} is not in [0, {Z}), the model's classes: "
            "give class numbers from 0"
        )


def distance(
    model: Model,
    x: TensorLike,
    y: int | None = None,
    *,
    target: int | None = None,
    bounds: Bounds = (0.0, 1.0),
    attack: Attack | str | None = None,
) -> float:
    """The robustness of the model's prediction on one input `x` `(...)`, as in `score` float32.

    The norm of the smallest perturbation found that changes the prediction, or with a `target` that
    changes it to this class, which must not be the prediction; +inf if none was found. With a class
    `y` it is the robustness of the prediction y: 0 if the model does not predict y. `attack` is
    `BoundaryProjection`, in L2, unless another is given.

    >>> x = torch.tensor([0.75, 0.5, 0.0])  # the inputs are the logits
    >>> round(distance(torch.nn.Identity(), x), 4)  # 0.25 / sqrt(2)
    0.1768
    >>> from arcal.attacks import BoundaryProjection
    >>> round(distance(torch.nn.Identity(), x, attack=BoundaryProjection(norm="linf")), 4)
    0.125
    >>> round(distance(torch.nn.Identity(), x, target=2), 1)  # until all three are equal
    0.5
    >>> distance(torch.nn.Identity(), x, y=1)
    0.0
    """
    attacker: Attack = as_attack(attack)
    batch = no_finer_than(model, as_tensor(x, "x")).unsqueeze(0)
    checked_bounds(batch, bounds)
    with frozen(model):
        Z = logits_of_one(model, batch[0]).shape[1]
    if y is not None and y not in range(Z):
        raise ArcalError(f"y is {y}: the model's classes are 0 to {Z - 1}")
    if target is not None and "targets" not in inspect.signature(attacker).parameters:
        raise ArcalError(
            f"{attacker} has no targets: leave out target, or give BoundaryProjection()"
        )
    aim = {} if target is None else {"targets": torch.tensor([target], device="cpu")}
    attacked = as_adversarial(attacker(model, batch, bounds, **aim), attacker, model, batch, bounds)
    if y is not None and int(attacked.predicted) != y:
        return 0.0
    return float(attacked.distance)


def _rank_only(
    model: Model, x: Tensor, ids: Tensor, order: str, seed: int, *, check: bool
) -> tuple[Tensor, Tensor]:
    """The logits `(B, Z)` of a batch, and what an order other than attack ranks it by, `(B,)`."""
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
    tiny = (largest > 0) & (largest < TINY)  # their squares would be 0, and all of them tie at inf
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


def check_order(order: str, more: str = "") -> None:
    """Refuse an order that is not one of `ORDERS`; `more` says what else may be chosen.

    >>> check_order("margin")
    >>> check_order("size")
    Traceback (most recent call last):
    arcal.errors.ArcalError: order 'size' is unknown: choose from attack, gradient, margin, ...
    """
    if order not in ORDERS:
        raise ArcalError(f"order {order!r} is unknown: choose from {', '.join(ORDERS)}{more}")


def rank(robustness: TensorLike, ids: TensorLike) -> Tensor:
    """Position of each input from the least to the most robust, int64 `(N,)`, ties by id.

    `robustness` `(N,)` may be infinite; `ids` are int64 `(N,)`. NaN, another shape, or an id that
    repeats raises `ArcalError`.

    >>> rank(torch.tensor([0.9, torch.inf, 0.1, 0.9]), torch.tensor([8, 2, 3, 5]))
    tensor([2, 3, 0, 1])
    """
    robustness, ids = as_tensor(robustness, "robustness"), as_tensor(ids, "ids")
    if robustness.shape != ids.shape or ids.ndim != 1:
        raise ArcalError(
            f"robustness {tuple(robustness.shape)} and ids {tuple(ids.shape)}: give (N,) of each"
        )
    ids = ids.to(robustness.device)
    if robustness.isnan().any():
        raise ArcalError("a robustness is NaN: a failed attack is +inf, never NaN")
    if ids.is_floating_point():
        raise ArcalError(f"ids are {ids.dtype}: give whole numbers")
    by_id = ascending(ids)
    order = by_id[robustness[by_id].argsort(stable=True)]
    return torch.empty_like(order).scatter_(0, order, torch.arange(len(ids), device=ids.device))


def levels(robustness: TensorLike, ids: TensorLike, R: int) -> Tensor:
    """Cut the ranking into `R` levels of equal size, int64 `(N,)`: 0 is the least robust.

    Sizes differ by at most 1. Section 3.1 uses R = 10. Fewer inputs than levels, and what `rank`
    refuses, raise `ArcalError`.

    >>> levels(torch.tensor([0.9, torch.inf, 0.1, 0.2]), torch.arange(4), R=2)
    tensor([1, 1, 0, 0])
    """
    ranks = rank(robustness, ids)
    N = len(ranks)
    if not isinstance(R, Integral) or not 1 <= R <= N:
        raise ArcalError(f"{N} inputs cannot be cut into {R} levels: choose R from 1 to {N}")
    return ranks * R // N


def mean_rank(robustness: TensorLike, ids: TensorLike) -> Tensor:
    """One ranking for M models: each input's mean rank over robustness `(M, N)`, float64 `(N,)`.

    Ids are int64 `(N,)`. No models, another shape, NaN, or an id that repeats raises `ArcalError`.

    >>> mean_rank(torch.tensor([[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]]), torch.arange(3))
    tensor([1.0000, 0.5000, 1.5000], dtype=torch.float64)
    """
    runs = as_tensor(robustness, "robustness").cpu()  # not all devices have float64
    if runs.ndim != 2 or len(runs) == 0:
        raise ArcalError(f"robustness {tuple(runs.shape)}: give (M, N), a row for each model")
    return torch.stack([rank(run, ids) for run in runs]).double().mean(dim=0)
