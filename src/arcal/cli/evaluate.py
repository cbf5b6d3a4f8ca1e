"""arcal evaluate"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._paths import check_file, check_folder, check_runs
from arcal.cli.model_and_data import flag, processes_for
from arcal.cli.output import say, show
from arcal.errors import ArcalError
from arcal.files import check_replaceable

if TYPE_CHECKING:
    from arcal.auditing import EvaluationSet, Subject
    from arcal.compute import Compute
    from arcal.data import Data, Part
    from arcal.store import RunFolder


@dataclass(frozen=True)
class Evaluate:
    """Evaluate runs on their test set, under shift and out of distribution.

    Runs that differ only in their seeds are one row of the table. Predictions are kept in the run
    folders, so a killed evaluation continues; every figure becomes a row of a Parquet file.
    """

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], flag("RUN ...")]
    """Run folders, trained on the same data."""
    data: Annotated[str | None, flag("PATH")] = None
    """Where the runs' data is now, if it has moved since the training."""
    shift: Annotated[tuple[str, ...] | None, flag("TYPE ...")] = None
    """Corrupted test sets: nothing or `all` for 19 types at 5 intensities, `standard` for the 15 of
    ImageNet-C, `extra` for the other 4, `cifar100` for the paper's 17, a type such as fog, or
    TYPE-INTENSITY such as fog-3."""
    official: Annotated[Path | None, flag("FOLDER")] = None
    """Folder of official corrupted images (CIFAR-10-C, CIFAR-100-C, ImageNet-C) to read instead of
    corrupting the test set."""
    cache: Annotated[Path | None, flag("FOLDER")] = None
    """Folder to keep corrupted images in, as uint8 (30 MB a set of 10,000 CIFAR images)."""
    cache_limit: Annotated[float | None, flag("GIB")] = None
    """Size limit of --cache: the sets used longest ago are deleted to make room."""
    ood: Annotated[tuple[str, ...], flag("DATA ...")] = ()
    """Other data sets, written as for `arcal train --data` or `arcal audit`, or folders of images
    alone; their test sets are out of distribution. Images of another size are resized, and the
    output says so."""
    posthoc: Annotated[tuple[str, ...], flag("NAME ...")] = ()
    """Post-hoc methods, fitted on each run's own validation images; each adds a row for every
    method: temperature, ets, irm, irova-ts, vector, dirichlet, smart, ebs, pts or spline; or
    batch-temperature, a temperature for every batch of 100 test images without their labels."""
    order: Annotated[str, flag("ORDER")] = "gradient"
    """What ranks the test set, for the variance by level and, in a report, for all figures by
    level: gradient, attack, margin, confidence or random."""
    table: Annotated[Path | None, flag("FILE")] = None
    """File for every figure, with a row for each run, set, type, intensity and measure; by default
    evaluation.parquet, which a report puts into its own folder."""
    threads: Annotated[int, flag("N")] = 1
    """Threads of the evaluation; more are worth it for large networks."""
    workers: Annotated[int, flag("N")] = 1
    """Processes that share the test sets, or the runs if there are fewer sets; with --accelerator
    gpu each has its own GPU, or takes turns if there are fewer."""
    devices: Annotated[int, flag("N")] = 1
    """Devices that share the test sets like --workers, one process each. To ask for more GPUs than
    there are is an error."""
    nodes: Annotated[int, flag("N")] = 1
    """Machines, with --devices on each: `torchrun` or `srun` starts the same command on all of
    them, and all see the folders of the runs. Without --nodes and --devices, as
    many processes share the work as were started."""
    loaders: Annotated[int, flag("N")] = 0
    """Extra processes of each worker that read, decode and corrupt images ahead; worth it for a
    folder of images."""
    accelerator: Annotated[str, flag("DEVICE")] = "cpu"
    """cpu, gpu or auto."""
    json: Annotated[bool, flag()] = False
    """Print every run's figures as JSON on standard output."""

    def check(self) -> None:
        """Refuse what can be checked without importing libraries."""
        check_runs(self.runs)

    def __call__(self) -> None:
        table = self.table or Path("evaluation.parquet")
        self.show(evaluated(self, table)[1])
        say(f"figures: {table}")

    def show(self, subjects: "list[Subject]") -> None:
        """Print the tables in the form that was chosen."""
        show(subjects, self.json)


def _begun(command: Evaluate) -> "Compute":
    """The workers that share the sets; for several devices, one worker per device."""
    from arcal.compute import Compute
    from arcal.compute.launcher import joined

    processes, workers = processes_for(command.devices, command.nodes), command.workers
    if workers != 1 and processes > 1:
        raise ArcalError(
            f"--workers {workers}: {processes} devices share the sets already, with one process "
            "each; leave --workers out"
        )
    compute = Compute(
        command.accelerator,
        workers=processes if processes > 1 else workers,
        loaders=command.loaders,
        threads=command.threads,
    )
    compute.begin("arcal.evaluation")
    if joined() is None:
        replace(compute, processes=processes).devices()  # more than there are is an error
    return compute


def _check(command: Evaluate) -> None:
    """Refuse options that do not fit together, before anything is read."""
    from arcal.calibration.posthoc import EVALUATED, check_posthoc
    from arcal.orders import check_order

    if not command.runs:
        raise ArcalError(
            "no runs: name at least one run folder, before --shift, --ood and --posthoc, which "
            "take all that follows"
        )
    check_order(command.order)
    for name in command.posthoc:
        check_posthoc(name, EVALUATED)
    if command.shift is None and (command.official or command.cache):
        raise ArcalError("--official and --cache are for corrupted test sets: add --shift")
    limit = command.cache_limit
    if limit is not None and (command.cache is None or not 0 < limit < float("inf")):
        raise ArcalError(f"--cache-limit {limit:g}: give GiB above 0, and --cache FOLDER")


def _other_data(sources: tuple[str, ...], data: "Data") -> "list[Part]":
    """Other data sets, each once, resized to the runs' images; a line says if any are the same."""
    from arcal.data import load_test
    from arcal.data.overlap import shared_images

    loaded = (load_test(source, size=data.shape[1:]) for source in sources)
    others = {of.fingerprint(): of for of in loaded}
    for fingerprint, other in others.items():
        if fingerprint == data.test.fingerprint():
            say(f"{other.name} is the runs' own test set: an AUROC of 0.5 is expected")
        elif both := shared_images(other, data.test):
            say(
                f"arcal: {both:,} of the {len(other):,} images of {other.name} are test images of "
                "the runs as well, and cannot be told apart"
            )
    return list(others.values())


def _check_places(table: Path, cache: Path | None) -> None:
    """Refuse a table or a folder of corrupted images that cannot be written."""
    check_file(table, "--table")
    check_replaceable(table)
    check_folder(table.parent, name=f"--table {table}: the folder")
    check_folder(cache, name="--cache")


def evaluated(command: Evaluate, table: Path) -> "tuple[Data, list[Subject], list[str]]":
    """A command's runs evaluated on its sets: the data, the subjects, and notes for the report."""
    compute = _begun(command)  # first, so that workers import libraries at the same time
    from arcal.auditing import shift_sets
    from arcal.data.doubts import doubts
    from arcal.evaluation import write_table
    from arcal.evaluation.grouping import same_data
    from arcal.store import RunFolder
    from arcal.training.saved_run import check_done, data_of

    _check(command)
    compute.log()
    sets = [] if command.shift is None else shift_sets(command.shift)
    folders = [RunFolder.open(path) for path in command.runs]
    check_done(folders)
    same_data(folders)
    data = data_of(folders[0], command.data)
    for doubt in doubts(data):
        say(f"arcal: {doubt}")
    others = _other_data(command.ood, data)
    _check_places(table, command.cache)
    subjects, refused = _subjects(command, compute, folders, data, sets, others)
    lines = [*(f"left out: {line}" for line in refused), *_few(command, len(data.validation))]
    for line in lines:
        say(f"arcal: {line}")
    write_table(table, subjects, **_about(command, data, refused))
    for other in subjects[0].ood:
        say(f"{other.name}: {other.images} images{', ' * bool(other.how)}{other.how}")
    return data, subjects, [f"{line[0].upper()}{line[1:]}." for line in lines]


def _subjects(
    command: Evaluate,
    compute: "Compute",
    folders: "list[RunFolder]",
    data: "Data",
    sets: "list[EvaluationSet]",
    others: "list[Part]",
) -> "tuple[list[Subject], list[str]]":
    """The evaluated runs, and a line for each calibrator that could not be fitted."""
    from arcal.console import bar
    from arcal.data.corrupted import CorruptedImages
    from arcal.evaluation import evaluate

    refused: list[str] = []
    limit = command.cache_limit
    corrupted = CorruptedImages(
        cache=command.cache,
        official=command.official,
        most=None if limit is None else int(limit * 2**30),
    )
    with compute.limited(), bar("evaluating", "sets") as progress:
        subjects = evaluate(
            folders,
            data,
            sets,
            command.order,
            ood=others,
            corrupted=corrupted,
            posthoc=command.posthoc,
            compute=compute,
            progress=progress,
            refused=refused.append,
        )
    return subjects, refused


def _about(command: Evaluate, data: "Data", refused: list[str]) -> dict[str, Any]:
    """What the table says about itself."""
    about: dict[str, Any] = {"data": data.name, "order": command.order}
    about["official"] = command.official is not None
    if refused:
        about["not_fitted"] = refused
    return about


def _few(command: Evaluate, images: int) -> list[str]:
    """A line if calibrators were fitted on too few validation images."""
    from arcal.auditing import ENOUGH_TO_FIT

    if not command.posthoc or images >= ENOUGH_TO_FIT:
        return []
    return [
        f"calibrators were fitted on {images} validation images, and {ENOUGH_TO_FIT} are needed: "
        "their figures say little"
    ]
