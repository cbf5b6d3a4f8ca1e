"""What `arcal calibrate` fits to: predictions in a file, or those of a model on its data."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from arcal.cli._exported import check_exportable
from arcal.cli._unlabelled import Labelled, clusters_in, drawn, left_out, predictions_like
from arcal.cli.model_and_data import OF_PREDICTIONS, for_models, say_doubt
from arcal.cli.output import say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from torch import Tensor

    from arcal.auditing import Grouping, Predictions
    from arcal.audits import Examples, Job
    from arcal.cli.calibrate import Calibrate
    from arcal.prediction_files import ColumnNames, SavedPredictions


class Given(NamedTuple):
    """What calibrators are fitted to and applied to; for a model, also its `job`.

    `clusters_of` are the clusters of the unlabelled inputs, by name of the set, where known.
    """

    predictions: "Predictions"
    weights: "Tensor | None"
    weighed_by: str | None
    unlabelled: "dict[str, Predictions]"
    applied: "SavedPredictions | None"
    classes: tuple[str, ...]
    clusters: "Grouping | None"
    clusters_of: "dict[str, Tensor]"
    left_out: list[str]
    labelled: str | None = None
    job: "Job | None" = None


def from_file(command: "Calibrate", path: Path) -> Given:
    """The predictions in a file, with the others that the command names.

    Flags for models raise `ArcalError`.
    """
    from arcal.auditing import in_clusters
    from arcal.prediction_files import read_predictions
    from arcal.printable import first_few

    how, one_per, cluster = command.calibration, command.data.one_per, command.calibration.cluster
    own = (*OF_PREDICTIONS, "--calibrators", "--unlabelled", "--cluster")
    for name in command.given(how, but=own):
        raise for_models(name, f"{path} holds predictions")
    if command.output.export:
        raise ArcalError(
            f"--export needs a model, and {path} holds predictions: leave it out, and "
            "the calibrator alone is written"
        )
    called = _called(command)
    saved = drawn(read_predictions(path, called), one_per, path)
    labelled = Labelled(str(path), saved.classes, saved.predictions.answers)
    applied = _applied(command, saved.classes, labelled.answers)
    unused = f"columns not used: {first_few(saved.unused)}" if saved.unused else None
    together = None if cluster is not None else saved.wrong_together
    for line in filter(None, (unused, saved.scaled, saved.doubt, together)):
        say(f"arcal: {path}: {line}")
    read = {
        one: predictions_like("--unlabelled", Path(one), labelled, called)
        for one in how.unlabelled or ()
    }
    today = {one: drawn(other, one_per, one) for one, other in read.items()}
    others = read if applied is None else {**read, str(command.output.apply): applied}
    return Given(
        predictions=saved.predictions,
        weights=saved.weights,
        weighed_by=saved.weighed_by,
        unlabelled={one: some.predictions for one, some in today.items()},
        applied=applied,
        classes=saved.classes,
        clusters=None if cluster is None else in_clusters(cluster, saved.by[cluster]),
        clusters_of=clusters_in(today, cluster),
        left_out=[line for one in others.items() for line in left_out(*one, one_per)],
        labelled=saved.labelled,
    )


def from_model(command: "Calibrate", spec: str, data: str) -> Given:
    """The predictions of a model on labelled data, and on the others that the command names."""
    from arcal.audits import Examples, names_of, open_job, with_perturbed, with_views
    from arcal.data.sources import find_source
    from arcal.store import is_run_folder

    how, output = command.calibration, command.output
    compute = command.sharing.begun(command.machine, "arcal.audits")
    part = command.data.part
    if part is None and (is_run_folder(data) or "validation" in find_source(data).parts):
        part = "validation"
    (name,) = names_of([spec], [])
    unlabelled = how.unlabelled or ()
    if data in unlabelled:
        raise ArcalError(f"--unlabelled {data} is DATA: give other inputs")
    settings, (model,) = command.settings(compute, None), command.named_models([spec])
    whole = command.named_data(data, part=part, cluster=how.cluster, other=unlabelled)
    job = open_job(model, whole, settings, name=name, panel=())
    if output.export:
        check_exportable(job)
    if how.views:
        job = with_views(job)
    with command.running(compute, job) as sharing:
        job = replace(job.checked(), work=output.out / ".work", sharing=sharing)
        assert job.examples is not None
        applied = _applied(command, job.examples.classes, answers=False)
        seen = with_perturbed(job) if how.perturb else job
        assert seen.examples is not None
        others = [one for one in seen.other if isinstance(one, Examples)]  # no loaders here
        predictions, *more = (_predicted(seen, some) for some in (seen.examples, *others))
    say_doubt(job, predictions.predicted, predictions.labels)
    weight, one_per = command.data.weight, command.data.one_per
    clusters = [(one, some.clusters_by_id) for one, some in zip(unlabelled, others, strict=True)]
    return Given(
        predictions=predictions,
        weights=job.examples.weights_by_id,
        weighed_by=None if weight is None else f"the column {weight}",
        unlabelled=dict(zip(unlabelled, more, strict=True)),
        applied=applied,
        classes=job.classes or job.examples.classes,
        clusters=job.examples.clusters_by_id,
        clusters_of={one: known.number for one, known in clusters if known is not None},
        left_out=[] if applied is None else left_out(str(output.apply), applied, one_per),
        job=job,
    )


def _predicted(job: "Job", examples: "Examples") -> "Predictions":
    from arcal.console import bar

    with bar(f"predicting {examples.name}", "inputs") as progress:
        return job.predictions(examples, lambda done: progress(done, len(examples)))


def _called(command: "Calibrate") -> "ColumnNames":
    """How columns are called, with those by which inputs are drawn or belong together."""
    from arcal.audits import Uses

    if len(sure := command.data.confidence) > 1:
        raise ArcalError(
            f"--confidence names {len(sure)} columns: calibrate one; `arcal audit` "
            "of all of them may help you choose"
        )
    uses = Uses(one_per=command.data.one_per, cluster=command.calibration.cluster)
    return command.data.columns_named(
        confidence=sure[0] if sure else None, by=uses.columns, classes=command.model.class_names
    )


def _applied(
    command: "Calibrate", classes: tuple[str, ...], answers: bool
) -> "SavedPredictions | None":
    if (path := command.output.apply) is None:
        return None
    labelled = Labelled(" ".join(command.what), classes, answers)
    applied = predictions_like("--apply", path, labelled, _called(command))
    drawn(applied, command.data.one_per, path)  # refused before anything is fitted
    return applied
