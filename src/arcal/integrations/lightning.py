"""AR-AdaLS as a callback of `pytorch-lightning`, or of `lightning` if that is imported already."""
# pyright: reportMissingImports=false

import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from arcal.errors import ArcalError, a_type
from arcal.integrations._smoother import Smoother

if TYPE_CHECKING:
    from pytorch_lightning import Callback, LightningModule, Trainer
elif "lightning.pytorch" in sys.modules:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    from pytorch_lightning import Callback, LightningModule, Trainer


class RobustSmoothing(Smoother, Callback):
    """Trains a LightningModule by AR-AdaLS, as one of the Trainer's callbacks.

    Its arguments are those of `Smoother`: the number of classes, and what cuts the levels. While
    fitting it replaces the module's `torch.nn.CrossEntropyLoss`, of which there must be exactly
    one, and keeps its weights. In training steps the replacement gives the loss with soft labels;
    in validation steps it gives plain cross-entropy and keeps the predictions. At the last
    validation of an epoch, the predictions of all processes are gathered, those that a sampler
    padded with are dropped by id, and the soft labels move. The sanity check does not count; of
    several validation loaders only the first does. Soft labels and gaps by level are logged, and
    checkpoints hold the state, from which a resumed run continues.

    With `added`, `training_step` returns `smoothing.augmented_loss(self, ids, x, labels)` of this
    callback, which knows what is added, instead of the module's own loss. That loss refuses labels
    in another order than the batch's, as in a hand-written mixup.

    The model that ranks is called as `module(inputs)` and must return logits; batch transforms of
    the module are not applied. A vanilla checkpoint must be of the same class of module. Data sets
    without ids, a module without the loss, and steps that do not fit raise `ArcalError`.

    >>> smoothing = RobustSmoothing(10, vanilla=nn.Linear(4, 10), order="margin")
    >>> smoothing.state_dict()["soft_label"][:3]
    tensor([1., 1., 1.], dtype=torch.float64)
    """

    labels: Tensor | None = None
    """The labels of the first training batch of an epoch, to compare with those the loss gets."""

    current: Tensor | None = None
    """The ids of the current step's batch, None if they are not wanted."""

    softened: bool | None = None
    """Whether training steps since the last update took the loss; None if there were no steps."""

    late: bool = False
    """Whether the current validation is that of the epoch before."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage != "fit":
            return
        if trainer.check_val_every_n_epoch != 1:
            raise ArcalError(
                f"check_val_every_n_epoch is {trainer.check_val_every_n_epoch}: soft labels follow "
                "the validation of every epoch, so leave it at 1"
            )
        self.replaced: tuple[nn.Module, str, nn.CrossEntropyLoss] = _only_cross_entropy(pl_module)
        parent, name, criterion = self.replaced
        setattr(parent, name, _SmoothCrossEntropy(criterion, self, trainer))
        self.weight = criterion.weight

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if stage == "fit":
            parent, name, criterion = self.replaced
            setattr(parent, name, criterion)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        if hasattr(self, "replaced"):
            self.teardown(trainer, pl_module, "fit")

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.global_step:
            self.forget()
        if self.loss.alpha is None or self.rescore or isinstance(self.vanilla, int):
            if (trainer.max_epochs or -1) < 1:
                raise ArcalError("the number of epochs is unknown: give the Trainer max_epochs")
            assert trainer.max_epochs is not None
            self.begin(trainer.max_epochs, falling=bool(trainer.lr_scheduler_configs))
        if not self.ranked and not isinstance(self.vanilla, int):  # as a resumed run may be
            self._rank_by_vanilla(trainer, pl_module)
        if self.missed(trainer.current_epoch):
            self._validate_late(trainer)

    def _validate_late(self, trainer: Trainer) -> None:
        """Run the validation of the epoch before, which a run resumed at its end has skipped."""
        self.late = trainer.validating = True
        loop = trainer.fit_loop.epoch_loop.val_loop
        loop.restarting = False  # it must not continue an earlier one
        try:
            loop.run()
        finally:
            self.late, trainer.training = False, True

    def _rank_by_vanilla(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if isinstance(self.vanilla, nn.Module):
            before = next(self.vanilla.parameters()).device
            try:
                self._rank(trainer, pl_module, self.vanilla.to(pl_module.device))
            finally:
                self.vanilla.to(before)
        else:
            assert isinstance(self.vanilla, str | Path)
            with _weights(pl_module, Path(self.vanilla)):
                self._rank(trainer, pl_module, pl_module)

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.current, _, labels = self.unpacked(batch)
        self.labels = None if batch_idx else labels
        self.softened = bool(self.softened)

    def soft_loss(
        self, logits: Tensor, labels: Tensor, ids: Tensor, weight: Tensor | None = None
    ) -> Tensor:
        self.softened = True
        return super().soft_loss(logits, labels, ids, weight)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.predictions: list[tuple[Tensor, Tensor, Tensor]] = []

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        counts = trainer.state.fn == "fit" and not trainer.sanity_checking and not dataloader_idx
        self.current = self.unpacked(batch)[0] if counts else None

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn != "fit" or trainer.sanity_checking:
            return
        if not self.late and not _is_last(trainer):
            return
        if not self.predictions:
            raise ArcalError(
                "no validation step called the module's CrossEntropyLoss, so there is nothing to "
                "learn from: compute the loss of logits and labels in validation_step, too"
            )
        if self.softened is False:
            loss = "the module's CrossEntropyLoss"
            if self.method is not None:
                loss = "smoothing.augmented_loss(self, ids, x, labels)"
            raise ArcalError(
                f"no training step took the loss with soft labels: return {loss} in training_step"
            )
        self.softened = None
        pl_module.log_dict(self.learn(), sync_dist=True)
        epochs = trainer.current_epoch + (not self.late)
        if self.ranks_after(epochs):
            self._rank(trainer, pl_module, pl_module)
        self.validated: int = epochs

    def _rank(self, trainer: Trainer, pl_module: LightningModule, model: nn.Module) -> None:
        parts = {"train": trainer.train_dataloader, "validation": trainer.val_dataloaders}
        loaders: dict[str, DataLoader[Any]] = {}
        for part, given in parts.items():
            loader = given[0] if isinstance(given, list | tuple) and given else given
            if not isinstance(loader, DataLoader):
                raise ArcalError(
                    f"the {part} loader is {a_type(loader)}: give a torch DataLoader, "
                    "whose data set can be ranked"
                )
            loaders[part] = loader

        def prepared(batch: Any) -> tuple[Tensor, Any, Tensor]:
            batch = pl_module.transfer_batch_to_device(batch, pl_module.device, 0)
            ids, inputs, labels = self.unpacked(batch)
            if isinstance(inputs, dict) and len(inputs) == 1:
                (inputs,) = inputs.values()
            return ids, inputs, labels

        self.rank(model, loaders, prepared, self.bounds)


class _SmoothCrossEntropy(nn.CrossEntropyLoss):
    """Stands in for a module's cross-entropy while the module is fitted."""

    def __init__(
        self, criterion: nn.CrossEntropyLoss, smoothing: RobustSmoothing, trainer: Trainer
    ):
        super().__init__(criterion.weight)
        self.smoothing, self.trainer = smoothing, trainer

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        ids = self.smoothing.current
        if ids is None:
            return super().forward(input, target)
        if self.trainer.training:
            self._check_training(target)
            return self.smoothing.soft_loss(input, target, ids, self.weight)
        self.smoothing.remember(input, target, ids)
        return super().forward(input, target)

    def _check_training(self, target: Tensor) -> None:
        """Refuse a step that leaves out what was added, or mixes labels by itself."""
        smoothing = self.smoothing
        if smoothing.method is not None:
            raise ArcalError(
                "something is added to the training batches, and training_step calls the "
                "CrossEntropyLoss itself: return smoothing.augmented_loss(self, ids, x, labels)"
            )
        labels, smoothing.labels = smoothing.labels, None  # one comparison per epoch
        if labels is None or target.shape != labels.shape or torch.equal(target, labels):
            return
        if torch.equal(target.sort().values, labels.sort().values):
            raise ArcalError(
                "training_step gives the loss the batch's labels in another order, as mixup does, "
                "and soft labels go by the batch's ids: give RobustSmoothing added={'mixup': 0.2}, "
                "and return smoothing.augmented_loss(self, ids, x, labels)"
            )


def _only_cross_entropy(module: nn.Module) -> tuple[nn.Module, str, nn.CrossEntropyLoss]:
    places = [
        (parent, name, child)
        for parent in module.modules()
        for name, child in parent.named_children()
        if isinstance(child, nn.CrossEntropyLoss)
    ]
    if len(places) != 1:
        raise ArcalError(
            f"{type(module).__name__} has {len(places) or 'no'} nn.CrossEntropyLoss: give it one, "
            "such as self.criterion = nn.CrossEntropyLoss(), and call it in both steps"
        )
    criterion = places[0][2]
    plain = nn.CrossEntropyLoss()
    for setting in ("reduction", "label_smoothing", "ignore_index"):
        if getattr(criterion, setting) != getattr(plain, setting):
            raise ArcalError(
                f"{type(module).__name__}'s CrossEntropyLoss has {setting} "
                f"{getattr(criterion, setting)!r}: leave it out, only weight= is kept"
            )
    return places[0]


def _is_last(trainer: Trainer) -> bool:
    """Whether the validation that runs is the last of its epoch."""
    loop = trainer.fit_loop.epoch_loop
    if loop.batch_progress.is_last_batch or trainer.should_stop:
        return True
    done, interval = loop.batch_idx + 1, trainer.val_check_batch or float("inf")
    return done + interval > trainer.num_training_batches


@contextmanager
def _weights(module: nn.Module, path: Path) -> Iterator[None]:
    """The module with the weights of a checkpoint, and afterwards with its own."""
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    try:
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            module.load_state_dict(checkpoint.get("state_dict", checkpoint))
        except OSError as error:
            raise ArcalError(
                f"{path} cannot be read ({error.strerror}): name a checkpoint"
            ) from None
        except (pickle.UnpicklingError, RuntimeError, AttributeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ArcalError(
                f"{path} has no weights of {a_type(module)} ({reason}): give the trained "
                "module itself as vanilla="
            ) from None
        yield
    finally:  # weights that do not fit have been loaded in part
        module.load_state_dict(own)
