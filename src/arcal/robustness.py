"""Adversarial robustness of a data set (section 3).

The robustness of an input is the norm (L2 unless the attack has another) of the smallest
perturbation found that changes the model's own prediction. Inputs may also be scored by one of the
cheaper `arcal.orders`; `arcal.ranks` cuts either into levels.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from statistics import median
from typing import Any
from warnings import warn

import torch
from torch import Tensor

from arcal.arrays import TensorLike, as_tensor, no_finer_than
from arcal.attacks import (
    Adversarial,
    BoundaryProjection,
    Bounds,
    CarliniWagner,
    Inputs,
    Model,
    as_attack,
    bound,
    frozen,
)
from arcal.attacks.adversarial import as_adversarial
from arcal.attacks.any_model import as_model, suspect_outputs
from arcal.attacks.inputs import PositionModel
from arcal.attacks.logit_checks import checked_logits, logits_of_one, refuse_sigmoid
from arcal.attacks.norms import checked_bounds
from arcal.errors import ArcalError, first_line, prefixing_errors
from arcal.labelled_batches import (
    as_loader,
    has_ids,
    loader_augments,
    nothing_in,
    refuse_repeats,
    unpacked,
)
from arcal.labels import refuse_text
from arcal.loader_order import Copies, draws_order
from arcal.orders import FORWARD, check_order, ranking

KEYWORDS = (
    "a dict of inputs is passed as keywords and a tuple as arguments: wrap a model that takes the "
    "whole, as lambda **parts: model(parts)"
)

FAR = 1e6
"""A change of an input that leaves any range of categories."""

Attack = Callable[..., Adversarial]
"""A callable `attack(model, x, bounds)`. One that can start from given points also takes `start=`,
and one that runs a part of its inputs calls `rows(model, index)(x[index])`. Its result is checked
by `arcal.attacks.adversarial.as_adversarial`."""


@dataclass(frozen=True, eq=False)
class Robustness:
    """The robustness of the N inputs of a data set, by one order.

    `ids`, `predicted`, `labels`, `passes` int64 `(N,)`; `robustness` float32 `(N,)`, greater is
    more robust. For the order `attack` it is a distance, `+inf` where the attack failed; `success`
    bool `(N,)` says where it succeeded, and `reason`, in one line, why it failed elsewhere. The
    other orders attack nothing, and `success` is None.

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
    model: Any,
    data: Any,
    order: str = "attack",
    *,
    classes: Sequence[str] | None = None,
    attack: Attack | str | None = None,
    bounds: Bounds = (0.0, 1.0),
    seed: int = 0,
    start: Callable[[Tensor], Tensor] | None = None,
    keep: Callable[[Tensor, Adversarial], object] | None = None,
) -> Robustness:
    """Score every input of a data set by an order of `arcal.orders`.

    `model` is anything that `arcal.auditing.as_model` takes. `data` yields batches
    `(ids (B,), x (B, ...), labels (B,))`, with labels in [0, Z), or names among the `classes`, and
    x within `bounds`, on the model's device. x may be a dict or tuple of tensors, of which the
    floating-point one is perturbed (see `Inputs`). Float64 inputs become float32 unless the
    module's weights are float64. The orders margin, confidence and random take token ids as well.
    Data and batches may have any form that `arcal.audit` takes; `(x, labels)` get positions as ids,
    and a loader that shuffles must yield ids. A data set, a list of pairs, a pair `(x, labels)` and
    images or a table of `arcal.data`, which brings its bounds, are scored in batches of
    `usual_batch`.
    `attack` is an attack or its name in `arcal.attacks.ATTACKS`, by default `BoundaryProjection`;
    `seed` is for the order `random`. The model runs in evaluation mode and is left as it was.

    To score again after the model has changed a little, `start` maps ids `(B,)` to earlier
    adversarial points `(B, ...)`, NaN where there is none; the attack must be able to start from
    points. `keep` is called with the ids and the `Adversarial` of every batch.

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
    refuse_text(classes, "classes")
    classes = None if classes is None else tuple(map(str, classes))
    given, model = model, as_model(model, classes=None if classes is None else len(classes))
    loader = as_loader(data)
    if hasattr(data, "fingerprint"):  # a part or table of arcal.data; others may have other bounds
        bounds = getattr(data, "bounds", bounds)
    if loader_augments(loader):
        warn(
            "the loader's data set gives different inputs at each reading, as one with "
            "augmentation does, so the scores are of augmented inputs: give one without",
            stacklevel=2,
        )
    parts: list[Robustness] = []
    copies, known, Z = Copies(loader), set[int](), None
    for n, batch in enumerate(loader):
        with prefixing_errors(f"batch {n}, counted from 0"):
            ids, inputs, labels = _identified(batch, loader, copies, known, classes)
            if not len(ids):
                continue
            rowwise, x = _rowwise(model, inputs.no_finer_than(model), order, bounds)
        with _noting(n, x, several=rowwise is not model):
            if order == "attack":
                begin = {} if start is None else {"start": start(ids).to(x)}
                adversarial = _attacked(attacker, rowwise, x, bounds, begin)
                part = _distances(adversarial, ids, labels)
                if keep is not None:
                    keep(ids, adversarial)
            else:
                logits, value = ranking(rowwise, x, ids, order, seed, check=not parts)
                Z = logits.shape[1]
                part = _values(order, value, logits.argmax(dim=1), ids, labels)
        if not parts and model is not given and (part.predicted == 1).all():  # audits check theirs
            with frozen(model):
                refuse_sigmoid(checked_logits(rowwise, x))
        if Z is None and (labels.min() < 0 or labels.max() > part.predicted.max()):
            with frozen(model):
                Z = checked_logits(rowwise, x).shape[1]
        if Z is not None:
            _check_labels(labels, ids, Z)
        parts.append(part)
    if not parts:
        raise ArcalError(f"there is nothing to score: the data set {nothing_in(loader)}")
    if (doubt := suspect_outputs(model)) is not None:
        warn(doubt, stacklevel=2)
    return _joined(parts)


def _distances(attacked: Adversarial, ids: Tensor, labels: Tensor) -> Robustness:
    """The robustness of a batch by the order `attack`."""
    return Robustness(
        "attack",
        ids,
        attacked.distance,
        attacked.success,
        attacked.predicted,
        labels,
        attacked.passes,
        attacked.reason,
    )


def _values(
    order: str, value: Tensor, predicted: Tensor, ids: Tensor, labels: Tensor
) -> Robustness:
    """The robustness of a batch by an order that attacks nothing."""
    passes = torch.full_like(predicted, int(order == "gradient"))
    return Robustness(order, ids, value, None, predicted, labels, passes)


def _joined(parts: Sequence[Robustness]) -> Robustness:
    """The robustness of all batches, on the CPU; NaN is refused."""
    order = parts[0].order

    def column(name: str) -> Tensor:
        return torch.cat([getattr(part, name) for part in parts]).cpu()

    ids, robustness = column("ids"), column("robustness")
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
        success=column("success") if order == "attack" else None,
        predicted=column("predicted"),
        labels=column("labels").long(),
        passes=column("passes"),
        reason=next((part.reason for part in parts if part.reason), ""),
    )


def _identified(
    batch: Any, loader: Any, copies: Copies, known: set[int], classes: Sequence[str] | None
) -> tuple[Tensor, Inputs, Tensor]:
    """The ids, inputs and labels of a batch; ids that do not name the inputs are refused."""
    ids, inputs, labels = unpacked(batch, len(known), classes)
    if not has_ids(batch):
        if draws_order(loader):
            raise ArcalError(
                "the loader shuffles, or has a sampler, and gives no ids that tell the inputs "
                "apart: make it with shuffle=False, or of `arcal.data.WithIds(dataset)`"
            )
        copies.refuse(inputs, labels)
    refuse_repeats(ids, known)
    return ids, inputs, labels


def _rowwise(model: Model, inputs: Inputs, order: str, bounds: Bounds) -> tuple[Model, Tensor]:
    """The model as a function of one tensor, and that tensor: the attacked one, or positions."""
    if order in FORWARD and inputs.only_run:
        rows = PositionModel(model, inputs)
        return rows, rows.positions
    rowwise, x = bound(model, inputs)
    checked_bounds(x, bounds)
    return rowwise, x


@contextmanager
def _noting(n: int, x: Tensor, *, several: bool) -> Iterator[None]:
    """Name the batch in errors raised in the block, by the model or about what it returns."""
    try:
        yield
    except Exception as error:
        error.add_note(f"in batch {n} of those to score, counted from 0, {tuple(x.shape)}")
        if isinstance(error, TypeError | AttributeError) and several:
            error.add_note(KEYWORDS)
        raise


def _attacked(
    attacker: Attack, model: Model, x: Tensor, bounds: Bounds, begin: Mapping[str, Tensor]
) -> Adversarial:
    """What an attack finds; one line if the model cannot look up what it changes inputs to."""
    try:
        points = attacker(model, x, bounds, **begin)
    except ArcalError:
        raise
    except (LookupError, ValueError, RuntimeError) as error:
        if not isinstance(attacker, BoundaryProjection | CarliniWagner):
            raise  # it may be the attack that fails
        with frozen(model):
            checked_logits(model, x)
        if isinstance(error, RuntimeError) and not _fails_on_other_values(model, x):
            raise  # such as a lack of memory
        raise ArcalError(
            f"the model takes the inputs and fails on what the attack changes them to "
            f"({first_line(error)}): a column that it reads as a category is changed like a "
            "number; give categories as whole numbers beside the numbers, ((categories, numbers), "
            "labels), give bounds, or choose the order margin"
        ) from error
    return as_adversarial(points, attacker, model, x, bounds)


def _fails_on_other_values(model: Model, x: Tensor) -> bool:
    """Whether a model fails on inputs of the same shape that are much smaller or larger."""
    with frozen(model), torch.no_grad():
        for far in (-FAR, FAR):
            try:
                model(x + far)
            except RuntimeError:
                return True
    return False


def _check_labels(labels: Tensor, ids: Tensor, Z: int) -> None:
    if len(wrong := ((labels < 0) | (labels >= Z)).nonzero()):
        i = int(wrong[0])
        raise ArcalError(
            f"label {int(labels[i])} of id {int(ids[i])} is not in [0, {Z}), the model's classes: "
            "give class numbers from 0"
        )


def distance(
    model: Any,
    x: TensorLike,
    y: int | None = None,
    *,
    bounds: Bounds = (0.0, 1.0),
    attack: Attack | str | None = None,
) -> float:
    """The robustness of the model's prediction on one input `x` `(...)`, in float32 as in `score`.

    `model` is anything that `arcal.auditing.as_model` takes. The robustness is the norm of the
    smallest perturbation found that changes the prediction, or +inf if none was found. With a class
    `y` it is the robustness of the prediction y: 0 if the model does not predict y. `attack` is
    `BoundaryProjection`, in L2, unless another is given.

    >>> x = torch.tensor([0.75, 0.5, 0.0])  # the inputs are the logits
    >>> round(distance(torch.nn.Identity(), x), 4)  # 0.25 / sqrt(2)
    0.1768
    >>> from arcal.attacks import BoundaryProjection
    >>> round(distance(torch.nn.Identity(), x, attack=BoundaryProjection(norm="linf")), 4)
    0.125
    >>> distance(torch.nn.Identity(), x, y=1)
    0.0
    """
    attacker: Attack = as_attack(attack)
    model = as_model(model)
    batch = no_finer_than(model, as_tensor(x, "x")).unsqueeze(0)
    checked_bounds(batch, bounds)
    with frozen(model):
        Z = logits_of_one(model, batch[0]).shape[1]
    if y is not None and y not in range(Z):
        raise ArcalError(f"y is {y}: the model's classes are 0 to {Z - 1}")
    attacked = as_adversarial(attacker(model, batch, bounds), attacker, model, batch, bounds)
    if y is not None and int(attacked.predicted) != y:
        return 0.0
    return float(attacked.distance)
