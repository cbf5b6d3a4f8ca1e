"""Plans the training of a run."""

import math
import time
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import torch
from torch import nn

from arcal.attacks import attack_named
from arcal.audits import Settings
from arcal.compute import Compute
from arcal.data import InMemory
from arcal.labelled_batches import usual_batch
from arcal.methods import method_class, method_named, needs_vanilla
from arcal.methods.perturbed import ATTACK
from arcal.planning._attacked import Attacked
from arcal.planning._hardware import HOUR, Hardware, Line, Plan, operations, saved_bytes
from arcal.training import Member, fit
from arcal.training.run import Run

STATES = {"adam": 2, "sgd": 1}
"""Numbers that an optimizer keeps for each weight."""


@dataclass(frozen=True, eq=False)
class Training:
    """A run on data of these sizes, and the machine that a part of it is tried on.

    `images` and `validation` are numbers of images of `shape` (C, H, W) and Z `classes`; `passes`
    is the mean number of passes of a ranking by an attack, if it is known.
    """

    run: Run
    images: int
    validation: int
    shape: tuple[int, int, int]
    classes: int
    compute: Compute
    passes: float | None = None

    @cached_property
    def network(self) -> nn.Module:
        """A new network."""
        return self.run.build(self.classes, self.shape, self.run.seeds[0])

    @cached_property
    def ranking(self) -> Attacked:
        """The ranking of images, and passes through the network as it is evaluated.

        If levels are cut by one order and images perturbed by another, it is by the costlier one.
        """
        orders = {self.run.settings.get(name) for name in ("order", "perturbed_by")}
        attack = self.run.settings.get("attack") or ATTACK
        settings = Settings(
            order=next((one for one in ("attack", "gradient") if one in orders), "margin"),
            attack=attack_named(attack),
            device=self.compute.device,
        )
        model = self.network.to(self.compute.device).eval()
        x = torch.rand(2, *self.shape, generator=torch.Generator().manual_seed(0), device="cpu")
        labels = torch.zeros(2, dtype=torch.long, device="cpu")
        return Attacked(model, x, labels, self.classes, settings, passes=self.passes)

    def step(self, method: str | None = None) -> float:
        """Operations to train on an image once, by the run's method or another."""
        run = self.run if method is None else replace(self.run, method=method, settings={})
        n = self._few(run)
        few, twice = (operations(lambda k=k: self._fit(run, k, k)) for k in (n, 2 * n))
        # The difference leaves out what is run before training. Each validation image is one pass.
        return (twice - few) / n - self.ranking.forward

    @cached_property
    def views(self) -> float:
        """Images that go through the network for each image of a batch, such as 3 with AugMix."""
        return self._fit(self.run, n := self._few(self.run), n)

    @property
    def rankings(self) -> int:
        """How often all images are ranked: before training, and on the fly."""
        method = method_named(self.run.method, self.classes, self.run.settings)
        method.begin(self.run.recipe.epochs, self.run.recipe.full_rate)
        anew = sum(method.rescores_after(epoch + 1) for epoch in range(self.run.recipe.epochs))
        return int(needs_vanilla(self.run.method, self.run.settings)) + anew

    def measure(self, step: float, seconds: float) -> tuple[float, float]:
        """Train here for about `seconds`; returns the operations and the seconds taken."""
        method = method_named(self.run.method, self.classes, self.run.settings)
        batch = self._batch
        n, spent, done = max(2 * batch, method.R), 0.0, 0.0
        while True:
            start = time.perf_counter()
            self._fit(self.run, n, n)
            spent = time.perf_counter() - start
            done = n * (step + self.ranking.forward)
            if spent >= seconds / 2 or n >= 10**6:
                return done, spent
            n = batch * math.ceil(n * min(8, max(1.5, seconds / spent)) / batch)

    @property
    def _batch(self) -> int:
        """The batch size for trials: the recipe's, or less for large images."""
        x = torch.zeros(1, *self.shape, device="cpu")
        return min(self.run.recipe.batch_size, max(usual_batch(x, self.compute.device), 8))

    def _few(self, run: Run) -> int:
        """The fewest images that a run can be tried with."""
        return max(2, method_named(run.method, self.classes, run.settings).R)

    def _fit(self, run: Run, images: int, validation: int) -> float:
        """Train for an epoch of `images` random images; returns the `views` of each."""
        settings = {k: v for k, v in run.settings.items() if k != "rescore"}
        method = method_named(run.method, self.classes, settings)
        parts = [self._part(images), self._part(validation)]
        for part, name in zip(parts, ("train", "validation"), strict=True):
            if method.ranks:
                method.assign(name, part.ids, part.ids * method.R // len(part))
        if method.added.perturbed_by is not None:
            method.assign_distances(parts[0].ids, torch.ones(images, device="cpu"))
        recipe = replace(
            run.recipe.shortened(1),
            batch_size=min(self._batch, images),
            core_batch=None,
            learning_rate=1e-9,  # noise teaches nothing, and must not lead to infinite logits
        )
        model, seen = self.run.build(self.classes, self.shape, run.seeds[0]), [0]
        model.register_forward_pre_hook(lambda model, x: seen.append(len(x[0]) * model.training))
        fabric = self.compute.fabric(recipe.precision)
        fit([Member(model, run.seeds[0])], method, recipe, *parts, fabric=fabric)
        return max(seen) / recipe.batch_size

    def _part(self, n: int) -> InMemory:
        """Random images, `n` of them, with labels."""
        generator = torch.Generator().manual_seed(n)
        pixels = torch.randint(
            256, (n, *self.shape), dtype=torch.uint8, generator=generator, device="cpu"
        )
        labels = torch.arange(n, device="cpu") % self.classes
        names = tuple(map(str, range(self.classes)))
        return InMemory("drawn", torch.arange(n, device="cpu"), labels, names, pixels)


def plan_training(
    title: str,
    job: Training,
    hardware: Hardware,
    devices: tuple[int, ...] = (1,),
    reading: float | None = None,
) -> Plan:
    """Plan to train a run, shared by each of these numbers of devices.

    `reading` is how many images per second a core decodes and cuts, if that is known.
    """
    run, ranking = job.run, job.ranking
    recipe, members = run.recipe, len(run.seeds)
    step = job.step()
    rate = hardware.rate(lambda seconds: job.measure(step, seconds), recipe.precision)
    lines = [
        Line("images", job.images, "", "for training"),
        Line("validation", job.validation, "", "images, after each epoch"),
        Line("epochs", recipe.epochs, "", f"recipe {recipe.name}"),
        Line("forward pass", ranking.forward, "FLOP", "counted: 2 per multiply-add, per image"),
        Line("step", step, "FLOP", "counted: forward and back to the weights, per image"),
    ]
    whole = recipe.epochs * job.images * step
    lines.append(Line("training", whole, "FLOP", "epochs x images x step"))
    trained, trainings, first = whole, 1, "training"
    if needs_vanilla(run.method, run.settings):
        plain = job.step("vanilla")
        vanilla = recipe.epochs * job.images * plain
        lines += [
            Line("vanilla step", plain, "FLOP", "counted, of the run that ranks the images"),
            Line("vanilla", vanilla, "FLOP", "epochs x images x vanilla step"),
        ]
        trained, trainings, first = whole + vanilla, 2, "training + vanilla"
    evaluated = trainings * recipe.epochs * job.validation * ranking.forward
    formula = f"{trainings} x epochs x validation x forward pass"
    lines.append(Line("evaluation", evaluated, "FLOP", formula))
    second = "evaluation"
    if job.rankings:
        lines += _ranking(job)
        evaluated, second = evaluated + lines[-1].value, "evaluation + ranking"
    total, every = members * (trained + evaluated), f"{first} + {second}"
    if members > 1:
        lines.append(Line("members", members, "", "given"))
        every = f"members x ({every})"
    lines += [Line("operations", total, "FLOP", every), *rate]
    hours, formula = total / rate[-1].value / HOUR, "operations / rate of a device"
    if recipe.precision == "bf16-mixed" and hardware.card is not None:  # only training is in bf16
        *peak, whole_floats = hardware.rate(lambda seconds: (0, 0))
        lines += [peak[0], replace(whole_floats, name="rate in float32")]
        seconds = trained / rate[-1].value + evaluated / whole_floats.value
        hours = members * seconds / HOUR
        formula = f"({first}) / rate of a device + ({second}) / rate in float32"
        formula = f"members x ({formula})" if members > 1 else formula
    lines.append(Line("device hours", hours, "h", formula))
    for n in devices:
        lines.append(Line(f"time on {n:,}", hours / n, "h", f"device hours / {n:,}"))
    lines += _speeds(job, devices, whole / rate[-1].value, reading)
    return Plan(title, [*lines, *_memory(job, devices)])


def _speeds(
    job: Training, devices: tuple[int, ...], seconds: float, reading: float | None
) -> list[Line]:
    """Images per second, if one device trains for `seconds`, and the cores that read them."""
    lines: list[Line] = []
    for n in devices:
        speed = job.run.recipe.epochs * job.images / (seconds / n)
        formula = f"epochs x images / (training / rate of a device / {n:,})"
        lines.append(Line(f"images a second on {n:,}", speed, "", formula))
        if reading is not None:
            cores = math.ceil(speed / reading)
            formula = f"images a second on {n:,} / {reading:g}, what a core reads: given"
            lines.append(Line(f"cores that read for {n:,}", cores, "", formula))
    return lines


def _ranking(job: Training) -> list[Line]:
    """The lines that end in `ranking`, its operations."""
    ranking, lines = job.ranking, []
    each, formula = ranking.forwards * ranking.forward, f"{ranking.forwards} x forward pass"
    if ranking.settings.order in ("attack", "gradient"):
        lines.append(Line("pass", ranking.both, "FLOP", "counted: forward, and back to the image"))
        lines.append(ranking.spent(tries=False))
        each += lines[-1].value * ranking.both
        formula = f"(passes x pass + {formula})" if ranking.forwards else "passes x pass"
    lines.append(Line("rankings", job.rankings, "", "before training, and on the fly"))
    levels = method_class(job.run.method).ranks  # else training images alone are perturbed
    number = job.images + job.validation * levels
    whole = job.rankings * number * each
    formula = f"rankings x {'(images + validation)' if levels else 'images'} x {formula}"
    return [*lines, Line("ranking", whole, "FLOP", formula)]


def _memory(job: Training, devices: tuple[int, ...]) -> list[Line]:
    recipe, network = job.run.recipe, job.network
    count = sum(one.numel() for one in network.parameters())
    weights = sum(one.nbytes for one in network.parameters())
    buffers = sum(one.nbytes for one in network.buffers())
    x = torch.rand(2, *job.shape, device=job.compute.device)
    network.train()
    saved = saved_bytes(lambda: network(x), chain(network.parameters(), network.buffers())) / 2
    network.eval()
    states = STATES[recipe.optimizer]
    each = f", {job.views:g} for each of a batch" if job.views != 1 else ""
    lines = [
        Line("weights", weights, "B", f"counted: {count:,} of them"),
        Line("kept for the gradient", saved, "B", "counted: tensors of a pass, per image"),
    ]
    for n in devices:
        some = min(recipe.core_batch or recipe.batch_size, math.ceil(recipe.batch_size / n))
        some = round(some * job.views)
        memory = (2 + states) * weights + some * saved
        formula = (
            f"{2 + states} x weights + {some:,} x kept for the gradient: weights, gradients, "
            f"{recipe.optimizer}'s {states}, and images at a time{each}; kernels' workspace is not "
            "in it"
        )
        lines.append(Line(f"memory of each of {n:,}", memory, "B", formula))
    for n in devices:
        if n > 1:
            sent = 2 * (n - 1) / n * weights
            formula = f"2 x {n - 1:,} / {n:,} x weights, per step: all-reduce in a ring"
            lines.append(Line(f"sent by each of {n:,}", sent, "B", formula))
    checkpoint = len(job.run.seeds) * ((1 + states) * weights + buffers)
    formula = f"weights, {recipe.optimizer}'s {states} x weights, and buffers of each member"
    return [*lines, Line("checkpoint", checkpoint, "B", formula)]
