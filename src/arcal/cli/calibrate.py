"""arcal calibrate"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from arcal.cli._calibration_data import Given, from_file, from_model
from arcal.cli._exported import apply, check_out, formats_named, write
from arcal.cli._named import calibrators_named
from arcal.cli._unlabelled import clusters_in, drawn, say_drift, set_names
from arcal.cli.model_and_data import (
    DataFlags,
    MachineFlags,
    OneModelFlags,
    OnModels,
    SharingFlags,
    flag,
)
from arcal.cli.output import end_if_failed, print_json, say, wrapped
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from torch import Tensor

    from arcal.auditing import Predictions
    from arcal.audits import Calibration
    from arcal.cli._own_calibrator import OwnCalibrator


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

    def check_choices(self) -> None:
        """Refuse what --perturb and --views do not offer."""
        for name, value, only in (
            ("--perturb", self.perturb, "extra"),
            ("--views", self.views, "mirror"),
        ):
            if value not in (None, only):
                raise ArcalError(f"{name} {value}: the only choice is {only}")


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
        from arcal.audits import (
            Condition,
            calibration_figure_names,
            failures,
            names_of,
            split_names,
        )
        from arcal.cli._own_calibrator import blamed_on

        output, how = self.output, self.calibration
        failing = [Condition.parse(text) for text in output.fail_if]
        sets = set_names(how.unlabelled)
        tried, own = calibrators_named(how.calibrators)
        how.check_choices()
        models, data = split_names(self.what)
        if len(models) > 1:
            what = "files" if data is None else "models"
            raise ArcalError(f"{len(models)} {what} are named: calibrate one at a time")
        formats = formats_named(output.export, models[0])
        if data is None:
            given = from_file(self, Path(models[0]))
        else:
            given = from_model(self, models[0], data)
        answers = given.predictions.answers
        figures = calibration_figure_names(unlabelled=sets, answers=answers)
        for condition in failing:
            condition.check(figures)
        for line in given.left_out:
            say(f"arcal: {line}")
        others, clusters_of = self._unlabelled(given)
        calibration = self._fitted(given, sets, tried, own)
        for line in calibration.doubts:
            say(f"arcal: {line}")
        number = None if given.clusters is None else given.clusters.number
        say_drift(given.predictions, others, given.classes, number, clusters_of)
        with blamed_on(own):
            written = write(calibration, formats, output.out)
        self._print(calibration)
        if given.applied is not None and output.apply is not None:
            with blamed_on(own):
                choice, fitted_to = calibration.choice, given.predictions
                written += apply(choice, given.applied, fitted_to, output.apply, output.out)
        for path in written:
            say(f"written: {path}")
        (name,) = names_of(models, [])
        end_if_failed(failures(failing, {name: calibration.figures()}))

    def _unlabelled(self, given: Given) -> "tuple[dict[str, Predictions], dict[str, Tensor]]":
        """The predictions without labels, of --apply as well, and their clusters, by name."""
        if given.applied is None:
            return given.unlabelled, given.clusters_of
        name = str(self.output.apply)
        some = drawn(given.applied, self.data.one_per, name)
        clusters = clusters_in({name: some}, self.calibration.cluster)
        return {**given.unlabelled, name: some.predictions}, given.clusters_of | clusters

    def _fitted(
        self, given: Given, sets: list[str], tried: list[str], own: "list[OwnCalibrator]"
    ) -> "Calibration":
        """The calibration: calibrators fitted and one picked, with facts, doubts and notes."""
        from arcal.auditing import facts_with
        from arcal.audits import NOT_DRAWN, calibration_of, order_doubts, training_part
        from arcal.cli._own_calibrator import blamed_on
        from arcal.console import bar

        facts, job = {}, given.job
        if job is None:  # for a model these were printed as soon as they were known
            doubts = order_doubts(given.predictions, given.classes)
        else:
            facts = facts_with(job.facts, job.caveats)
            trained_on = [] if job.examples is None else training_part(job.examples)
            undrawn = [one for one in job.caveats if one.title == NOT_DRAWN]
            doubts = [one.sentence for one in (*trained_on, *undrawn)]
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

    def _print(self, calibration: "Calibration") -> None:
        from arcal.report.terminal import print_choice

        if self.output.json:
            print_json(calibration.as_json())
            return
        print_choice(calibration.choice)
        for line in calibration.sentences():
            print(wrapped(line))

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
