"""arcal plan"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union

import tyro
from tyro.conf import subcommand

from arcal.cli.model_and_data import (
    MachineFlags,
    OneModelFlags,
    OnlyDataFlags,
    OnModels,
    flag,
    given,
    panel_named,
)
from arcal.cli.output import print_json
from arcal.cli.score import RankingFlags
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.audits import Job, Settings
    from arcal.planning import Attacked, Hardware, Plan
    from arcal.store import RunFolder
    from arcal.training.run import Run

SAMPLE = 256
"""The most inputs that are tried here; they are used repeatedly."""


@dataclass(frozen=True)
class HardwareFlags:
    """What the job will run on. By default this machine, where a part of the job is tried."""

    devices: Annotated[tuple[int, ...], flag("N ...")] = (1,)
    """Numbers of devices that share the work, with a line for each."""
    hardware: Annotated[str | None, flag("NAME")] = None
    """Device whose published peak is used, with --utilisation: a100, h100 or l4."""
    utilisation: Annotated[float | None, flag("SHARE")] = None
    """Share of the peak that you expect to reach, above 0 and at most 1."""
    flops_per_second: Annotated[float | None, flag("RATE")] = None
    """Operations per second of a device, which you measured elsewhere."""
    seconds: Annotated[float, flag("S")] = 5.0
    """Seconds for which a part of the job is tried on this machine."""
    json: Annotated[bool, flag()] = False
    """Print the plan as JSON on standard output."""

    def hardware_named(self) -> "Hardware":
        """The hardware, after the flags are checked."""
        from arcal.compute import check_count
        from arcal.planning import Hardware

        for n in self.devices:
            check_count("devices", n)
        if not self.devices:
            raise ArcalError("--devices names no number: give some, such as 1 8 64")
        return Hardware(self.hardware, self.utilisation, self.flops_per_second, self.seconds)

    def show(self, plan: "Plan") -> None:
        """Print the plan."""
        print_json(plan.as_json()) if self.json else print(plan.text())


@dataclass(frozen=True)
class SizeFlags:
    """How much there is, if DATA does not say."""

    inputs: Annotated[int | None, flag("N")] = None
    """Number of inputs; by default all of DATA, or of a run's own."""
    shape: Annotated[tuple[int, ...], flag("C H W")] = ()
    """Shape of an input if there is no DATA: channels, height, width of an image; by default the
    model's own."""
    passes: Annotated[float | None, flag("N")] = None
    """Passes that the attack takes on average, as `arcal score` prints them; by default those of
    inputs of DATA that are tried here, or without DATA the attack's budget."""


@dataclass(frozen=True)
class PlanScore(OnModels):
    """Estimate a scoring: `arcal plan score MODEL DATA`, MODEL with --inputs and --shape, or RUN.

    Operations are counted on the model itself; a part of the job is tried on this machine, unless
    another device is named.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("MODEL DATA")]
    """A model and data as for `arcal score`; or RUN alone, a run folder, for the run's own data."""

    size: SizeFlags = field(default_factory=SizeFlags)
    model: OneModelFlags = field(default_factory=OneModelFlags)  # pyright: ignore
    data: OnlyDataFlags = field(default_factory=OnlyDataFlags)  # pyright: ignore
    ranking: RankingFlags = field(default_factory=RankingFlags)
    hardware: HardwareFlags = field(default_factory=HardwareFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)

    def __call__(self) -> None:
        self._show(audit=False, panel=())

    def _show(self, *, audit: bool, panel: Any) -> None:
        from arcal.cli.audit import order_of_audit
        from arcal.compute import Compute
        from arcal.orders import check_order
        from arcal.planning import plan_attacked

        order: str | None = self.ranking.order
        if audit:
            order = order_of_audit(order)
        else:
            check_order(order)
        compute = Compute(self.machine.accelerator, threads=self.machine.threads)
        settings = self.settings(compute, order, attack=self.ranking.chosen_attack())
        hardware = self.hardware.hardware_named()
        with compute.limited():
            job, inputs = self._attacked(settings, panel)
            job = replace(job, passes=self.size.passes, audit=audit)
            if inputs < 1:
                raise ArcalError(f"--inputs {inputs}: at least 1 is needed")
            word, by = "audit" if audit else "score", f" by {order}" if order else ""
            title = f"{word} {inputs:,} inputs with {self.what[0]}{by}"
            plan = plan_attacked(title, job, inputs, hardware, self.hardware.devices)
        self.hardware.show(plan)

    def _attacked(self, settings: "Settings", panel: Any) -> "tuple[Attacked, int]":
        from arcal.audits import open_job
        from arcal.store import RunFolder, is_run_folder

        size, what = self.size, self.what
        if len(what) not in (1, 2):
            raise ArcalError(
                f"{len(what)} names are given: name MODEL and DATA, or MODEL with --inputs"
            )
        if len(what) == 2:
            if size.shape:
                raise ArcalError("DATA has its own --shape: leave it out")
            (model,), data = self.named_models(what[:1]), self.named_data(what[1])
            return self._on_data(open_job(model, data, settings, name=what[0], panel=panel))
        own = size == SizeFlags(passes=size.passes) and is_run_folder(what[0])
        run = RunFolder.open(what[0]) if own else None
        for name in given(self.data, but=() if run is None else ("--part",)):
            raise ArcalError(f"{name} is for DATA: leave it out, or name DATA after MODEL")
        if run is not None:
            return self._on_data(self._own_data(run, settings, panel))
        if size.inputs is None:
            raise ArcalError("how many inputs? Give DATA after MODEL, or --inputs and --shape")
        return self._without_data(settings, panel), size.inputs

    def _own_data(self, run: "RunFolder", settings: "Settings", panel: Any) -> "Job":
        """A run's model on the run's own data, as `arcal score RUN` scores it."""
        from arcal.audits import Examples, Job, panel_for
        from arcal.training.saved_run import data_of, model_of

        examples = Examples.from_part(data_of(run).part(self.data.part or "test"))
        settings = replace(settings, panel=panel_for(panel, examples))
        return Job(run.name, model_of(run).to(settings.device), examples, settings=settings)

    def _on_data(self, job: "Job") -> "tuple[Attacked, int]":
        from torch import Tensor

        from arcal.attacks import Inputs
        from arcal.planning import Attacked

        job = job.checked()
        examples = job.examples
        assert examples is not None
        some = examples.order()[:SAMPLE]
        x, labels, Z = examples.read(some), examples.labels[some], len(examples.classes)
        x = x if isinstance(x, Tensor | Inputs) else Inputs(x)
        attacked = Attacked(job.model, x, labels, Z, job.settings, from_data=True)
        return attacked, len(examples) if self.size.inputs is None else self.size.inputs

    def _without_data(self, settings: "Settings", panel: Any) -> "Attacked":
        """The model on random inputs of the given shape, or of its own."""
        import torch

        from arcal.auditing import check_model
        from arcal.audits import Examples, panel_for
        from arcal.classifiers import open_classifier
        from arcal.data import InMemory
        from arcal.planning import Attacked

        model = self.model
        opened = open_classifier(
            self.what[0],
            weights=model.weights[0] if model.weights else None,
            normalize=" ".join(model.normalize) or None,
            device=settings.device,
        )
        shape = self.size.shape or opened.input_shape
        if not shape or min(shape) < 1:
            raise ArcalError("what shape has an input? Give --shape, such as 3 224 224")
        generator = torch.Generator().manual_seed(0)
        few = min(SAMPLE, max(8, 10**8 // torch.Size(shape).numel()))
        x = torch.rand(few, *shape, generator=generator, device="cpu")
        check_model(opened.model, x[:2].to(settings.device))
        with torch.no_grad():
            Z = opened.model(x[:2].to(settings.device)).shape[1]
        labels = torch.zeros(few, dtype=torch.long, device="cpu")
        images = None
        if len(shape) == 3:
            pixels = (255 * x[:2]).to(torch.uint8)
            names = tuple(map(str, range(Z)))
            part = InMemory("drawn", torch.arange(2, device="cpu"), labels[:2], names, pixels)
            images = Examples.from_part(part)
        settings = replace(settings, panel=panel_for(panel, images) if images else ())
        return Attacked(opened.model, x, labels, Z, settings)


@dataclass(frozen=True)
class PlanAudit(PlanScore):
    """Estimate an audit: `arcal plan audit MODEL DATA`, or MODEL alone with --inputs and --shape.

    The same as for scoring, with one forward pass more and those under corruptions.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("MODEL DATA")]
    """A model as for `arcal audit`; and DATA."""
    shift: Annotated[tuple[str, ...] | None, flag("TYPE ...")] = None
    """Corruptions as for `arcal audit`: by default four of them for images."""

    def __call__(self) -> None:
        self._show(audit=True, panel=panel_named(self.shift))


@dataclass(frozen=True)
class PlanTrain:
    """Estimate a training, with all that its method needs before and during it.

    The sizes are those of --data, or given by --images, --validation, --shape and --classes.
    """

    data: Annotated[str | None, flag("PATH")] = None
    """A data set as for `arcal train`."""
    size: Annotated[int | None, flag("PIXELS")] = None
    """As for `arcal train`: what the images of a folder are resized to, by default 224."""
    network: Annotated[str, flag("NAME")] = "small"
    """As for `arcal train`."""
    weights: Annotated[Path | None, flag("FILE")] = None
    """File of weights for a network of your own."""
    method: Annotated[str, flag("NAME")] = "vanilla"
    """As for `arcal train`, with its default settings."""
    order: Annotated[str | None, flag("ORDER")] = None
    """Order of a method that ranks: attack, gradient, margin, confidence or random."""
    recipe: Annotated[str, flag("NAME")] = "small"
    """A recipe by its name, or a TOML file."""
    epochs: Annotated[int | None, flag("N")] = None
    """Number of epochs, instead of the recipe's."""
    members: Annotated[int, flag("N")] = 1
    """Members trained in lockstep, or seeds one after another."""
    images: Annotated[int | None, flag("N")] = None
    """Number of training images."""
    validation: Annotated[int | None, flag("N")] = None
    """Number of validation images."""
    shape: Annotated[tuple[int, ...], flag("C H W")] = ()
    """Shape of an image: channels, height and width."""
    classes: Annotated[int | None, flag("N")] = None
    """Number of classes."""
    passes: Annotated[float | None, flag("N")] = None
    """Passes that the attack takes on average when it ranks; by default its budget."""
    reading: Annotated[float | None, flag("RATE")] = None
    """Images per second that one core decodes and crops, to compute how many cores must read."""
    threads: Annotated[int, flag("N")] = 1
    """Threads of the trial on this machine."""
    accelerator: Annotated[str, flag("DEVICE")] = "cpu"
    """Device of the trial on this machine: cpu, gpu or auto."""

    hardware: HardwareFlags = field(default_factory=HardwareFlags)

    def __call__(self) -> None:
        from arcal.compute import Compute
        from arcal.planning import Training, plan_training

        hardware = self.hardware.hardware_named()
        run = self._run()
        images, validation, shape, classes = self._sizes(run)
        for name, value in (("images", images), ("validation", validation)):
            if value < 1:
                raise ArcalError(f"--{name} {value}: at least 1 image is needed")
        if self.reading is not None and not self.reading > 0:
            raise ArcalError(
                f"--reading {self.reading}: give a number of images per second above 0"
            )
        compute = Compute(self.accelerator, threads=self.threads)
        job = Training(run, images, validation, shape, classes, compute, self.passes)
        title = f"train {run.network_name} by {run.method} with recipe {run.recipe.name}"
        with compute.limited():
            plan = plan_training(title, job, hardware, self.hardware.devices, self.reading)
        self.hardware.show(plan)

    def _run(self) -> "Run":
        from arcal.training.recipe_files import open_recipe
        from arcal.training.run import Run

        recipe = open_recipe(self.recipe)
        if self.epochs is not None:
            recipe = recipe.shortened(self.epochs)
        if self.members < 1:
            raise ArcalError(f"--members {self.members}: at least 1 is needed")
        return Run(
            data=self.data or "fashion",
            network=self.network,
            weights=None if self.weights is None else str(self.weights),
            method=self.method,
            settings={} if self.order is None else {"order": self.order},
            seeds=tuple(range(self.members)),
            recipe=recipe,
            validation=self.validation if self.data else None,
            images=self.images if self.data else None,
            size=self.size,
        )

    def _sizes(self, run: "Run") -> "tuple[int, int, tuple[int, int, int], int]":
        if self.data is not None:
            if self.shape or self.classes is not None:
                raise ArcalError("--data has its own --shape and --classes: leave them out")
            data = run.load()
            return len(data.train), len(data.validation), data.shape, len(data.classes)
        if self.size is not None:
            raise ArcalError(f"--size {self.size} goes with --data: give --shape C H W instead")
        sizes = {"images": self.images, "validation": self.validation, "classes": self.classes}
        missing = [f"--{name}" for name, value in sizes.items() if value is None]
        if missing or len(self.shape) != 3 or min(self.shape) < 1:
            missing += [] if self.shape else ["--shape C H W"]
            raise ArcalError(
                "how large are the data? Give --data, or "
                f"{', '.join(missing) or '--shape C H W above 0'}"
            )
        if (self.classes or 0) < 2:
            raise ArcalError(f"--classes {self.classes}: at least 2 are needed")
        C, H, W = self.shape
        return self.images or 0, self.validation or 0, (C, H, W), self.classes or 0


@dataclass(frozen=True)
class PlanJob:
    """Estimate a job before it runs: operations, hours, memory and bytes, each with its formula.

    Operations are counted by torch on the model itself. Hours follow from a rate: measured here on
    a part of the job, given, or a share of the published peak of a card.
    """

    job: Union[  # noqa: UP007
        Annotated[PlanScore, subcommand("score")],
        Annotated[PlanTrain, subcommand("train")],
        Annotated[PlanAudit, subcommand("audit")],
    ]

    def __call__(self) -> None:
        self.job()
