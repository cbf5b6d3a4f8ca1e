"""Adaptive label smoothing by adversarial robustness (section 4, Algorithm 1).

The symbols are the paper's:

    Z      number of classes
    R      number of adversarial robustness levels; R = 1 is AdaLS
    p~_r   soft label of the correct class in level r        `soft_label`, float64 (R,)
    eps_r  degree of smoothing in level r                    `epsilon`, float64 (R,)
    alpha  learning rate of the soft labels
    t      epoch, counted from 0

A loop uses an `AdaptiveLabelSmoothing` as its loss, and calls its `update` once an epoch.
"""

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from arcal.adaptive_alpha import alpha_by_epochs_left, alpha_by_first_epoch, joint_step
from arcal.arrays import TensorLike, as_tensor, leads_to_float64, moved
from arcal.distributed import check_alike, each_id_once, from_all
from arcal.errors import ArcalError
from arcal.levels_by_id import LevelsById
from arcal.logits import refuse_probabilities

MARGIN = 1e-6
"""The open end of Algorithm 1's interval (1/Z, 1]: a soft label is never below 1/Z + MARGIN."""


def soften(labels: TensorLike, epsilon: Tensor | float, Z: int) -> Tensor:
    """Eq. 1: the soft labels `p~ = p (1 - eps) + eps / Z`, float `(N, Z)`, each row summing to 1.

    `labels` are whole numbers `(N,)` in [0, Z), `epsilon` a number or a tensor `(N,)` in [0, 1].
    Another epsilon, or labels that are not class numbers, raise `ArcalError`.
    `smooth_cross_entropy` is the loss with these targets and does not build them.

    >>> soften(torch.tensor([2, 0]), torch.tensor([0.0, 0.3]), Z=3)
    tensor([[0.0000, 0.0000, 1.0000],
            [0.8000, 0.1000, 0.1000]])
    """
    labels = as_tensor(labels, "labels")
    labels = _class_numbers(labels, labels.shape[:1].numel())
    epsilon = torch.as_tensor(epsilon, device=labels.device)
    _check_epsilon(epsilon, labels)
    _check_classes(labels, Z)
    epsilon = epsilon.unsqueeze(-1)
    return F.one_hot(labels, Z) * (1 - epsilon) + epsilon / Z


def soft_label_of(epsilon: Tensor, Z: int) -> Tensor:
    """Eq. 2: the soft label of the correct class, `p~ = 1 - eps + eps / Z`, in [1/Z, 1].

    >>> soft_label_of(torch.tensor([0.0, 0.5, 1.0]), Z=4)
    tensor([1.0000, 0.6250, 0.2500])
    """
    return 1 - epsilon + epsilon / Z


def epsilon_of(soft_label: Tensor, Z: int) -> Tensor:
    """Eq. 4, the inverse of Eq. 2: `eps = (1 - p~) Z / (Z - 1)`, in [0, 1].

    >>> epsilon_of(torch.tensor([1.0, 0.625, 0.25]), Z=4)
    tensor([0.0000, 0.5000, 1.0000])
    """
    return (1 - soft_label) * Z / (Z - 1)


def smooth_cross_entropy(
    logits: Tensor,
    labels: TensorLike,
    epsilon: TensorLike | float,
    weight: TensorLike | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross-entropy between the soft labels of Eq. 1 and the predicted probabilities, in nats.

    Computed as `(1 - eps) (-log p_y) + eps mean_z(-log p_z)`, which equals Eq. 1 and needs no
    target of shape `(N, Z)`. `logits` is `(N, Z)`, `labels` whole numbers `(N,)` in [0, Z),
    `epsilon` a number or a tensor `(N,)` in [0, 1]. `weight` `(Z,)` multiplies the term of each
    class, and the mean then divides by the sum of the correct classes' weights, as in
    `torch.nn.functional.cross_entropy`. `reduction` "mean" and "sum" return a scalar, "none"
    returns `(N,)`, in the logits' dtype but at least float32. Another reduction, an epsilon or a
    weight of the wrong shape and, on the CPU, an epsilon outside [0, 1] or a label that is not a
    class raise `ArcalError`.

    >>> logits, labels = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> smooth_cross_entropy(logits, labels, epsilon=0.1)
    tensor(0.2951)
    >>> F.cross_entropy(logits, labels, label_smoothing=0.1)
    tensor(0.2951)
    """
    _check_reduction(reduction)
    labels = _class_numbers(labels, len(logits)).to(logits.device)
    epsilon = epsilon if isinstance(epsilon, int | float) else as_tensor(epsilon, "epsilon")
    _check_epsilon(epsilon, labels)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    class_losses = -F.log_softmax(logits, dim=1, dtype=dtype)
    if isinstance(epsilon, Tensor):
        epsilon = moved(epsilon, logits.device, dtype)
    if weight is not None:
        weight = moved(as_tensor(weight, "weight"), logits.device, dtype)
        if weight.shape != logits.shape[1:]:
            raise ArcalError(f"weight has shape {tuple(weight.shape)}: give one for each class")
        class_losses = class_losses * weight
    try:
        correct = class_losses.gather(1, labels.unsqueeze(1)).squeeze(1)
    except RuntimeError:  # torch's own check, at no extra cost; a GPU has another
        _check_classes(labels, logits.shape[1])
        raise
    uniform = epsilon * class_losses.mean(dim=1)
    # Without smoothing a class masked by a logit of -inf must not add 0 x inf = nan.
    smoothed = torch.as_tensor(epsilon, device=uniform.device) > 0
    loss = (1 - epsilon) * correct + torch.where(smoothed, uniform, 0.0)
    if reduction != "mean":
        return loss if reduction == "none" else loss.sum()
    return loss.mean() if weight is None else loss.sum() / weight[labels].sum()


class AdaptiveLabelSmoothing(nn.Module):
    """Algorithm 1: a loss whose soft labels adapt to the calibration on the validation set.

    Each of the `R` levels has one soft label, which every training example of the level gets for
    its correct class. It starts at 1 (one-hot). After each epoch it is lowered by `alpha` times the
    level's over-confidence on the validation set, and raised where the level is under-confident
    (Eq. 3). With `R = 1` no levels are needed: that is AdaLS.

    `alpha` is a positive number; a schedule `{first epoch: alpha}`, such as the paper's
    `{0: 0.001, 60: 0.05}` for ImageNet; or "auto", which computes it from the number of epochs left
    and needs a call of `begin` (see `arcal.adaptive_alpha`). `update` is "own" (each level moves by
    its own gap, as in the paper) or "joint" (see `arcal.adaptive_alpha.joint_step`). `weight` and
    `reduction` are those of `smooth_cross_entropy`. An argument out of range raises `ArcalError`.

    With `R > 1`, `assign` stores the level of every example by its id, and `forward` and `update`
    look levels up by id; an id without a level raises `ArcalError`.

    The module may stay on the CPU while the model is on another device, and does so if that device
    has no float64. Ids passed on the CPU, as data loaders yield them, avoid a synchronisation with
    the device. Soft labels stay float64 when a parent module is converted to another type.
    `state_dict` holds Z, the soft labels, the epoch and the levels; with alpha "auto", also call
    `begin` to resume. A state with another Z or R raises `ArcalError`.

    >>> loss = AdaptiveLabelSmoothing(Z=10, R=2, alpha=0.5)
    >>> loss.assign("train", torch.tensor([0, 1, 2]), torch.tensor([0, 1, 1]))
    >>> loss.assign("validation", torch.tensor([7, 8]), torch.tensor([0, 1]))
    >>> loss(torch.zeros(2, 10), torch.tensor([3, 4]), ids=torch.tensor([0, 2]))  # log 10
    tensor(2.3026)
    >>> confidence, correct = torch.tensor([0.75, 0.75]), torch.tensor([False, True])
    >>> loss.update(confidence, correct, ids=torch.tensor([7, 8]))  # over- and under-confident
    tensor([ 0.7500, -0.2500], dtype=torch.float64)
    >>> loss.soft_label
    tensor([0.6250, 1.0000], dtype=torch.float64)
    """

    alpha: dict[int, float] | None
    reduction: str
    classes: Tensor
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
        weight: TensorLike | None = None,
        reduction: str = "mean",
    ):
        super().__init__()
        _check_reduction(reduction)
        if not isinstance(Z, Integral) or Z < 2:
            raise ArcalError(f"Z is {Z!r}: give the number of classes, at least 2")
        if not isinstance(R, Integral) or R < 1:
            raise ArcalError(f"R is {R!r}: give the number of levels, at least 1")
        if update not in ("own", "joint"):
            raise ArcalError(f"update is {update!r}: use 'own' or 'joint'")
        self.Z, self.R, self.rule, self.reduction = int(Z), int(R), update, reduction
        self.alpha = None if str(alpha) == "auto" else alpha_by_first_epoch(alpha)
        self.length: tuple[int, int] | None = None
        self._has_checked_logits = False
        self.register_buffer("classes", torch.tensor(self.Z, device="cpu"))  # to check a state
        self.register_buffer("soft_label", torch.ones(R, dtype=torch.float64, device="cpu"))
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64, device="cpu"))
        weight = None if weight is None else as_tensor(weight, "weight")
        if weight is not None and not (
            weight.shape == (Z,) and weight.isfinite().all() and (weight >= 0).all()
        ):
            raise ArcalError(f"weight has to be {Z} numbers of at least 0, one for each class")
        self.register_buffer("weight", weight)
        self.train_levels: LevelsById = LevelsById(R, "train")
        self.validation_levels: LevelsById = LevelsById(R, "validation")

    def _apply(self, fn, recurse=True):
        """Stay in float64, also on another device: bfloat16 cannot represent 1 - .0005."""
        exact = self.soft_label
        if leads_to_float64(fn, exact.device):
            super()._apply(fn, recurse)
            self.soft_label = exact.to(self.soft_label.device)
        return self

    def extra_repr(self) -> str:
        alpha = "'auto'" if self.alpha is None else self.alpha
        return f"Z={self.Z}, R={self.R}, alpha={alpha}, update={self.rule!r}, epoch={self.epoch}"

    @property
    def epsilon(self) -> Tensor:
        """Eq. 4: the degree of smoothing of each level, float64 `(R,)` in [0, 1)."""
        return epsilon_of(self.soft_label, self.Z)

    def assign(self, part: str, ids: TensorLike, levels: TensorLike) -> None:
        """Set the levels of the training or validation examples, by id.

        `part` is "train" or "validation"; `ids` are unique int64 `(N,)`, `levels` int64 `(N,)` in
        [0, R). Replaces what was assigned before; anything else raises `ArcalError`.
        """
        tables = {"train": self.train_levels, "validation": self.validation_levels}
        if part not in tables:
            raise ArcalError(f"part {part!r} has no levels: choose 'train' or 'validation'")
        tables[part].assign(as_tensor(ids, "ids"), as_tensor(levels, "levels"))

    def _load_from_state_dict(self, state_dict, prefix, *args, **kwargs) -> None:
        saved = state_dict.setdefault(prefix + "classes", self.classes)  # arcal 0.1 saved none
        Z, R = int(saved), len(state_dict.get(prefix + "soft_label", self.soft_label))
        if (Z, R) != (self.Z, self.R):
            raise ArcalError(
                f"the state is of Z = {Z} and R = {R}, not of {self.Z} and {self.R}: continue "
                "with the settings it was trained with"
            )
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def forward(self, logits: Tensor, labels: TensorLike, ids: TensorLike | None = None) -> Tensor:
        """The loss of a batch: logits `(N, Z)`, labels and ids whole numbers `(N,)`.

        `ids` may be left out when `R = 1`. A wrong shape, an unknown id, probabilities in the first
        batch or, on the CPU, a label that is not a class raise `ArcalError`.
        """
        if logits.ndim != 2 or logits.shape[1] != self.Z:
            raise ArcalError(
                f"logits have shape {tuple(logits.shape)}: give ({len(labels)}, {self.Z}), one row "
                "for each label and one column for each class"
            )
        if not self._has_checked_logits:
            refuse_probabilities(logits)
            self._has_checked_logits = True
        epsilon = self.epsilon[self._levels(self.train_levels, ids, len(logits))]
        return smooth_cross_entropy(logits, labels, epsilon, self.weight, self.reduction)

    def begin(self, epochs: int, full_rate: int) -> None:
        """Set the number of epochs, and how many of them have the full learning rate.

        Only alpha "auto" needs it, before the first `update`. More epochs at the full rate than
        there are, or fewer than none, raise `ArcalError`.
        """
        if not 0 <= full_rate <= epochs:
            raise ArcalError(
                f"{full_rate} of {epochs} epochs with the full learning rate: give the number of "
                "epochs, and how many of them come before the learning rate first falls"
            )
        self.length = epochs, full_rate

    @torch.no_grad()
    def update(
        self,
        confidence: TensorLike,
        correct: TensorLike,
        ids: TensorLike | None = None,
        *,
        gathered: bool = False,
    ) -> Tensor:
        """Eq. 3 and the clipping of Algorithm 1; call it once an epoch. Returns the gaps `(R,)`.

        For every validation example, `confidence` float `(N,)` is the probability of the predicted
        class, `correct` bool `(N,)` says whether that class is right, and `ids` int64 `(N,)` (not
        needed when `R = 1`) gives its level. A repeated id counts once; missing examples cause a
        warning. The gap of level r is `conf(S_r) - acc(S_r)`, float64 in [-1, 1]; a level without
        validation examples has a gap of 0 and keeps its soft label.

        Where `torch.distributed` runs several processes, every process must call this with its own
        predictions: all are gathered, so that every process gets the soft labels of a single
        process on the whole validation set. With `gathered`, each process already passes all of
        them, and nothing is exchanged. Without ids, examples that a sampler pads with count twice.

        Other shapes, no predictions at all, a confidence outside [0, 1], an unknown id or an id of
        several examples raise `ArcalError`, in all processes.
        """
        share = confidence, correct, ids
        mine = [None if x is None else as_tensor(x).detach().cpu() for x in share]
        shares = [mine] if gathered else from_all(mine)
        confidence, correct, ids = _joined(shares)
        # On the CPU: a GPU adds in any order, and soft labels must be the same in all processes.
        r = self._levels(self.validation_levels.all_levels, ids, len(confidence)).cpu()
        soft = self.soft_label.cpu()
        difference, alpha = confidence.double() - correct.double(), self.alpha_now()
        count = torch.bincount(r, minlength=self.R)
        total = torch.zeros(self.R, dtype=torch.float64, device="cpu")
        gap = total.index_add(0, r, difference) / count.clamp(min=1)
        low = 1 / self.Z + MARGIN
        if self.rule == "joint":
            filled = count > 0
            square = total.index_add(0, r, difference**2) / count.clamp(min=1)
            variance = (square - gap**2) / count.clamp(min=1)
            soft[filled] = joint_step(soft[filled], gap[filled], variance[filled], alpha, low)
        else:
            soft.sub_(alpha * gap).clamp_(min=low, max=1)
        self.soft_label.copy_(soft)
        self.epoch += 1
        return gap

    def alpha_now(self) -> float:
        """Alpha of the current epoch: from the schedule, or from the number of epochs left."""
        if self.alpha is not None:
            return self.alpha[max(first for first in self.alpha if first <= int(self.epoch))]
        if self.length is None:
            raise ArcalError(
                "alpha is 'auto' and the number of epochs unknown: call begin(epochs, full_rate) "
                "before the first update"
            )
        return alpha_by_epochs_left(int(self.epoch), *self.length)

    def _levels(self, of: Callable[[Tensor], Tensor], ids: TensorLike | None, n: int) -> Tensor:
        if self.R == 1:
            return torch.zeros(n, dtype=torch.int64, device=self.soft_label.device)
        if ids is None:
            raise ArcalError(f"ids are missing: for {self.R} levels pass the ids of {n} examples")
        ids = as_tensor(ids, "ids")
        if ids.shape != (n,):
            raise ArcalError(f"ids have shape {tuple(ids.shape)}: give ({n},), one per example")
        return of(ids.to(self.soft_label.device))


def _check_reduction(reduction: str) -> None:
    if reduction not in ("mean", "sum", "none"):
        raise ArcalError(f"reduction is {reduction!r}: use 'mean', 'sum' or 'none'")


def _class_numbers(labels: TensorLike, n: int) -> Tensor:
    labels = as_tensor(labels, "labels")
    if labels.shape != (n,) or labels.is_floating_point() or labels.dtype == torch.bool:
        raise ArcalError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}: give {n} class numbers, "
            "one for each row of logits; of one-hot labels, labels.argmax(dim=1)"
        )
    return labels.long()


def _check_classes(labels: Tensor, Z: int) -> None:
    wrong = labels[(labels < 0) | (labels >= Z)]
    if len(wrong):
        raise ArcalError(
            f"a label is {int(wrong[0])}, and the {Z} classes are 0 .. {Z - 1}: number them from "
            "0, and leave out rows that have no label"
        )


def _check_epsilon(epsilon: Tensor | float, labels: Tensor) -> None:
    low = high = epsilon
    if isinstance(epsilon, Tensor):
        if epsilon.ndim and epsilon.shape != labels.shape:
            raise ArcalError(
                f"epsilon has shape {tuple(epsilon.shape)}: give a number, or one value for each "
                f"example {tuple(labels.shape)}"
            )
        if epsilon.device.type != "cpu" or not epsilon.numel():  # looking means waiting
            return
        low, high = epsilon.aminmax()  # nan if one of them is
    if not (low >= 0 and high <= 1):
        raise ArcalError("an epsilon is not in [0, 1]: it is the share of a label to spread")


def _joined(shares: list[Any]) -> tuple[Tensor, Tensor, Tensor | None]:
    """The predictions of all processes, checked; each id once where there are ids."""
    for confidence, correct, ids in shares:
        if confidence.shape != correct.shape or correct.dtype != torch.bool or correct.ndim != 1:
            raise ArcalError(
                f"confidence has shape {tuple(confidence.shape)} and correct is {correct.dtype} of "
                f"shape {tuple(correct.shape)}: give N floats and N booleans, N at least 1"
            )
        if confidence.isnan().any():
            raise ArcalError("a validation confidence is nan: if training diverged, lower its rate")
        if not ((confidence >= 0) & (confidence <= 1 + 1e-6)).all():
            raise ArcalError("a validation confidence is not in [0, 1]: give probabilities")
        if ids is not None and ids.shape != correct.shape:
            raise ArcalError(f"ids have shape {tuple(ids.shape)}: give {tuple(correct.shape)}")
    if not sum(len(share[1]) for share in shares):
        raise ArcalError("there are no validation predictions: give at least 1")
    columns = list(zip(*shares, strict=True))
    confidence, correct = torch.cat(columns[0]), torch.cat(columns[1])
    if any(ids is None for ids in columns[2]):
        return confidence, correct, None
    ids = torch.cat([some for some in columns[2] if len(some)])  # an empty list has become floats
    check_alike(ids, confidence, correct)
    ids, confidence, correct = each_id_once(ids, confidence, correct)
    return confidence, correct, ids
