"""AR-AdaLS for other libraries' training loops: what all their integrations share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from warnings import warn

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from arcal.arrays import moved
from arcal.attacks import Bounds, Inputs, as_attack
from arcal.attacks.any_model import as_model
from arcal.batch_parts import LABELS
from arcal.distributed import from_all, processes
from arcal.errors import ArcalError, a_type
from arcal.labelled_batches import augments
from arcal.methods import Method
from arcal.orders import check_order
from arcal.ranks import levels
from arcal.robustness import Attack, score
from arcal.smoothing import AdaptiveLabelSmoothing


class Smoother:
    """Algorithm 1 with its rankings: a loss, the predictions of a validation, and its update.

    `classes` and `levels` are Z and R of `AdaptiveLabelSmoothing`, which also explains `alpha` and
    `update`. With `alpha="auto"`, `full_rate` is the number of epochs before the learning rate
    first falls: by default half of them, or all if the rate is constant.

    Levels are cut by `vanilla`: the same network trained without this, as a module or the path of
    its checkpoint; or a number of epochs after which the model itself ranks, with plain
    cross-entropy as the loss until then. `rescore` names further epochs after which the current
    model cuts them again ("on the fly"). Examples are ranked by `order` (see `arcal.orders`); for
    the order `attack`, `attack` is a name in `arcal.attacks.ATTACKS` or an attack of your own, on
    inputs within `bounds`. Several processes share the work.

    Ids come first in a batch `(ids, inputs, labels)`, as from `arcal.data.WithIds`, or under the
    key that `ids` names in a dict. `plain` is the training set without augmentation, with the
    same ids, to be ranked; by default the training set itself. `batch` is the number of examples
    scored at once. `added` is what `arcal.methods.additions` adds to training batches of images,
    such as `{"augmix": 12}` or `{"mixup": 0.2}`, see `augmented_loss`.

    An argument out of range raises `ArcalError`.
    """

    def __init__(
        self,
        classes: int,
        *,
        vanilla: nn.Module | str | Path | int | None = None,
        levels: int = 10,
        alpha: float | Mapping[Any, float] | Literal["auto"] = "auto",
        update: Literal["own", "joint"] = "own",
        full_rate: int | None = None,
        order: str = "attack",
        attack: Attack | str = "boundary-projection-quick",
        bounds: Bounds = (0.0, 1.0),
        rescore: Sequence[int] | int = (),
        ids: str = "id",
        plain: Any = None,
        batch: int = 100,
        added: Mapping[str, Any] | None = None,
    ) -> None:
        check_order(order)
        if unfit := sorted({"perturbed", "perturbed_by"} & {*(added or {})}):
            raise ArcalError(
                f"{unfit[0]} takes two backward passes for each batch, and a library's loop takes "
                "one: leave it out of added"
            )
        if levels > 1 and vanilla is None:
            raise ArcalError(
                "levels are cut by a vanilla model: give vanilla= the trained module, the path of "
                "its checkpoint, or a number of epochs after which the model itself ranks"
            )
        if isinstance(vanilla, int) and vanilla < 1:
            raise ArcalError(f"vanilla is {vanilla}: give at least 1 epoch, or a trained model")
        self.loss: AdaptiveLabelSmoothing = AdaptiveLabelSmoothing(
            classes, levels, alpha, update=update
        )
        # The weights are those of the loop's own loss, so they are no part of the state.
        self.loss.register_buffer("weight", None, persistent=False)
        self.validated: int = 0
        """How many epochs' validations have counted."""
        self.untrained: dict[str, Tensor] = self.state_dict()
        self.used: bool = False
        self.vanilla: nn.Module | str | Path | int | None = vanilla
        self.rescore: set[int] = {rescore} if isinstance(rescore, int) else set(rescore)
        self.full_rate: int | None = full_rate
        self.order: str = order
        self.bounds: Bounds = bounds
        self.attack: Any | None = as_attack(attack) if order == "attack" else None
        self.ids: str = ids
        self.plain: Any = plain
        self.batch: int = batch
        self.method: _Softened | None = _Softened(self).add(**added) if added else None
        self.predictions: list[tuple[Tensor, Tensor, Tensor]] = []
        self.weight: Tensor | None = None
        """The weights of the classes in `augmented_loss`."""

    @property
    def ranked(self) -> bool:
        """Whether there are levels, so that labels are softened."""
        return self.loss.R == 1 or len(self.loss.train_levels.ids) > 0

    def forget(self) -> None:
        """Drop what earlier training with this object has learned, such as with another seed."""
        self.validated = 0
        if self.used:
            self.load_state_dict(self.untrained)

    def missed(self, epochs: int) -> bool:
        """Whether the validation of the last of these epochs has not counted yet.

        This is so in a checkpoint saved after an epoch's last step and before its validation.
        """
        return self.validated < epochs

    def begin(self, epochs: int, falling: bool) -> None:
        """Set the number of epochs in all, and whether the learning rate falls in them."""
        later = [when for when in self.rescore if when >= epochs]
        late = isinstance(self.vanilla, int) and self.vanilla >= epochs
        if later or late:
            raise ArcalError(
                f"ranking after epoch {later[0] if later else self.vanilla} of {epochs} would "
                "teach nothing: name an earlier epoch"
            )
        full = self.full_rate if self.full_rate is not None else epochs
        if self.full_rate is None and falling:
            full = (epochs + 1) // 2
        without = self.vanilla if isinstance(self.vanilla, int) and self.loss.R > 1 else 0
        self.loss.begin(epochs - without, max(0, full - without))

    def unpacked(self, batch: Any) -> tuple[Tensor, Any, Tensor]:
        """The ids `(B,)`, inputs and labels `(B,)` of a loader's batch."""
        if isinstance(batch, Mapping):
            inputs = dict(batch)
            label = next((name for name in LABELS if name in inputs), None)
            if self.ids in inputs and label is not None:
                ids, labels = inputs.pop(self.ids), inputs.pop(label)
                return ids, inputs, labels
            raise ArcalError(
                f"a batch has {', '.join(map(repr, inputs))}: it needs ids under {self.ids!r} "
                "(ids= names another key), whole numbers, since collators leave texts out, and "
                "labels under 'labels' or 'label'"
            )
        if isinstance(batch, Sequence) and len(batch) == 3:
            return batch[0], batch[1], batch[2]
        size = f" of {len(batch)}" if isinstance(batch, Sequence) else ""
        raise ArcalError(
            f"a batch is {a_type(batch)}{size}: it has to be (ids, inputs, labels), which "
            "arcal.data.WithIds makes of a data set of pairs, or a dict with ids"
        )

    def soft_loss(
        self, logits: Tensor, labels: Tensor, ids: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        """The mean loss of a training batch; plain cross-entropy before there are levels."""
        if not self.ranked:
            if weight is not None:  # perhaps in half precision, or on the device before fitting
                weight = moved(weight, logits.device, torch.float32)
            return F.cross_entropy(logits.float(), labels, weight)
        self.loss.weight = weight
        return self.loss(logits, labels, ids)

    def augmented_loss(
        self, model: Callable[[Any], Tensor], ids: Tensor, x: Tensor, labels: Tensor
    ) -> Tensor:
        """The mean loss of a training batch of images `(B, C, H, W)`, with what was `added`.

        `model` takes images to logits. It sees the images that the additions make of `x`, with
        AugMix together with the clean ones in one pass, and each example keeps the soft label of
        its own id.

        >>> smoothing = Smoother(2, vanilla=1, added={"mixup": 0.2})
        >>> ids, labels = torch.arange(4), torch.tensor([0, 1, 0, 1])
        >>> smoothing.augmented_loss(nn.Flatten(), ids, torch.zeros(4, 2, 1, 1), labels)
        tensor(0.6931)
        """
        if self.method is None:
            return self.soft_loss(model(x), labels, ids)
        called: Any = model  # `_Softened` has a criterion, so any callable is a model
        (loss,) = self.method.losses(called, ids, x, labels)
        return loss

    def remember(self, logits: Tensor, labels: Tensor, ids: Tensor) -> None:
        """Keep the predictions of a validation batch, of this process alone."""
        confidence, predicted = logits.detach().float().softmax(dim=1).max(dim=1)
        self.predictions.append((confidence.cpu(), (predicted == labels).cpu(), ids.cpu()))

    def learn(self) -> dict[str, float]:
        """Update from what all processes have kept since the last time; returns figures to log.

        These are each level's soft label and gap, `robust_smoothing/soft_label_0` and so on, where
        level 0 is the least robust.
        """
        remembered, self.predictions = self.predictions, []
        if not self.ranked:
            return {}
        none = (
            torch.empty(0, device="cpu"),
            torch.empty(0, dtype=torch.bool, device="cpu"),
            torch.empty(0, dtype=torch.int64, device="cpu"),
        )
        columns = [torch.cat(column) for column in zip(none, *remembered, strict=True)]
        gap, self.used = self.loss.update(*columns), True
        figures = {"soft_label": self.loss.soft_label.tolist(), "gap": gap.tolist()}
        return {
            f"robust_smoothing/{name}_{r}": value
            for name, by_level in figures.items()
            for r, value in enumerate(by_level)
        }

    def ranks_after(self, epochs: int) -> bool:
        """Whether the model is to cut the levels after this many epochs."""
        return self.loss.R > 1 and (epochs == self.vanilla or epochs in self.rescore)

    def rank(
        self,
        model: nn.Module,
        parts: Mapping[str, DataLoader[Any]],
        prepared: Callable[[Any], tuple[Tensor, Any, Tensor]],
        bounds: Bounds,
    ) -> None:
        """Cut the levels of both parts by a model, a share of the examples in each process.

        `parts` has the loaders of "train" and "validation"; only their data sets and collation are
        used. `prepared` turns a batch into ids, inputs and labels on the model's device. Random
        generators stay as they are. Weights in half precision rank in float32.
        """
        process, N = processes()
        self.used = True
        for part, loader in parts.items():
            dataset = loader.dataset
            if part == "train" and self.plain is not None:
                dataset = self.plain
            if not hasattr(dataset, "__len__"):
                raise ArcalError(
                    f"the {part} data set has no length, so it cannot be ranked: give a map-style "
                    "one, or plain= for training"
                )
            share = range(process, len(dataset), N)  # pyright: ignore
            mine = DataLoader(
                Subset(dataset, share),
                self.batch,
                collate_fn=loader.collate_fn,
                generator=torch.Generator(),
            )
            collate = loader.collate_fn
            if augments(dataset, lambda some: Inputs.of(prepared(collate(some))[1]), share):  # noqa: B023
                warn(
                    f"the {part} data set gives different inputs at each reading, as one with "
                    "augmentation does, and its levels are of what it gives now: "
                    + ("give it" if part == "validation" else "give the same set as plain=,")
                    + " without augmentation",
                    stacklevel=2,
                )
            with (
                torch.inference_mode(False),
                torch.enable_grad(),
                torch.random.fork_rng([]),
                _in_single_precision(model),
            ):
                scores = score(
                    as_model(model, classes=self.loss.Z),
                    map(prepared, mine),
                    self.order,
                    attack=self.attack,
                    bounds=bounds,
                )
            rows = zip(*from_all((scores.ids, scores.robustness)), strict=True)
            ids, robustness = (torch.cat(column) for column in rows)
            self.loss.assign(part, ids, levels(robustness, ids, self.loss.R))

    def state_dict(self) -> dict[str, Tensor]:
        """Soft labels, the epoch and the levels: all that a checkpoint has to hold."""
        state = {name: tensor.clone() for name, tensor in self.loss.state_dict().items()}
        state["validated"] = torch.tensor(self.validated, device="cpu")
        return state

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Continue from a `state_dict` of the same settings."""
        self.loss.load_state_dict(dict(state_dict), strict=False)
        self.validated = int(state_dict["validated"])
        self.used = False


class _Softened(Method):
    """The loss with soft labels as a method, to which augmentations are added."""

    name = "robust smoothing"

    def __init__(self, smoother: Smoother):
        super().__init__()
        self.smoother = smoother

    def criterion(self, logits: Tensor, ids: Tensor, labels: Tensor) -> Tensor:
        return self.smoother.soft_loss(logits, labels, ids, self.smoother.weight)


@contextmanager
def _in_single_precision(model: nn.Module) -> Iterator[None]:
    """Half-precision weights and buffers in float32, which loses nothing; restored afterwards.

    In bfloat16 inputs near 1 are 2**-8 apart, which is more than many distances to a boundary.
    """
    tensors = [*model.parameters(), *model.buffers()]
    half = [(one, one.dtype) for one in tensors if one.dtype in (torch.bfloat16, torch.float16)]
    try:
        for tensor, _ in half:
            tensor.data = tensor.data.float()
        yield
    finally:
        for tensor, dtype in half:
            tensor.data = tensor.data.to(dtype)
