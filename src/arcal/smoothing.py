"""Adaptive label smoothing by adversarial robustness (section 4, Algorithm 1).

The symbols are the paper's:

    Z      number of classes
    R      number of adversarial robustness levels; R = 1 is AdaLS
    p~_r   soft label of the correct class in level r        `soft_label`, float64 (R,)
    eps_r  degree of smoothing in level r                    `epsilon`, float64 (R,)
    alpha  learning rate of the soft labels
    t      epoch, counted from 0

Nothing here knows about training loops: a loop calls the object as its loss and calls `update`
once an epoch.
"""

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arcal.adaptive_alpha import alpha_by_epochs_left, joint_step
from arcal.errors import ArcalError

MARGIN = 1e-6
"""The open end of Algorithm 1's interval (1/Z, 1]: a soft label is never below 1/Z + MARGIN."""


def soften(labels: Tensor, epsilon: Tensor | float, Z: int) -> Tensor:
    """Eq. 1: the soft labels `p~ = p (1 - eps) + eps / Z`, as `(N, Z)`.

    `labels` is int64 `(N,)`, `epsilon` a number or `(N,)` in [0, 1]. The loss below never builds
    this.
    """
    epsilon = torch.as_tensor(epsilon, device=labels.device).unsqueeze(-1)
    return F.one_hot(labels, Z) * (1 - epsilon) + epsilon / Z


def soft_label_of(epsilon: Tensor, Z: int) -> Tensor:
    """Eq. 2: the correct class's soft label, `p~ = 1 - eps + eps / Z`."""
    return 1 - epsilon + epsilon / Z


def epsilon_of(soft_label: Tensor, Z: int) -> Tensor:
    """Eq. 4, the inverse of Eq. 2: `eps = (p~ - 1) Z / (1 - Z)`, both signs turned."""
    return (1 - soft_label) * Z / (Z - 1)


def smooth_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    epsilon: Tensor | float,
    weight: Tensor | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy between the soft labels of Eq. 1 and the predicted probabilities.

    `(1 - eps) (-log p_y) + eps mean_z(-log p_z)`, which is what Eq. 1 comes to without a target of
    shape `(N, Z)`. `logits` is `(N, Z)`, `labels` int64 `(N,)`, `epsilon` a number or `(N,)` in
    [0, 1]. A class `weight` `(Z,)` multiplies each class's term, and the mean divides by the
    correct classes' weights, as in `torch.nn.functional.cross_entropy`.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ArcalError(f"reduction is {reduction!r}: use 'mean', 'sum' or 'none'")
    if isinstance(epsilon, Tensor) and epsilon.ndim and epsilon.shape != labels.shape:
        raise ArcalError(
            f"epsilon has shape {tuple(epsilon.shape)}: a number or {tuple(labels.shape)} is needed"
        )
    surprise = -F.log_softmax(logits, dim=1, dtype=torch.promote_types(logits.dtype, torch.float32))
    if weight is not None:
        surprise = surprise * weight
    correct = surprise.gather(1, labels.unsqueeze(1)).squeeze(1)
    spread = epsilon * surprise.mean(dim=1)
    smoothed = torch.as_tensor(epsilon, device=spread.device) > 0
    loss = (1 - epsilon) * correct + torch.where(smoothed, spread, 0.0)  # 0 x inf, a masked class
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    return loss.mean() if weight is None else loss.sum() / weight[labels].sum()


class AdaptiveLabelSmoothing(nn.Module):
    """Algorithm 1: a loss whose soft labels follow the validation set's calibration.

    Each of `R` levels has one soft label for its training examples' correct class. It starts at 1
    (one-hot) and after each epoch moves against the same level's over-confidence on validation.
    `alpha` is a number, or a schedule `{first epoch: alpha}` such as the paper's for ImageNet,
    `{0: 0.001, 60: 0.05}`, or "auto": by the epochs that are left, which `begin` is told (see
    `arcal.adaptive_alpha`). `update` is "own", each level by its own gap as in the paper, or
    "joint". With `R = 1` no levels are needed: that is AdaLS.

    Levels are looked up by sample id, where `assign` put them; an id without a level raises. Give
    ids as the loader makes them, on the CPU, and no batch waits for the device: the object may stay
    on the CPU while the model is elsewhere, and must where there is no float64. It keeps float64
    when the module that it is part of is converted. `state_dict` holds soft labels, epoch and
    levels: with `begin`, where alpha is "auto", all that is needed to continue.
    """

    soft_label: Tensor
    epoch: Tensor
    weight: Tensor | None

    def __init__(
        self,
        Z: int,
        R: int = 1,
        alpha: float | Mapping[Any, float] | Literal["auto"] = 0.005,
        *,
        update: Literal["own", "joint"] = "own",
        weight: Tensor | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        if Z < 2:
            raise ArcalError(f"Z is {Z}: at least 2 classes are needed")
        if not isinstance(R, Integral) or R < 1:
            raise ArcalError(f"R is {R!r}: at least 1 level is needed")
        if update not in ("own", "joint"):
            raise ArcalError(f"update is {update!r}: use 'own' or 'joint'")
        self.Z, self.R, self.rule, self.reduction = int(Z), int(R), update, reduction
        self.alpha = None if alpha == "auto" else _schedule(alpha)
        self.length: tuple[int, int] | None = None
        self.register_buffer("soft_label", torch.ones(R, dtype=torch.float64))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))
        self.register_buffer("weight", weight)
        self.train_levels = LevelsById(R, "train")
        self.validation_levels = LevelsById(R, "validation")

    def _apply(self, fn, recurse=True):
        """Go where `fn` takes it, in float64 still: bfloat16 cannot hold a step of .0005 from 1."""
        exact = self.soft_label
        super()._apply(fn, recurse)
        self.soft_label = exact.to(self.soft_label.device)
        return self

    @property
    def epsilon(self) -> Tensor:
        """Eq. 4: the smoothing of each level, float64 `(R,)` in [0, 1)."""
        return epsilon_of(self.soft_label, self.Z)

    def assign(self, part: str, ids: Tensor, levels: Tensor) -> None:
        """Give the levels `(N,)` of the `"train"` or `"validation"` examples with these ids."""
        tables = {"train": self.train_levels, "validation": self.validation_levels}
        if part not in tables:
            raise ArcalError(f"part {part!r} has no levels: 'train' and 'validation' have")
        tables[part].assign(ids, levels)

    def forward(self, logits: Tensor, labels: Tensor, ids: Tensor | None = None) -> Tensor:
        """The loss of a batch: logits `(N, Z)`, labels and ids int64 `(N,)`."""
        if logits.ndim != 2 or logits.shape[1] != self.Z:
            raise ArcalError(
                f"logits have shape {tuple(logits.shape)}: ({len(labels)}, {self.Z}) is needed"
            )
        epsilon = self.epsilon[self._levels(self.train_levels, ids, len(labels))]
        epsilon = epsilon.to(logits.device, torch.float32, non_blocking=True)
        return smooth_cross_entropy(logits, labels, epsilon, self.weight, self.reduction)

    def begin(self, epochs: int, full_rate: int) -> None:
        """Be told how many epochs there are, and how many at the full learning rate."""
        self.length = epochs, full_rate

    @torch.no_grad()
    def update(self, confidence: Tensor, correct: Tensor, ids: Tensor | None = None) -> Tensor:
        """Eq. 3 and the clip of Algorithm 1, once an epoch. Returns each level's gap, `(R,)`.

        For every validation example, `confidence` `(N,)` is the probability of the predicted class
        and `correct` `(N,)` whether that class is right. `gap_r = conf(S_r) - acc(S_r)`; a level
        without validation examples has a gap of 0 and keeps its label.
        """
        if confidence.shape != correct.shape or correct.dtype != torch.bool or not len(correct):
            raise ArcalError(
                f"confidence {tuple(confidence.shape)} and correct {tuple(correct.shape)} of "
                f"{correct.dtype}: give (N,) floats and (N,) booleans, N at least 1"
            )
        if not ((confidence >= 0) & (confidence <= 1 + 1e-6)).all():
            raise ArcalError("a validation confidence is not in [0, 1]: give probabilities")
        r = self._levels(self.validation_levels, ids, len(confidence))
        difference = (confidence.double() - correct.double()).to(r.device)
        count = torch.bincount(r, minlength=self.R)
        total = torch.zeros(self.R, dtype=torch.float64, device=r.device)
        gap = total.index_add(0, r, difference) / count.clamp(min=1)

        low = 1 / self.Z + MARGIN
        if self.rule == "joint":
            filled = count > 0
            square = total.index_add(0, r, difference**2) / count.clamp(min=1)
            variance = (square - gap**2) / count.clamp(min=1)
            self.soft_label[filled] = joint_step(
                self.soft_label[filled], gap[filled], variance[filled], self.alpha_now(), low
            )
        else:
            self.soft_label -= self.alpha_now() * gap
            self.soft_label.clamp_(min=low, max=1)
        self.epoch += 1
        return gap

    def alpha_now(self) -> float:
        """Alpha of the current epoch: by the epochs left, or the schedule's last that has begun."""
        if self.alpha is not None:
            return self.alpha[max(first for first in self.alpha if first <= int(self.epoch))]
        if self.length is None:
            raise ArcalError("alpha is auto: call begin(epochs, full_rate) before the first update")
        return alpha_by_epochs_left(int(self.epoch), *self.length)

    def _levels(self, table: "LevelsById", ids: Tensor | None, n: int) -> Tensor:
        if self.R == 1:
            return torch.zeros(n, dtype=torch.int64, device=self.soft_label.device)
        if ids is None:
            raise ArcalError(
                f"{self.R} levels are looked up by id: give the ids of the {n} examples"
            )
        if ids.shape != (n,):
            raise ArcalError(f"ids have shape {tuple(ids.shape)}: ({n},) is needed")
        return table(ids.to(self.soft_label.device))


def _schedule(alpha: float | Mapping[Any, float]) -> dict[int, float]:
    """Alpha by its first epoch, which may be written as a string, as JSON has it."""
    given = alpha if isinstance(alpha, Mapping) else {0: alpha}
    schedule = {int(first): a for first, a in given.items() if str(first).isdecimal()}
    positive = all(isinstance(a, Real) and 0 < a < math.inf for a in given.values())
    if not positive or len(schedule) < len(given) or 0 not in schedule:
        raise ArcalError(
            f"alpha is {alpha}: positive values are needed, the first at epoch 0, or auto"
        )
    return schedule


class LevelsById(nn.Module):
    """A table from sample id to level; ids may be sparse. An id that is not in it raises."""

    ids: Tensor
    levels: Tensor

    def __init__(self, R: int, part: str):
        super().__init__()
        self.R, self.part = R, part
        self.register_buffer("ids", torch.empty(0, dtype=torch.int64))
        self.register_buffer("levels", torch.empty(0, dtype=torch.int64))

    def assign(self, ids: Tensor, levels: Tensor) -> None:
        if ids.shape != levels.shape or ids.ndim != 1:
            raise ArcalError(
                f"{len(ids)} {self.part} ids and {len(levels)} levels: give each id one level"
            )
        if len(levels) and (levels.min() < 0 or levels.max() >= self.R):
            raise ArcalError(
                f"{self.part} levels reach {int(levels.max())}: 0 to {self.R - 1} are the levels"
            )
        ids, order = ids.sort()
        if (ids[1:] == ids[:-1]).any():
            raise ArcalError(f"a {self.part} id is given twice: ids must be unique")
        here = self.ids.device
        self.ids, self.levels = ids.to(here), levels[order].long().to(here)

    def forward(self, ids: Tensor) -> Tensor:
        if len(self.ids) == 0:
            raise ArcalError(
                f"no {self.part} levels: call assign({self.part!r}, ids, levels) first"
            )
        at = torch.searchsorted(self.ids, ids).clamp(max=len(self.ids) - 1)
        known = self.ids[at] == ids
        if not known.all():
            raise ArcalError(
                f"{self.part} id {int(ids[~known][0])} has no level: every id needs one"
            )
        return self.levels[at]

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        for name in ("ids", "levels"):  # tables have the length of their data set
            if prefix + name in state_dict:
                here = getattr(self, name).device
                setattr(self, name, torch.empty_like(state_dict[prefix + name], device=here))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
