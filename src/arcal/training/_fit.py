"""The loop: members trained in lockstep under one method, epoch by epoch.

A single model is a list of one member. Several members share the method and so its soft labels:
after each epoch their validation probabilities are averaged and the method learns from the average
(AR-AdaLS of Ensemble, section 5.3).
"""

import logging
import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from arcal.calibration import average, confidence_and_correct, ece
from arcal.data import Folder, Part, as_input, batches
from arcal.errors import ArcalError
from arcal.generators import seeded
from arcal.methods import Method
from arcal.networks import in_fastest_layout
from arcal.ranks import levels, mean_rank
from arcal.store import RunFolder
from arcal.training._checkpoints import Checkpoint, check_metrics, member_state, named
from arcal.training._rescoring import Rescoring, Scorer
from arcal.training._sharing import BatchesShared, MembersApart
from arcal.training.draws import draw, draw_seed
from arcal.training.recipes import Recipe
from arcal.transforms import AUGMENTATIONS
from arcal.transforms.augment import resized_crop_flip, unchanged

if TYPE_CHECKING:
    from lightning_fabric import Fabric  # takes seconds to import

log = logging.getLogger("arcal.epochs")

EVALUATION_BATCH = 100
"""Larger batches leave a processor's cache: at 500 small networks take twice as long."""


@dataclass
class Member:
    """One network of an ensemble, and the seed of its draws.

    >>> members = [Member(nn.Linear(4, 2), seed) for seed in (0, 1)]
    >>> members[1].seed
    1
    """

    model: nn.Module
    seed: int


def fit(
    members: list[Member],
    method: Method,
    recipe: Recipe,
    training: Part,
    validation: Part,
    *,
    fabric: "Fabric",
    folder: RunFolder | None = None,
    rescore: Scorer | None = None,
    loaders: int = 0,
    apart: bool = False,
) -> list[dict[str, Any]]:
    """Train the members in place and return one record per epoch.

    A record has `epoch` (from 1), `rate`, `loss` (mean over members and batches), `accuracy`, `ece`
    and `nll` of the averaged validation predictions, `seconds`, and what the method logs; and
    `rescoring_seconds` after an epoch that ends with new levels, found by `rescore`. With a
    `folder` the state is saved after each epoch, and training continues from what is there: a
    run continued on the same CPUs ends in the same bits as an uninterrupted one. `loaders`
    processes read images ahead.

    The method stays on the CPU, where ids are looked up without waiting for the device. With
    several processes each batch is shared out, gradients and batch norm's buffers are averaged, and
    every process sees all validation predictions, so all compute the same soft labels. Several
    members can be trained `apart` instead, each by one process. All processes then have the same
    members after each epoch, and the result has the same bits as with one process.

    >>> from arcal.data import InMemory
    >>> from arcal.compute import Compute
    >>> from arcal.methods import Vanilla
    >>> ids, labels = torch.arange(16), torch.tensor([0, 1]).repeat(8)
    >>> pixels = (255 * labels).to(torch.uint8).view(16, 1, 1, 1).expand(16, 1, 2, 2)
    >>> part = InMemory("toy/train", ids, labels, ("black", "white"), pixels)
    >>> member = Member(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), seed=0)
    >>> recipe = Recipe("short", epochs=3, batch_size=4, optimizer="sgd", learning_rate=0.5)
    >>> records = fit([member], Vanilla(2), recipe, part, part, fabric=Compute().fabric())
    >>> [record["epoch"] for record in records]
    [1, 2, 3]
    >>> records[2]["loss"] < records[0]["loss"]
    True
    """
    apart = apart and fabric.world_size > 1
    _check_processes(fabric.world_size, len(members), recipe, apart)
    method.begin(recipe.epochs, recipe.full_rate)
    for member in members:  # before the optimizers: some devices make new parameters
        in_fastest_layout(member.model.to(fabric.device), training.shape)
    loop = _Loop(members, method, recipe, fabric, loaders, apart)
    records = loop.restore(folder) if folder else []
    if folder and len(records) != (first := fabric.broadcast(len(records))):
        raise ArcalError(
            f"rank {fabric.global_rank} reads {len(records)} epochs in {folder.path} and rank 0 "
            f"{first}: give --runs a folder that all machines share"
        )
    for epoch in range(len(records) + (not loop.unscored), recipe.epochs + 1):
        if loop.unscored:
            record = records[-1]
        else:
            record = loop.epoch(epoch, training, validation)
            records.append(record)
            loop.unscored = method.rescores_after(epoch)
        if loop.unscored:
            loop.save(folder, records)
            record["rescoring_seconds"] = loop.rescore(rescore, folder, training, validation)
        loop.save(folder, records)
        if folder and fabric.is_global_zero:
            shutil.rmtree(folder.rescoring, ignore_errors=True)
            log.info(
                f"{folder.path.name}: epoch {epoch} of {recipe.epochs}, loss {record['loss']:.4f}, "
                f"validation accuracy {100 * record['accuracy']:.2f} %, "
                f"ECE {100 * record['ece']:.2f} points, {record['seconds']:.1f} s"
            )
        fabric.barrier()
    return records


def _check_processes(world: int, members: int, recipe: Recipe, apart: bool) -> None:
    """Refuse processes that cannot share the members, if `apart`, or else each batch."""
    if apart and world > members:
        raise ArcalError(f"{world} processes cannot train {members} members apart: use fewer")
    if not apart and recipe.batch_size % world:
        raise ArcalError(
            f"a batch of {recipe.batch_size} cannot be shared by {world} processes: choose a "
            f"multiple of {world}"
        )


@contextmanager
def enough_for_batch_norm(images: int) -> Iterator[None]:
    """Say in one line that this many images were too few for a network's batch norm."""
    try:
        yield
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ArcalError(
            f"{images} image at once is too few for this network's batch norm: the last of "
            "a batch, or of an epoch, is alone; train on one image fewer with --images"
        ) from None


def _momenta(model: nn.Module) -> dict[_BatchNorm, float]:
    """How far each batch norm's running statistics move in a step."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    return {norm: norm.momentum for norm in norms if norm.momentum is not None}


class _Loop:
    """Members with their optimizers, set up on Fabric, and one epoch's steps."""

    def __init__(
        self,
        members: list[Member],
        method: Method,
        recipe: Recipe,
        fabric: "Fabric",
        loaders: int,
        apart: bool = False,
    ):
        self.members, self.method, self.recipe = members, method, recipe
        self.fabric, self.loaders = fabric, loaders
        self.sharing = (MembersApart if apart else BatchesShared)(fabric, len(members))
        self.models, self.optimizers = {}, {}
        for m in self.sharing.mine:
            optimizer = recipe.optimizer_for(members[m].model)
            setup = self.sharing.on.setup(members[m].model, optimizer, move_to_device=False)
            self.models[m], self.optimizers[m] = setup
        models = self.models.items()
        self.momenta = {m: _momenta(model) if recipe.core_batch else {} for m, model in models}
        self.unscored = False
        """Whether the last epoch still has to be re-scored."""

    def epoch(self, epoch: int, training: Part, validation: Part) -> dict[str, Any]:
        """Run one epoch and return its record."""
        start = time.perf_counter()
        loss = self.train(epoch, training)
        measures, learned = self.validate(validation)
        seconds = round(time.perf_counter() - start, 3)
        rate = self.optimizers[self.sharing.mine[0]].param_groups[0]["lr"]  # of the last step
        about = {"epoch": epoch, "rate": rate, "loss": loss}
        return about | measures | {"seconds": seconds} | learned

    def train(self, epoch: int, part: Part) -> float:
        """One epoch of every member; returns the mean loss."""
        totals, steps = torch.zeros(len(self.members), device=self.fabric.device), 0
        rank, size = self.sharing.rank, self.recipe.batch_size // self.sharing.world
        for m in self.sharing.mine:
            member = self.members[m]
            self.models[m].train()
            order = torch.randperm(
                len(part), generator=draw(member.seed, "order", epoch), device="cpu"
            )
            self.method.draw_from(
                lambda name, seed=member.seed, rank=rank: draw(seed, name, epoch, rank)
            )
            augmentation = draw(member.seed, "augmentation", epoch, rank)
            augment = AUGMENTATIONS[self.recipe.augmentation]
            source = part
            if isinstance(part, Folder) and augment is resized_crop_flip:
                source = part.at_random(draw(member.seed, "augmentation", epoch))
                augment = unchanged
            with seeded(draw_seed(member.seed, "dropout", epoch, rank)):
                mine = self.sharing.positions(order)
                last = math.ceil(len(mine) / size)
                loader = batches(source, size, order=mine, workers=self.loaders)
                for step, (ids, images, labels) in enumerate(loader, start=1):
                    done = epoch - 1 + step / last
                    for group in self.optimizers[m].param_groups:
                        moving = epoch <= self.recipe.warmup or self.recipe.schedule == "linear"
                        group["lr"] = self.recipe.rate(done if moving else epoch - 1)
                    x = as_input(augment(images, augmentation), self.fabric.device)
                    for loss in self._step(m, ids, x, labels.to(self.fabric.device)):
                        totals[m] += loss
                steps = last * len(self.members)
            for norm, momentum in self.momenta[m].items():
                norm.momentum = momentum
            self.optimizers[m].zero_grad()  # as large as the weights, and no longer needed
        mean = self.sharing.mean_loss(totals, steps)
        if not torch.isfinite(mean):
            raise ArcalError(f"the loss is {float(mean)} in epoch {epoch}: lower the learning rate")
        return float(mean)

    def _step(self, m: int, ids: Tensor, x: Tensor, labels: Tensor) -> list[Tensor]:
        """Train a member on a process's share of a batch; returns losses that sum to the batch's.

        With a core batch the share is taken in parts of that size, and over all of them batch
        norm's running statistics move as far as over one batch.
        """
        at_once = self.recipe.core_batch or len(ids)
        for norm, momentum in self.momenta[m].items():
            norm.momentum = 1 - (1 - momentum) ** (1 / math.ceil(len(ids) / at_once))
        parts = [*zip(*(t.split(at_once) for t in (ids, x, labels)), strict=True)]
        losses = []
        self.optimizers[m].zero_grad()
        for n, part in enumerate(parts, start=1):
            # Processes exchange gradients once per step: with those of its last part.
            waits = self.sharing.world > 1 and n < len(parts)
            with self.sharing.on.no_backward_sync(self.models[m], enabled=waits):
                for share in self._losses(m, *part):
                    if not share.requires_grad:
                        raise ArcalError(
                            "the loss has no gradient: the network must not detach its logits, nor "
                            "compute them under torch.no_grad"
                        )
                    loss = share * (len(part[0]) / len(ids))
                    self.sharing.on.backward(loss)
                    losses.append(loss.detach())
        self.optimizers[m].step()
        return losses

    def _losses(self, m: int, ids: Tensor, x: Tensor, labels: Tensor) -> Iterator[Tensor]:
        with enough_for_batch_norm(len(ids)):
            yield from self.method.losses(self.models[m], ids, x, labels)

    @torch.no_grad()
    def validate(self, part: Part) -> tuple[dict[str, float], dict[str, Any]]:
        """The measures of the averaged predictions, and what the method learned from them.

        The models are called without their wrappers: in float32, whatever they train in.
        """
        models = [self.members[m].model.eval() for m in self.sharing.mine]
        self.sharing.average_buffers(models)
        columns = []
        order = self.sharing.positions(torch.arange(len(part), device="cpu"))
        for ids, images, labels in batches(
            part, EVALUATION_BATCH, order=order, workers=self.loaders
        ):
            x = as_input(images, self.fabric.device)
            logits = self.sharing.gather_members(torch.stack([model(x) for model in models]))
            if not torch.isfinite(logits).all():
                raise ArcalError("validation logits are not finite: lower the learning rate")
            log_probabilities = average(logits)
            confidence, correct = confidence_and_correct(log_probabilities.exp(), labels)
            surprise = -log_probabilities.gather(1, labels.unsqueeze(1)).squeeze(1)
            columns.append((ids, confidence, correct, surprise))
        ids, confidence, correct, surprise = self.sharing.gather_images(
            [torch.cat(column) for column in zip(*columns, strict=True)]
        )
        measures = {
            "accuracy": float(correct.double().mean()),
            "ece": ece(confidence, correct),
            "nll": float(surprise.mean()),
        }
        return measures, self.method.learn(ids, confidence, correct)

    def rescore(
        self, rescore: Scorer | None, folder: RunFolder | None, training: Part, validation: Part
    ) -> float:
        """Give the method levels by the current models; returns the seconds that this took."""
        if rescore is None:
            raise ArcalError("the method re-scores during training: give fit a scorer")
        start = time.perf_counter()
        rescoring = Rescoring(rescore, [one.model for one in self.members], self.fabric, folder)
        for part, name in ((training, "train"), (validation, "validation")):
            mean = mean_rank(rescoring.robustness(part, name), part.ids)
            self.method.assign(name, part.ids, levels(mean, part.ids, self.method.R))
        self.unscored = False
        return round(time.perf_counter() - start, 3)

    def save(self, folder: RunFolder | None, records: list[dict[str, Any]]) -> None:
        """Save all that is needed to continue after the last of these epochs, and their records.

        Afterwards every process has the weights of all members.
        """
        tensors = {f"method.{name}": t for name, t in self.method.state_dict().items()}
        for m, member in enumerate(self.members):
            state = self.sharing.state(m, partial(self._state, m))
            if m not in self.sharing.mine:
                member.model.load_state_dict(named(state, f"member{m}."))
            if folder and self.fabric.is_global_zero:
                tensors |= state
        if folder and self.fabric.is_global_zero:
            folder.log_epochs(records)
            Checkpoint(folder.checkpoint, tensors, len(records), self.unscored).save(folder)

    def _state(self, m: int) -> dict[str, Tensor]:
        return member_state(m, self.members[m].model, self.optimizers[m])

    def restore(self, folder: RunFolder) -> list[dict[str, Any]]:
        """Load the folder's checkpoint, if there is one; returns the records up to it."""
        if not folder.checkpoint.exists():
            return []
        checkpoint = Checkpoint.open(folder)
        check_metrics(folder)
        self.unscored = checkpoint.unscored
        checkpoint.load(self.method, "method.")
        for m, member in enumerate(self.members):
            checkpoint.load(member.model, f"member{m}.")
        for m, optimizer in self.optimizers.items():
            checkpoint.load_optimizer(m, optimizer)
        return folder.epochs()[: checkpoint.epochs]
