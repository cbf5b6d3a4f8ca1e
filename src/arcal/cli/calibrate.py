"""arcal calibrate"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import tyro

from arcal.cli._exported import (
    apply,
    check_exportable,
    check_out,
    formats_named,
    write,
)
from arcal.cli._named import calibrators_named
from arcal.cli._unlabelled import (
    clusters_in,
    drawn,
    left_out,
    predictions_like,
    say_drift,
    set_names,
)
from arcal.cli.model_and_data import (
    OF_PREDICTIONS,
    DataFlags,
    MachineFlags,
    OneModelFlags,
    OnModels,
    SharingFlags,
    flag,
    for_models,
    say_doubt,
)
from arcal.cli.output import alone_in, end_if_failed, print_json, say, wrapped
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from torch import Tensor

    from arcal.auditing import Grouping, Predictions
    from arcal.audits import Calibration, Examples, Job, SavedPredictions
    from arcal.external import OwnCalibrator


@dataclass(frozen=True)
class CalibrationFlags:
    """What is tried, and on what."""

    calibrators: Annotated[tuple[str, ...], flag("NAME ...")] = ()
    """Calibrators to try: temperature, ets, irm, irova-ts, vector, dirichlet, smart, ebs, pts,
    spline, or FILE.py:NAME, one of your own. By default all of arcal's: ebs only for
    logits, dirichlet only up to 30 classes and vector only up to 33 million probabilities.
    irova-ts, vector and dirichlet can change predictions, and are only picked if no others are
    named."""
    perturb: Annotated[str | None, flag("HOW")] = None
    """Fit on perturbed images. The only choice is extra: each image is under one of four
    corruptions (speckle noise, blur, spatter, saturation) of an intensity from 1 to 5. The model is
    then less sure on clean images, and closer to the truth on worse ones."""
    unlabelled: Annotated[tuple[str, ...] | None, flag("DATA ...")] = None
    """Inputs without labels, such as today's: estimate how often the model is right on them, and
    how sure it should be. Written like DATA, whose labels are then ignored, or a file of
    predictions. Several, such as one per day, are estimated one by one."""
    cluster: Annotated[str | None, flag("COLUMN")] = None
    """Column that tells which inputs belong together, such as patient, where each has several: all
    inputs of a patient are in one fold, and intervals allow for errors that come together."""
    views: Annotated[str | None, flag("HOW")] = None
    """What to average predictions over before calibrating. The only choice is mirror: each image
    and its mirror image, which takes twice the passes."""


@dataclass(frozen=True)
class OutputFlags:
    """What is written and printed."""

    out: Annotated[Path, flag("FOLDER")] = Path("calibrated")
    """Folder of the calibrator, its figures (calibration.json) and the exported model."""
    export: Annotated[tuple[str, ...], flag("FORMAT ...")] = ()
    """Formats to write the calibrated model in: pt2, onnx, safetensors. If no calibrator is picked,
    none is written."""
    apply: Annotated[Path | None, flag("FILE")] = None
    """File of predictions by the same model, labelled or not: write its calibrated probabilities
    in the same format, to calibrated.csv, calibrated.jsonl or calibrated.parquet."""
    fail_if: Annotated[tuple[str, ...], flag("CONDITION ...")] = ()
    """Conditions such as "ece>0.05", after calibration, "before.accuracy<0.9" or, with
    --unlabelled, "unlabelled.accuracy.high<0.9": exit code 1 if one holds."""
    json: Annotated[bool, flag()] = False
    """Print the figures as JSON on standard output."""


class Given(NamedTuple):
    """What calibrators are fitted to and applied to."""

    predictions: "Predictions"
    weights: "Tensor | None"
    weighed_by: str | None
    unlabelled: "dict[str, Predictions]"
    applied: "SavedPredictions | None"
    classes: tuple[str, ...]
    labelled: str | None = None
    left_out: tuple[str, ...] = ()
    clusters: "Grouping | None" = None
    clusters_of: "Mapping[str, Tensor]" = MappingProxyType({})
    """The clusters of the unlabelled inputs, by name of the set, where they are known."""


@dataclass(frozen=True)
class Calibrate(OnModels):
    """Fit calibrators to a trained classifier, pick one, and write the model with it inside.

    `arcal calibrate MODEL DATA` runs the model on labelled data that it was not trained on, tests
    each calibrator by five-fold cross-validation, and picks the simplest that keeps every
    prediction, lowers the log-loss beyond chance and is not clearly worse than the best. A file of
    predictions (.npz, .parquet, .csv or .jsonl with logits or probabilities, and labels; or with
    the confidence of each answer, and whether it was correct) needs neither model nor data: `arcal
    calibrate predictions.csv`.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("MODEL DATA")]
    """A model and labelled data; or a file of predictions alone. A model is
    package.module:name, file.py:name, timm:NAME or torchvision:NAME with --weights, hf:FOLDER, a
    .pt2 or .onnx file, or a run folder, which brings its validation images."""

    model: OneModelFlags = field(default_factory=OneModelFlags)  # pyright: ignore
    data: DataFlags = field(default_factory=DataFlags)
    calibration: CalibrationFlags = field(default_factory=CalibrationFlags)
    output: OutputFlags = field(default_factory=OutputFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)
    sharing: SharingFlags = field(default_factory=SharingFlags)

    def check(self) -> None:
        """Refuse what can be checked without importing libraries."""
        self.check_named(self.calibration.cluster)

    def __call__(self) -> None:
        check_out(self.output.out)
        with alone_in(self.output.out):
            self._calibrate()

    def _calibrate(self) -> None:
        from arcal.audits import (
            Condition,
            calibration_figure_names,
            failures,
            names_of,
            split_names,
        )
        from arcal.external import blamed_on
        from arcal.report.terminal import print_choice

        output, how = self.output, self.calibration
        failing = [Condition.parse(text) for text in output.fail_if]
        sets = set_names(how.unlabelled)
        tried, own = calibrators_named(how.calibrators)
        for name, value, only in (
            ("--perturb", how.perturb, "extra"),
            ("--views", how.views, "mirror"),
        ):
            if value not in (None, only):
                raise ArcalError(f"{name} {value}: the only choice is {only}")
        models, data = split_names(self.what)
        if len(models) > 1:
            what = "files" if data is None else "models"
            raise ArcalError(f"{len(models)} {what} are named: calibrate one at a time")
        formats = formats_named(output.export, models[0])
        job = None
        if data is None:
            given = self._from_file(Path(models[0]), formats)
        else:
            job, given = self._from_model(models[0], data, formats)
        answers = given.predictions.answers
        figures = calibration_figure_names(unlabelled=sets, answers=answers)
        for condition in failing:
            condition.check(figures)
        for line in given.left_out:
            say(f"arcal: {line}")
        others, together = {**given.unlabelled}, {**given.clusters_of}
        if (applied := given.applied) is not None:
            name = str(output.apply)
            some = drawn(applied, self.data.one_per, name)
            others[name] = some.predictions
            together |= clusters_in({name: some}, how.cluster)
        calibration = self._fitted(job, given, sets, tried, own)
        for line in calibration.doubts:
            say(f"arcal: {line}")
        number = None if given.clusters is None else given.clusters.number
        say_drift(given.predictions, others, given.classes, number, together)
        with blamed_on(own):
            written = write(calibration, formats, output.out)
        if output.json:
            print_json(calibration.as_json())
        else:
            print_choice(calibration.choice)
            for line in calibration.sentences():
                print(wrapped(line))
        if applied is not None and output.apply is not None:
            with blamed_on(own):
                choice, fitted_to = calibration.choice, given.predictions
                written += apply(choice, applied, fitted_to, output.apply, output.out)
        for path in written:
            say(f"written: {path}")
        (name,) = names_of(models, [])
        end_if_failed(failures(failing, {name: calibration.figures()}))

    def _fitted(
        self,
        job: "Job | None",
        given: Given,
        sets: list[str],
        tried: list[str],
        own: "list[OwnCalibrator]",
    ) -> "Calibration":
        """The calibration: calibrators fitted and one picked, with facts, doubts and notes."""
        from arcal.auditing import facts_with
        from arcal.audits import NOT_DRAWN, calibration_of, order_doubts, training_part
        from arcal.console import bar
        from arcal.external import blamed_on

        facts, doubts = {}, []
        if job is None:  # for a model these were printed as soon as they were known
            doubts += order_doubts(given.predictions, given.classes)
        else:
            facts |= facts_with(job.facts, job.caveats)
            trained_on = [] if job.examples is None else training_part(job.examples)
            undrawn = [one for one in job.caveats if one.title == NOT_DRAWN]
            doubts += [one.sentence for one in (*trained_on, *undrawn)]
        conditions, named = self._conditions(given), dict(zip(given.unlabelled, sets, strict=True))
        facts |= {f"Calibrator {one.kind}": f"{one.spec}, of the code {one.code}" for one in own}
        with blamed_on(own), bar("calibrating", "fits") as progress:
            return calibration_of(
                given.predictions,
                {named[one]: other for one, other in given.unlabelled.items()},
                weights=given.weights,
                clusters=given.clusters,
                clusters_of={named[one]: some for one, some in given.clusters_of.items()},
                calibrators=tried or None,
                name=" ".join(self.what),
                facts=facts | conditions,
                doubts=doubts,
                notes=list(conditions.values()),
                model=None if job is None else job.model,
                job=job,
                progress=progress,
            )

    def _from_file(self, path: Path, formats: tuple[str, ...]) -> Given:
        from arcal.auditing import in_clusters
        from arcal.audits import read_predictions
        from arcal.printable import first_few

        own = (*OF_PREDICTIONS, "--calibrators", "--unlabelled", "--cluster")
        for name in self.given(self.calibration, but=own):
            raise for_models(name, f"{path} holds predictions")
        if formats:
            raise ArcalError(
                f"--export needs a model, and {path} holds predictions: leave it out, and "
                "the calibrator alone is written"
            )
        one_per, cluster = self.data.one_per, self.calibration.cluster
        by = tuple(one for one in (one_per, cluster) if one is not None)
        named: dict[str, Any] = self.data.columns_named() | {"confidence": self._confidence()}
        saved = read_predictions(path, by=by, names=self.model.classes, **named)
        saved = drawn(saved, one_per, path)
        answers = saved.predictions.answers
        applied = self._applied_to(saved.classes, answers)
        unused = f"columns not used: {first_few(saved.unused)}" if saved.unused else None
        together = None if cluster is not None else saved.wrong_together
        for line in filter(None, (unused, saved.scaled, saved.copies, saved.doubt, together)):
            say(f"arcal: {path}: {line}")
        read = {
            one: self._like("--unlabelled", Path(one), saved.classes, str(path), answers)
            for one in self.calibration.unlabelled or ()
        }
        today = {one: drawn(other, one_per, one) for one, other in read.items()}
        others = read if applied is None else {**read, str(self.output.apply): applied}
        lines = tuple(line for one in others.items() for line in left_out(*one, one_per))
        return Given(
            saved.predictions,
            saved.weights,
            saved.weighed_by,
            {one: some.predictions for one, some in today.items()},
            applied,
            saved.classes,
            saved.labelled,
            lines,
            None if cluster is None else in_clusters(cluster, saved.by[cluster]),
            clusters_in(today, cluster),
        )

    def _confidence(self) -> str | None:
        if len(columns := self.data.confidence) > 1:
            raise ArcalError(
                f"--confidence names {len(columns)} columns: calibrate one; `arcal audit` "
                "of all of them may help you choose"
            )
        return columns[0] if columns else None

    def _like(
        self, flag: str, path: Path, classes: tuple[str, ...], fitted_to: str, answers: bool
    ) -> "SavedPredictions":
        """The predictions in a file that `flag` names, as `predictions_like` reads them."""
        return predictions_like(
            flag,
            path,
            self.data.id,
            classes,
            fitted_to,
            self._confidence(),
            answers=answers,
            by=[one for one in (self.data.one_per, self.calibration.cluster) if one is not None],
            probabilities=self.data.probabilities,
        )

    def _applied_to(self, classes: tuple[str, ...], answers: bool) -> "SavedPredictions | None":
        if (path := self.output.apply) is None:
            return None
        applied = self._like("--apply", path, classes, " ".join(self.what), answers)
        drawn(applied, self.data.one_per, path)  # refused before anything is fitted
        return applied

    def _from_model(self, spec: str, data: str, formats: tuple[str, ...]) -> "tuple[Job, Given]":
        from arcal.audits import Examples, names_of, open_job, with_perturbed, with_views
        from arcal.data.sources import find_source
        from arcal.store import is_run_folder

        compute = self.sharing.begun(self.machine, "arcal.audits")
        part = self.data.part
        if part is None and (is_run_folder(data) or "validation" in find_source(data).parts):
            part = "validation"
        (name,) = names_of([spec], [])
        unlabelled = self.calibration.unlabelled or ()
        if data in unlabelled:
            raise ArcalError(f"--unlabelled {data} is DATA: give other inputs")
        settings, (model,) = self.settings(compute, None), self.named_models([spec])
        whole = self.named_data(data, part=part, cluster=self.calibration.cluster, other=unlabelled)
        job = open_job(model, whole, settings, name=name, panel=())
        if formats:
            check_exportable(job)
        if self.calibration.views:
            job = with_views(job)
        with self.running(compute, job) as sharing:
            job = replace(job.checked(), work=self.output.out / ".work", sharing=sharing)
            assert job.examples is not None
            applied = self._applied_to(job.examples.classes, answers=False)
            seen = with_perturbed(job) if self.calibration.perturb else job
            assert seen.examples is not None
            others = [one for one in seen.other if isinstance(one, Examples)]  # no loaders here
            predictions, *more = (_predicted(seen, some) for some in (seen.examples, *others))
        say_doubt(job, predictions.predicted, predictions.labels)
        weighed_by = None if self.data.weight is None else f"the column {self.data.weight}"
        weights = job.examples.weights_by_id
        classes = job.classes or job.examples.classes
        today = dict(zip(unlabelled, more, strict=True))
        given = Given(predictions, weights, weighed_by, today, applied, classes)
        if self.calibration.cluster is not None:
            numbers = [
                (one, some.clusters_by_id) for one, some in zip(unlabelled, others, strict=True)
            ]
            given = given._replace(
                clusters=job.examples.clusters_by_id,
                clusters_of={one: known.number for one, known in numbers if known is not None},
            )
        if applied is not None:
            lines = left_out(str(self.output.apply), applied, self.data.one_per)
            given = given._replace(left_out=tuple(lines))
        return job, given

    def _conditions(self, given: Given) -> dict[str, str]:
        """Notes on what every figure, before calibration as well, is for if not the plain data."""
        from arcal.audits import DRAWN, LABELLED, drawn_at_random
        from arcal.report.audited import WEIGHED_BY

        conditions = {} if given.labelled is None else {LABELLED: given.labelled}
        if given.weighed_by is not None and given.weights is not None:
            none = int((given.weights == 0).sum())
            conditions[WEIGHED_BY] = (
                f"inputs count by their weights, {given.weighed_by}, in the fits and in the figures"
                + f"; {none:,} of weight 0 {'do' if none > 1 else 'does'} not count" * (none > 0)
            )
        if self.data.one_per:
            conditions[DRAWN] = drawn_at_random(self.data.one_per)
        if self.calibration.perturb:
            conditions["Perturbed"] = "every figure is for the perturbed images"
        if self.calibration.views:
            conditions["Views"] = (
                "every figure, including the model's as it is, is for the average of an image and "
                "its mirror image, which can do harm: compare with the command without --views"
            )
        return conditions


def _predicted(job: "Job", examples: "Examples") -> "Predictions":
    from arcal.console import bar

    with bar(f"predicting {examples.name}", "inputs") as progress:
        return job.predictions(examples, lambda done: progress(done, len(examples)))
