"""AR-AdaLS in the Trainer of Hugging Face's `transformers`."""
# pyright: reportMissingImports=false

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback

from arcal.errors import ArcalError
from arcal.files import write_whole
from arcal.integrations._smoother import Smoother

STATE = "robust_smoothing.safetensors"
"""The file in a checkpoint's folder that holds soft labels and levels."""


class Smoothing(Smoother):
    """The settings of a `RobustSmoothingTrainer`, and what it has learned.

    Its arguments are those of `Smoother`: the number of classes, and what cuts the levels. A path
    as `vanilla` is a folder that `save_pretrained` wrote for the same class of model.

    >>> smoothing = Smoothing(2, vanilla=1, order="margin")  # ranked by itself after an epoch
    >>> smoothing.loss.soft_label[:3]
    tensor([1., 1., 1.], dtype=torch.float64)
    """


class RobustSmoothingTrainer(Trainer):  # pyright: ignore[reportGeneralTypeIssues]
    """A Trainer of classifiers whose labels are softened by robustness; it takes `smoothing=`.

    To mix it into another Trainer, put it first: `class Mine(RobustSmoothingTrainer, Other)`. The
    data sets have a column of ids, "id" unless `Smoothing(ids=...)` names another;
    `remove_unused_columns` keeps it, and the model does not see it. The training loss is that of
    the soft labels, counted once per example however batches are accumulated or shared; the loss of
    evaluations is plain cross-entropy. At the end of each epoch the predictions of all processes on
    `eval_dataset`, or the first of several, move the soft labels, which are logged with their gaps;
    evaluations before or after training do not. What a sampler padded with is dropped by id.
    Checkpoints hold the state, and `resume_from_checkpoint` continues from it.

    What `Smoothing(added=...)` names is added to training batches that have `pixel_values` alone,
    as the library's image models take them.

    Models that take `input_ids` are ranked by their embeddings, which have no bounds; other models
    within `bounds`. An evaluation that is not once per epoch, another loss or label smoothing, and
    missing ids raise `ArcalError`.

    >>> RobustSmoothingTrainer(smoothing=Smoothing(2, vanilla=1), compute_loss_func=print)
    Traceback (most recent call last):
    arcal.errors.ArcalError: compute_loss_func is given, ...
    """

    def __init__(self, *arguments: Any, smoothing: Smoother, **keywords: Any) -> None:
        if keywords.get("compute_loss_func") is not None:
            raise ArcalError(
                "compute_loss_func is given, but the loss is that of the soft labels: leave it out"
            )
        super().__init__(*arguments, compute_loss_func=self._loss, **keywords)
        if self.args.label_smoothing_factor:
            raise ArcalError(
                "label_smoothing_factor is set, but labels are softened here: leave it out"
            )
        self.smoothing = smoothing
        self._ids: Tensor | None = None
        self._counts = False
        self.add_callback(_AtTheStart(self))

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        columns = self._signature_columns
        if columns is not None and self.smoothing.ids not in columns:
            columns.append(self.smoothing.ids)

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs without the ids, which the loss will need and the model does not know."""
        inputs = dict(super()._prepare_inputs(inputs))
        self._ids = inputs.pop(self.smoothing.ids, None)
        return inputs

    def compute_loss(self, model: Any, inputs: dict[str, Any], *more: Any, **named: Any) -> Any:
        """`Trainer.compute_loss`, for training batches with what was `added` to them."""
        adds = self.smoothing.method is not None and bool(self.model and self.model.training)
        called: Any = _Later(model) if adds else model
        return super().compute_loss(called, inputs, *more, **named)

    def _loss(
        self, outputs: Any, labels: Tensor, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        logits, ids = outputs["logits"], self._ids
        later = outputs.get("later") if isinstance(outputs, dict) else None
        training = bool(self.model and self.model.training)
        if not training and not self._counts:
            loss = F.cross_entropy(logits.float(), labels)
        elif ids is None:
            raise ArcalError(
                f"a batch has no {self.smoothing.ids!r}: add a column of ids to the data set, such "
                f"as dataset.add_column({self.smoothing.ids!r}, range(len(dataset))), and let the "
                "data collator keep it"
            )
        elif later is not None:
            model, images = later
            loss = self.smoothing.augmented_loss(model, ids, images, labels)
        elif training:
            loss = self.smoothing.soft_loss(logits, labels, ids)
        else:
            loss = F.cross_entropy(logits.float(), labels)
            self.smoothing.remember(logits, labels, ids)
        if num_items_in_batch is not None:  # of all batches that make a step
            loss = loss * (len(labels) / num_items_in_batch)
        return loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """`Trainer.evaluate`; at the end of an epoch of training soft labels follow it."""
        sets: Any = self.eval_dataset
        several = isinstance(sets, dict)
        expected = f"eval_{next(iter(sets))}" if several else "eval"
        counts = self.is_in_train and self.state.global_step > 0 and metric_key_prefix == expected
        if not counts or (several and eval_dataset is None):  # which calls this for each of them
            return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        self.smoothing.predictions, self._counts = [], True
        try:
            metrics = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        finally:
            self._counts = False
        if not self.smoothing.predictions:
            raise ArcalError(
                f"the loss of {type(self).__name__} is not that of the soft labels: leave out its "
                "own compute_loss, or have it call super().compute_loss"
            )
        self.log(self.smoothing.learn())
        epochs = round(self.state.epoch or 0)
        if self.smoothing.ranks_after(epochs):
            assert self.model is not None
            self.rank_by(_AsDefined(self.model))
        self.smoothing.validated = epochs
        return metrics

    def rank_by(self, model: nn.Module) -> None:
        """Cut the levels of the training and the evaluation set by a model on its device."""
        validation: Any = self.eval_dataset
        if isinstance(validation, dict):
            validation = next(iter(validation.values()))
        collate = self._get_collator_with_removed_columns(self.data_collator, "ranking")
        loaders = {
            part: DataLoader(dataset, collate_fn=collate)  # pyright: ignore
            for part, dataset in (("train", self.train_dataset), ("validation", validation))
        }
        texts = getattr(self.model, "main_input_name", "") == "input_ids"
        named: Any = model.model if isinstance(model, _AsDefined) else model

        def prepared(batch: Any) -> tuple[Tensor, Any, Tensor]:
            ids, x, labels = self.smoothing.unpacked(
                super(RobustSmoothingTrainer, self)._prepare_inputs(batch)
            )
            if texts:
                with torch.no_grad():
                    x["inputs_embeds"] = named.get_input_embeddings()(x.pop("input_ids"))
            return ids, x, labels

        self.smoothing.rank(model, loaders, prepared, None if texts else self.smoothing.bounds)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        super()._save_optimizer_and_scheduler(output_dir)
        if self.args.should_save:
            state = self.smoothing.state_dict()
            write_whole(Path(output_dir) / STATE, lambda path: save_file(state, path))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        path = Path(checkpoint) / STATE
        if not path.is_file():
            raise ArcalError(
                f"{checkpoint} has no {STATE}: it was saved by another Trainer, so train from "
                "scratch"
            )
        self.smoothing.load_state_dict(load_file(path))


class _Later:
    """A model that the loss calls later, on what is made of the images."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, **inputs: Any) -> dict[str, Any]:
        """A function from images alone to logits, and the images, for the loss of the Trainer."""
        images = inputs.pop("pixel_values", None)
        more = sorted(
            name
            for name, one in inputs.items()
            if isinstance(one, Tensor) and name != "num_items_in_batch"
        )
        if images is None or more:
            raise ArcalError(
                f"what is added changes images alone, and a batch has {', '.join(more) or 'none'}: "
                "leave added out of Smoothing"
            )

        def logits(x: Tensor) -> Tensor:
            return self.model(pixel_values=x, **inputs)["logits"]

        return {"later": (logits, images), "logits": None}


class _AtTheStart(TrainerCallback):  # pyright: ignore[reportGeneralTypeIssues]
    """Checks the arguments of a training, and has the vanilla model rank."""

    def __init__(self, trainer: RobustSmoothingTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        if args.eval_strategy != "epoch":
            raise ArcalError(
                f"eval_strategy is {str(args.eval_strategy.value)!r}: soft labels follow an "
                "evaluation at the end of every epoch, so give 'epoch'"
            )
        trainer, smoothing = self.trainer, self.trainer.smoothing
        if not state.global_step:
            smoothing.forget()
        constant = str(args.lr_scheduler_type.value).startswith("constant")
        smoothing.begin(state.num_train_epochs, falling=not constant)
        if not smoothing.ranked and not isinstance(smoothing.vanilla, int):
            self._rank(args)
        done = int(state.epoch or 0)
        if done and done >= args.eval_delay and smoothing.missed(done):
            trainer.evaluate()  # the checkpoint was saved between the epoch's last step and this

    def _rank(self, args: Any) -> None:
        trainer = self.trainer
        vanilla: Any = trainer.smoothing.vanilla
        if not isinstance(vanilla, nn.Module):
            if not (Path(vanilla) / "config.json").is_file():  # transformers would look online
                raise ArcalError(
                    f"vanilla is {str(vanilla)!r}, and not a folder that save_pretrained wrote: "
                    "give one, or the trained model"
                )
            vanilla = type(trainer.model).from_pretrained(vanilla)  # pyright: ignore
        before = next(vanilla.parameters()).device
        try:
            trainer.rank_by(vanilla.to(args.device))
        finally:
            vanilla.to(before)


class _AsDefined(nn.Module):
    """A model with the `forward` of its class, which mixed precision has replaced in the object."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        return type(self.model).forward(self.model, *arguments, **keywords)
