"""The flags for a model, its data and the machine, shared by commands on any model."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._help import HIDDEN, dashed
from arcal.cli._named import classes_named
from arcal.cli.output import say
from arcal.errors import ArcalError, ModelInputError
from arcal.files import meant

if TYPE_CHECKING:
    from torch import Tensor

    from arcal.auditing import EvaluationSet
    from arcal.audits import Job, NamedData, NamedModel, Settings
    from arcal.compute import Compute
    from arcal.compute.sharing import Sharing
    from arcal.prediction_files import ColumnNames

COLUMNS_OF_PREDICTIONS = ("label", "confidence", "probabilities", "weight", "id", "labels_from")
"""The flags that say where a file of predictions has what, as `ColumnNames` calls them."""
OF_PREDICTIONS = tuple(map(dashed, ("classes", "one_per", *COLUMNS_OF_PREDICTIONS)))
"""The flags for data that apply to a file of predictions as well."""
ONLY_OF_PREDICTIONS = {
    "id": "the ids of data are in a column `id`",
    "confidence": "a model says how sure it is",
    "probabilities": "a model's outputs are its own",
    "labels_from": "data have their own labels",
}
"""Flags that apply only to such a file, and why."""


def flag(metavar: str | None = None) -> Any:
    """How a flag is typed and explained: without a prefix, and without empty defaults."""
    return tyro.conf.arg(
        metavar=metavar,
        prefix_name=False,
        help_behavior_hint=lambda default: (
            "" if default in ("", "None", "False") else f"(default: {default})"
        ),
    )


@dataclass(frozen=True)
class ModelFlags:
    """What the model itself does not say."""

    weights: Annotated[tuple[Path, ...], flag("FILE ...")] = ()
    """File of weights, safetensors or from `torch.save`. For several models, one each, in order:
    `none` for a model that has its own."""
    normalize: Annotated[tuple[str, ...], flag("HOW")] = ()
    """Normalisation of inputs in [0, 1] before the model: imagenet, cifar, none, or MEAN STD. By
    default that of the model's own configuration."""
    classes: Annotated[tuple[str, ...], flag("NAME ...")] = ()
    """Names of the classes, in the order of the model's outputs, or a file with one name a line."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names that --classes gives, or that the file has which it names."""
        return classes_named(self.classes)


@dataclass(frozen=True)
class OneModelFlags(ModelFlags):
    """What the model itself does not say."""

    weights: Annotated[tuple[Path, ...], flag("FILE")] = ()
    """File of weights, safetensors or from `torch.save`."""


@dataclass(frozen=True)
class DataFlags:
    """How the data is read. By default arcal finds this out from the data."""

    part: Annotated[str | None, flag("NAME")] = None
    """Part of the data. By default test, or else validation, or the only part there is; `arcal
    calibrate` prefers validation. For a run: train, validation or test."""
    image: Annotated[str | None, flag("COLUMN")] = None
    """Column of the images."""
    text: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """Column of the texts, or two of pairs in the order in which the model reads them. For a file
    of predictions: what the page shows of each input, such as question, answer and reference."""
    label: Annotated[str | None, flag("COLUMN")] = None
    """Column of the labels."""
    confidence: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """For a file of answers: column of the confidence in each answer, if it has no other outputs.
    --label then names the column that says which were correct. `arcal audit` compares several
    columns."""
    probabilities: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """For a file of predictions: column of the probability of class 1, or of the second of
    --classes; or one column for each class, in the order of --classes, or else each named after its
    class. By default columns called probabilities, logits and the like."""
    labels_from: Annotated[Path | None, flag("FILE")] = None
    """For a file of predictions whose labels came later: a file of ids and labels. Inputs without a
    label yet are left out."""
    columns: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """Columns of a table that the model takes, in its order. By default all but label, weight,
    id and --one-per."""
    weight: Annotated[str | None, flag("COLUMN")] = None
    """Column of weights: how much each input counts."""
    id: Annotated[str | None, flag("COLUMN")] = None
    """Column of the ids in a file of predictions."""
    size: Annotated[int | None, flag("PIXELS")] = None
    """Height and width to which images are resized. By default those of the model's
    configuration."""
    crop: Annotated[str, flag("HOW")] = "centre"
    """centre (short side resized to 256/224 of the size, the middle cropped), short-side (to the
    size itself, the middle cropped) or squash."""
    channels: Annotated[int | None, flag("N")] = None
    """1 turns images grey, 3 gives grey ones three equal channels. By default as in the model's
    configuration, or else grey if all images are."""
    check: Annotated[bool, flag()] = False
    """Open every image first, and stop with a list of those that are broken, if any are."""
    skip_broken: Annotated[bool, flag()] = False
    """Leave out images that cannot be read; they are counted and listed."""
    limit: Annotated[int | None, flag("N")] = None
    """Use only N inputs, drawn at random."""
    one_per: Annotated[str | None, flag("COLUMN")] = None
    """Column that tells which inputs belong together, such as patient: use one input of
    each patient, drawn at random, because inputs that are alike make intervals too narrow."""

    def columns_named(self, *, confidence: str | None, **more: Any) -> "ColumnNames":
        """The names given for columns of a file of predictions; `more` are other such fields."""
        from arcal.prediction_files import ColumnNames

        named = {name: getattr(self, name) for name in COLUMNS_OF_PREDICTIONS}
        return ColumnNames(**named | {"confidence": confidence, **more})


@dataclass(frozen=True)
class OnlyDataFlags(DataFlags):
    """How the data is read. By default arcal finds this out from the data."""

    text: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """Column of the texts, or two of pairs in the order in which the model reads them."""
    # only for files of predictions: they are refused with the reason
    confidence: Annotated[tuple[str, ...], flag("COLUMN ..."), HIDDEN] = ()
    probabilities: Annotated[tuple[str, ...], flag("COLUMN ..."), HIDDEN] = ()
    labels_from: Annotated[Path | None, flag("FILE"), HIDDEN] = None
    id: Annotated[str | None, flag("COLUMN"), HIDDEN] = None


@dataclass(frozen=True)
class MachineFlags:
    """What it runs on."""

    batch: Annotated[int | None, flag("N")] = None
    """Inputs run at a time: by default 100, on a CPU fewer if they are large."""
    threads: Annotated[int | None, flag("N")] = None
    """Threads of each process: by default all the cores it can have, but 1 on Ray, or to score
    a run."""
    accelerator: Annotated[str, flag("DEVICE")] = "cpu"
    """cpu, gpu or auto."""


@dataclass(frozen=True)
class SharingFlags:
    """Sharing the work, which changes no byte of the files if --threads stays the same."""

    devices: Annotated[int, flag("N")] = 1
    """Devices, one process each: GPUs, or CPU processes with --accelerator cpu."""
    nodes: Annotated[int, flag("N")] = 1
    """Machines, with --devices on each: `torchrun` or `srun` starts the same command on all of
    them, and all see the folder that it is run in. Without --nodes and --devices, as
    many processes share the work as were started."""
    ray: Annotated[str | None, flag("ADDRESS")] = None
    """Address of a Ray cluster whose machines share the folder that the command is run in, or
    `local`, which runs --devices processes at a time; needs the package ray."""

    loaders: Annotated[int, flag("N")] = 0
    """Extra processes that read and decode images ahead: worth it for a folder of images, or for
    encoded images in many large files."""

    def begun(self, machine: MachineFlags, *needs: str, threads: int | None = None) -> "Compute":
        """The devices and processes, importing what the command `needs`; `threads` by default."""
        from arcal.compute import Compute
        from arcal.compute.launcher import joined

        processes = processes_for(self.devices, self.nodes)
        if self.ray is not None and joined() is not None:
            raise ArcalError(
                "--ray: a launcher started this command in several processes, which share the "
                "work: leave --ray out, or start the command once"
            )
        if self.loaders and (self.ray is not None or processes > 1):
            raise ArcalError(
                "--loaders read ahead for a single process: leave them out, since each of several "
                "reads for itself"
            )
        if self.ray not in (None, "local") and self.devices > 1:
            raise ArcalError(
                f"--devices counts those of this machine, and the Ray cluster at {self.ray} counts "
                "its own: leave it out"
            )
        compute = Compute(
            machine.accelerator,
            processes=processes,
            threads=threads if machine.threads is None else machine.threads,
            ray=self.ray,
            loaders=self.loaders,
        )
        compute.begin(*needs)
        compute.log()
        return compute


def processes_for(devices: int, nodes: int) -> int:
    """How many processes share the work: those of a launcher, or else one per device.

    A launcher that started other numbers of processes raises `ArcalError`, and so do several
    machines without a launcher.
    """
    from arcal.compute import check_count
    from arcal.compute.launcher import joined

    check_count("devices", devices)
    check_count("nodes", nodes)
    if (ranks := joined()) is not None:
        if (devices, nodes) != (1, 1):
            ranks.launcher.check(devices, nodes)
        return ranks.launcher.size
    if nodes > 1:
        raise ArcalError(
            f"--nodes {nodes}: start this command on {nodes} machines, by `torchrun --nnodes "
            f"{nodes} --nproc-per-node {devices} -m arcal` and the rest of it, or by `srun`"
        )
    return devices


def for_models(name: str, file: str) -> ArcalError:
    """The error for a flag for models and their data, given with a file of predictions."""
    instead = "; --weight names the column of sample weights" if name == "--weights" else ""
    return ArcalError(f"{name} is for a model and its data, and {file}: leave it out{instead}")


def given(*groups: Any, but: tuple[str, ...] = ()) -> Iterator[str]:
    """The flags in these groups, as typed, whose values are not the defaults."""
    for group in groups:
        usual = type(group)()
        for one in fields(group):
            name = dashed(one.name)
            if name not in but and getattr(group, one.name) != getattr(usual, one.name):
                yield name


def panel_named(shift: tuple[str, ...] | None) -> "Sequence[EvaluationSet] | None":
    """The corruptions that --shift names: empty for `none`, and None, the default, without it."""
    from arcal.auditing import shift_sets

    if shift is None:
        return None
    return [] if shift == ("none",) else shift_sets(shift)


class OnModels:
    """What commands on any model do with the flags that they share."""

    what: tuple[str, ...]
    model: ModelFlags
    data: DataFlags
    machine: MachineFlags
    sharing: SharingFlags

    def check_named(self, cluster: str | None) -> None:
        """Refuse what `check_named` does, and one column that is to do two things."""
        check_named(self.what)
        if cluster is not None and cluster == self.data.one_per:
            raise ArcalError(
                f"--cluster {cluster} uses all inputs of each {cluster}, and --one-per {cluster} "
                "draws one of them: give --cluster alone, or --one-per alone if each "
                f"{cluster} should count the same"
            )

    def given(self, *more: Any, but: tuple[str, ...] = ()) -> Iterator[str]:
        """The flags given in the shared groups, and in `more`."""
        return given(self.model, self.data, *more, self.machine, self.sharing, but=but)

    def settings(self, compute: "Compute", order: str | None, **more: Any) -> "Settings":
        """The settings of the job; `more` are further fields of `Settings`."""
        from arcal.audits import Settings

        how: dict[str, Any] = {"batch": self.machine.batch, "device": compute.device}
        return Settings(order=order, loaders=compute.loaders, **how, **more)

    def named_models(self, specs: Sequence[str]) -> "list[NamedModel]":
        """The models with these names, each with its weights."""
        from arcal.audits import NamedModel

        none = Path("none")
        weights = self.model.weights or [none] * len(specs)
        if len(weights) != len(specs):
            raise ArcalError(
                f"{len(weights)} --weights for {len(specs)} model{'s' * (len(specs) > 1)}: give "
                "one each, `none` for a model that has its own"
            )
        return [
            NamedModel(spec, None if own == none else own, self.model.normalize)
            for spec, own in zip(specs, weights, strict=True)
        ]

    def named_data(self, path: str, *, part: str | None = None, **options: Any) -> "NamedData":
        """The data at a path, or a `part` of it; `options` are further fields of `NamedData`."""
        from arcal.audits import NamedData, Reading

        how = asdict(self.data)
        for name, why in ONLY_OF_PREDICTIONS.items():
            if (value := how.pop(name)) not in (None, ()):
                value = value[0] if isinstance(value, tuple) else value
                raise ArcalError(f"{dashed(name)} {value} is for files of predictions: {why}")
        options |= {name: how.pop(name) for name in ("limit", "one_per")}
        how["part"] = part or how["part"]
        return NamedData(path, Reading(classes=self.model.class_names, **how), **options)

    @contextmanager
    def running(self, compute: "Compute", job: "Job") -> "Iterator[Sharing | None]":
        """The processes that share the work, in a block within the limits of `compute`.

        If the model fails on the size or channels of its images, the error names the flags for
        these.
        """
        from arcal.compute.sharing import shared

        with compute.limited(), shared(compute, {"arcal.audits"}) as sharing:
            try:
                yield sharing
            except ModelInputError as error:
                if job.examples is None or job.examples.kind != "images":
                    raise
                raise ArcalError(
                    f"{error}; --size PIXELS brings images to another size, --channels 3 or 1 "
                    "makes them colour or grey"
                ) from error


def say_doubt(job: "Job", predicted: "Tensor", labels: "Tensor") -> None:
    """Say if weights are random, classes seem to be in another order, or inputs look wrong."""
    from arcal.report.audited import suspicions

    assert job.examples is not None
    classes = job.examples.classes
    Z = 1 + int(max(predicted.max(), labels.max()))
    if len(classes) < Z:  # labels are numbers, and some classes of the model have no label
        classes = job.classes or tuple(map(str, range(Z)))
    for doubt in suspicions(predicted, labels, classes, job.caveats, job.options):
        say(f"arcal: {job.name}: {doubt}")


def check_named(what: Sequence[str]) -> None:
    """Refuse an empty list, pipes, which cannot be read again, and missing files.

    DATA may be the beginning of the names of several files, so it is checked when it is read.
    """
    if not what:
        raise ArcalError(
            "nothing is named: give MODEL and DATA, or a file of predictions with labels (.npz, "
            ".parquet, .csv, .jsonl)"
        )
    for one in what:
        if one == "-" or Path(one).is_fifo():
            raise ArcalError(
                f"{one} is a pipe, and files are read more than once: save it in a file"
            )
    for one in what[:-1] or what:
        if ":" not in one and not Path(one).exists():
            remedy = meant(Path(one)) or "give MODEL and DATA, or a file of predictions with labels"
            raise ArcalError(f"{one} is missing: {remedy}")
