"""Recipes: how long, how fast and with what a network is trained. Those of appendix A by name."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, get_args

import torch
from torch import nn, optim

from arcal.errors import ArcalError
from arcal.networks import decayed
from arcal.transforms import AUGMENTATIONS

Optimizer = Literal["adam", "sgd"]
Decayed = Literal["kernels", "weights", "all"]
Precision = Literal["32-true", "bf16-mixed"]
Schedule = Literal["steps", "linear"]


@dataclass(frozen=True)
class Recipe:
    """Everything about a training that is neither the data, the network nor the method.

    The learning rate is `learning_rate`, times the factor of the last `(epochs done, factor)` of
    `steps` that has been reached, after a linear warm-up over `warmup` epochs. With the `schedule`
    "linear" there are no steps: with every batch the rate falls a little, on a straight line from
    the end of the warm-up to 0 at the end of training; the very last batch has rate 0 and moves no
    weight. In "bf16-mixed" the convolutions train in bf16; everything else, and every evaluation,
    is in float32. `weight_decay` adds `weight_decay * w` to the gradient of the parameters that
    `decayed` names: a Keras regulariser l2(a) is a weight decay of 2a. `core_batch` images of a
    batch go through the network at a time, as through one core of the paper's TPUs: batch norm sees
    no more, its running statistics move as far per step as if all went through at once, and the
    gradients add up. None is the whole batch. Unknown names, and numbers out of range, raise
    `ArcalError`.

    >>> size = {"epochs": 10, "batch_size": 64}
    >>> recipe = Recipe("short", **size, optimizer="sgd", learning_rate=0.5, steps=((5, 0.5),))
    >>> recipe.rate(0), recipe.rate(5), recipe.full_rate
    (0.5, 0.25, 5)
    >>> recipe.shortened(4).steps
    ((2, 0.5),)
    """

    name: str
    epochs: int
    batch_size: int
    optimizer: Optimizer
    learning_rate: float
    steps: tuple[tuple[int, float], ...] = ()
    warmup: int = 0
    weight_decay: float = 0.0
    decayed: Decayed = "kernels"
    augmentation: str = "none"
    precision: Precision = "32-true"
    core_batch: int | None = None
    schedule: Schedule = "steps"

    def __post_init__(self) -> None:
        for name, known in (
            ("optimizer", get_args(Optimizer)),
            ("decayed", get_args(Decayed)),
            ("augmentation", tuple(AUGMENTATIONS)),
            ("precision", get_args(Precision)),
            ("schedule", get_args(Schedule)),
        ):
            if getattr(self, name) not in known:
                raise ArcalError(
                    f"{name} {getattr(self, name)!r} is unknown: choose from {', '.join(known)}"
                )
        if self.batch_size < 1 or (self.core_batch is not None and self.core_batch < 1):
            at_once = "" if self.core_batch is None else f", {self.core_batch} at a time"
            raise ArcalError(f"a batch of {self.batch_size}{at_once}: at least 1 is needed")
        most = torch.finfo(torch.float32).max
        finite = self.learning_rate <= most and self.weight_decay <= most
        if not (finite and self.learning_rate > 0 and min(self.warmup, self.weight_decay) >= 0):
            raise ArcalError(
                f"learning rate {self.learning_rate}, warm-up {self.warmup}, weight decay "
                f"{self.weight_decay}: give finite numbers, a rate above 0, the others at least 0"
            )
        if self.schedule == "linear" and (self.steps or self.warmup >= self.epochs):
            raise ArcalError(
                f"a linear schedule of {self.epochs} epochs with steps {self.steps} and a warm-up "
                f"of {self.warmup}: give no steps, and a warm-up shorter than the training"
            )
        ordered = all(before[0] <= after[0] for before, after in pairwise(self.steps))
        if not ordered or not all(0 <= factor < math.inf for _, factor in self.steps):
            raise ArcalError(
                f"steps are {self.steps}: give them in the order of their epochs, with factors of "
                "0 or more"
            )

    def rate(self, epoch: float) -> float:
        """The learning rate once `epoch` epochs are done.

        Fractions of an epoch count during the warm-up, and throughout a linear schedule.
        """
        factor = ([1.0] + [factor for done, factor in self.steps if epoch >= done])[-1]
        if self.schedule == "linear" and epoch > self.warmup:
            factor = (self.epochs - epoch) / (self.epochs - self.warmup)
        return self.learning_rate * factor * min(1.0, epoch / self.warmup if self.warmup else 1.0)

    @property
    def full_rate(self) -> int:
        """How many epochs have the full learning rate, a warm-up included.

        In a linear schedule, these are the epochs that begin with more than half of it.
        """
        if self.schedule == "linear":
            return math.ceil((self.epochs + self.warmup) / 2)
        return min([done for done, _ in self.steps] + [self.epochs])

    def fewest(self, images: int, devices: int = 1) -> int:
        """The fewest of this many training images that ever go through the network at once.

        >>> recipe_named("small").fewest(1281), recipe_named("wrn-28-10").fewest(1000)
        (1, 40)
        """
        mine, size = -(-images // devices), self.batch_size // devices
        at_once = self.core_batch or size
        batches = {min(size, mine), mine % size} - {0}
        return min({n for b in batches for n in (min(at_once, b), b % at_once)} - {0})

    def optimizer_for(self, model: nn.Module) -> optim.Optimizer:
        """A new optimizer for the parameters of `model`; if all are frozen, raises `ArcalError`."""
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise ArcalError(
                "the network has no weights to train, or all are frozen: set requires_grad of some"
            )
        chosen = decayed(model, self.decayed)
        known = {id(parameter) for parameter in chosen}
        others = [parameter for parameter in model.parameters() if id(parameter) not in known]
        groups = [{"params": chosen, "weight_decay": self.weight_decay}]
        groups += [{"params": others, "weight_decay": 0.0}] if others else []
        if self.optimizer == "adam":  # epsilon as in Keras, whose script the paper follows
            return optim.Adam(groups, lr=self.learning_rate, eps=1e-7)
        return optim.SGD(groups, lr=self.learning_rate, momentum=0.9, nesterov=True)

    def shortened(self, epochs: int) -> "Recipe":
        """The same recipe over another number of epochs, its steps moved in proportion.

        The first epoch is always at the full rate.
        """
        steps = tuple(
            (max(1, round(done * epochs / self.epochs)), factor) for done, factor in self.steps
        )
        warmup = max(0, min(self.warmup, epochs - 1))
        return replace(self, epochs=epochs, steps=steps, warmup=warmup)


_RESNET29 = Recipe(  # appendix A.1, first paragraph
    name="resnet29",
    epochs=200,
    batch_size=256,
    optimizer="adam",
    learning_rate=1e-3,
    steps=((80, 1e-1), (120, 1e-2), (160, 1e-3), (180, 0.5e-3)),
    weight_decay=2e-4,  # Keras' l2(1e-4) on the convolutions
    augmentation="shift-flip",
)

_WRN = Recipe(  # appendix A.1 "WRN-28-10" and A.2; edward2's script gives what the text does not
    name="wrn-28-10",
    epochs=200,
    batch_size=512,  # 8 cores of 64 images
    optimizer="sgd",
    learning_rate=0.4,  # 0.1 for every 128 images
    steps=((60, 0.2), (120, 0.04), (160, 0.008)),
    warmup=1,
    weight_decay=4e-4,  # Keras' l2(2e-4) on everything
    decayed="all",
    augmentation="crop-2-flip",  # the script pads by 4 pixels in all, 2 a side
    core_batch=64,
)

_IMAGENET = Recipe(  # appendix A.3; edward2's script gives what the text does not
    name="imagenet",
    epochs=90,
    batch_size=4096,  # 32 cores of 128 images
    optimizer="sgd",
    learning_rate=1.6,  # 0.1 for every 256 images
    steps=((30, 1e-1), (60, 1e-2), (80, 1e-3)),
    warmup=5,
    weight_decay=2e-4,  # 1e-4 times the sum of squares
    decayed="weights",
    augmentation="resized-crop-flip",
    precision="bf16-mixed",
    core_batch=128,
)

_SMALL = Recipe(  # for the small network on two cores: the paper's steps over few epochs
    name="small",
    epochs=30,
    batch_size=128,
    optimizer="adam",
    learning_rate=2e-3,
    steps=((12, 1e-1), (18, 1e-2), (24, 1e-3), (27, 0.5e-3)),
)

_MEDIUM = Recipe(  # for the medium network on all of CIFAR-10, minutes on a core
    name="medium",
    epochs=16,
    batch_size=128,
    optimizer="adam",
    learning_rate=2e-3,
    steps=((10, 1e-1), (14, 1e-2)),
    augmentation="flip",
)

_FAST = Recipe(  # for the fast network on all of CIFAR-10 or CIFAR-100
    name="fast",
    epochs=16,
    batch_size=256,
    optimizer="sgd",
    learning_rate=0.2,
    warmup=2,
    schedule="linear",
    weight_decay=5e-4,
    augmentation="crop-2-flip",
    precision="bf16-mixed",
)

_DEMO = Recipe(  # long enough at the full rate to fit the training set and be over-confident
    name="demo",
    epochs=16,
    batch_size=128,
    optimizer="adam",
    learning_rate=2e-3,
    steps=((11, 1e-1), (14, 1e-2)),
)

RECIPES = {
    recipe.name: recipe for recipe in (_DEMO, _SMALL, _MEDIUM, _FAST, _RESNET29, _WRN, _IMAGENET)
}


def recipe_named(name: str) -> Recipe:
    """The recipe of this name; another name raises `ArcalError`.

    >>> recipe_named("resnet29").epochs
    200
    """
    if name not in RECIPES:
        raise ArcalError(f"recipe {name!r} is unknown: choose from {', '.join(RECIPES)}")
    return RECIPES[name]
