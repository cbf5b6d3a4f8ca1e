"""arcal audit"""

from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._named import attack_with
from arcal.cli._paths import check_folder
from arcal.cli.model_and_data import (
    OF_PREDICTIONS,
    DataFlags,
    MachineFlags,
    ModelFlags,
    OnModels,
    SharingFlags,
    flag,
    for_models,
    panel_named,
)
from arcal.cli.output import end_if_failed, print_json, print_results, say, wrapped
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arcal.audits import Audit as Finished
    from arcal.audits import Condition, Earlier, Job, NamedPredictions, Settings
    from arcal.compute import Compute


@dataclass(frozen=True)
class AnalysisFlags:
    """What is measured."""

    order: Annotated[str, flag("ORDER")] = "attack"
    """What ranks the inputs for the robustness levels: attack (distances), gradient or margin
    (rankings, much faster), or none."""
    attack: Annotated[str | None, flag("ATTACK")] = None
    """With --order attack: boundary-projection (the default), boundary-projection-quick,
    carlini-wagner, carlini-wagner-gradient, or FILE.py:NAME, an attack of your own."""
    norm: Annotated[str | None, flag("NORM")] = None
    """With boundary-projection: the norm of a distance, l2 (the default) or linf, the largest
    change of a single number in an input."""
    levels: Annotated[int, flag("R")] = 10
    """Robustness levels of equal size."""
    by: Annotated[tuple[str, ...], flag("COLUMN ...")] = ()
    """Columns to group the inputs by, such as region and age: each group has figures of its own.
    More than 12 different numbers are cut into five ranges, and more than 12 different points in
    time are grouped by day. In .npz a column is an array, in WebDataset a field of the JSON."""
    cluster: Annotated[str | None, flag("COLUMN")] = None
    """Column that tells which inputs belong together, such as patient, where each has several: all
    are used, and intervals allow for errors that come together."""
    positive: Annotated[str | None, flag("CLASS")] = None
    """The class whose probability is compared with how often inputs are of it, such as a rare
    disease. By default it is the second of two; of more classes there is none."""
    shift: Annotated[tuple[str, ...] | None, flag("TYPE ...")] = None
    """Corruptions under which images are audited as well: by default four of them; or `none`,
    `all`, a type such as fog, or TYPE-INTENSITY such as fog-3."""
    validation: Annotated[str | None, flag("DATA")] = None
    """Data to fit calibrators on, written like DATA; its validation part is used if it has one.
    Without it, calibrators are fitted on one half of the inputs and tested on the other."""
    against: Annotated[Path | None, flag("AUDIT")] = None
    """Folder or audit.json of an earlier audit, such as last month's: show how the figures have
    changed since, and which changes are beyond chance. --fail-if takes
    "changes.accuracy.high<0"."""
    other: Annotated[tuple[str, ...], flag("DATA ...")] = ()
    """Other data sets, of classes the model does not know: show whether it is less sure of them.
    Labels are not needed, and a folder of images alone will do."""


@dataclass(frozen=True)
class OutputFlags:
    """What is written and printed."""

    out: Annotated[Path, flag("FOLDER")] = Path("audit")
    """Folder of the page (index.html), the figures (audit.json) and the table (inputs.parquet)."""
    names: Annotated[tuple[str, ...], flag("NAME ...")] = ()
    """Names of the models on the page, in order."""
    no_images: Annotated[bool, flag()] = False
    """Leave all pictures, texts and rows of inputs out of the page, so that you can share it."""
    fail_if: Annotated[tuple[str, ...], flag("CONDITION ...")] = ()
    """Conditions such as "ece>0.05" or "least_robust.gap>0.1": exit code 1 if one holds. They
    take the names under `figures` in audit.json."""
    json: Annotated[bool, flag()] = False
    """Print the figures as JSON on standard output."""
    markdown: Annotated[bool, flag()] = False
    """Print a summary as Markdown on standard output, for the summary of a build."""


@dataclass(frozen=True)
class Audit(OnModels):
    """Show how far to trust a classifier's confidence, where it is wrong, and whether to calibrate.

    `arcal audit MODEL DATA` runs the model on the data, finds the smallest change of each input
    that flips the prediction, and writes a page. Several models may come before DATA. A file of
    predictions (.npz, .parquet, .csv or .jsonl with logits or probabilities, and labels; or with
    the confidence of each answer, and whether it was correct) needs neither model nor data: `arcal
    audit predictions.npz`. A killed audit continues where it stopped.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("MODEL ... DATA")]
    """A model, or several, and data; or files of predictions alone. A model is
    package.module:name, file.py:name, timm:NAME or torchvision:NAME with --weights, hf:FOLDER, a
    .pt2 or .onnx file, or a run folder, which brings its data. DATA is a path, or a URL of Parquet,
    WebDataset, CSV or JSON lines, such as s3://bucket/pets."""

    model: ModelFlags = field(default_factory=ModelFlags)
    data: DataFlags = field(default_factory=DataFlags)
    analysis: AnalysisFlags = field(default_factory=AnalysisFlags)
    output: OutputFlags = field(default_factory=OutputFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)
    sharing: SharingFlags = field(default_factory=SharingFlags)

    def check(self) -> None:
        """Refuse what can be checked without importing libraries."""
        self.check_named(self.analysis.cluster)

    def __call__(self) -> None:
        from arcal.audits import FILES, Condition, failures

        output = self.output
        conditions = [Condition.parse(text) for text in output.fail_if]
        check_folder(output.out, FILES)
        audit = self._audit(conditions)
        page = audit.report(output.out, images=not output.no_images)
        for line in audit.doubts:  # where a user sees them, even if the results are piped
            say(f"arcal: {line}")
        if output.json:
            print_json(audit.as_json())
        if output.markdown:
            print_results(audit.markdown())
        if not output.json and not output.markdown:
            print(wrapped(audit.summary(None, with_doubts=False)))
        say(f"page: {page}")
        end_if_failed(failures(conditions, audit.figures()))

    def _audit(self, conditions: "Sequence[Condition]") -> "Finished":
        from arcal.audits import names_of, split_names

        models, data = split_names(self.what)
        titles, columns = self.output.names, self.data.confidence
        if data is None and len(columns) > 1:
            if len(models) > 1:
                raise ArcalError(
                    f"--confidence names {len(columns)} columns, and there are {len(models)} "
                    "files: name several columns of one file, or one column"
                )
            models, titles = models * len(columns), titles or columns
        names = names_of(models, titles)
        against = self._earlier(names)
        if data is None:
            return self._from_files(models, names, conditions, against)
        return self._on_data(models, data, names, conditions, against)

    def _earlier(self, names: list[str]) -> "Earlier | None":
        """The audit that --against names, read before any of its files could be replaced."""
        from arcal.audits import read_earlier

        if (path := self.analysis.against) is None:
            return None
        folder = path.parent if path.is_file() else path
        if folder.resolve() == self.output.out.resolve():
            raise ArcalError(
                f"--against {path} is what this audit would replace: name another folder with --out"
            )
        return read_earlier(path).matched(names).drawn_like(self.data.one_per)

    def _from_files(
        self,
        files: list[str],
        names: list[str],
        conditions: "Sequence[Condition]",
        against: "Earlier | None",
    ) -> "Finished":
        from arcal.audits import LABELLED, NOT_USED, Audit, Uses, open_predictions
        from arcal.report.audited import figure_names

        taken = (*OF_PREDICTIONS, "--text", "--by", "--cluster", "--against", "--positive")
        for name in self.given(self.analysis, but=taken):
            raise for_models(name, "these are predictions")
        how, one_per = self.analysis, self.data.one_per
        audited = open_predictions(
            self._named_predictions(files, names),
            Uses(by=how.by, text=self.data.text, one_per=one_per, cluster=how.cluster),
            R=how.levels,
            classes=None if against is None else against.classes,
            positive=how.positive,
        )
        changes = set[str]() if against is None else against.figure_names()
        for one in audited:
            if labelled := one.facts.get(LABELLED):
                say(f"arcal: {one.name}: {labelled}")
            if unused := one.facts.get(NOT_USED):
                say(f"arcal: {one.name}: columns not used: {unused}")
            classes = () if one.predictions.answers else one.classes
            figures = figure_names(
                classes,
                groupings=one.groupings,
                several=len(audited) > 1,
                changes=changes,
                positive=how.positive is not None,
            )
            for condition in conditions:
                condition.check(figures)
        title = Path(files[0]).name if len(files) == 1 else "predictions"
        return Audit(title, tuple(audited), against=against, one_per=one_per)

    def _named_predictions(self, files: list[str], names: list[str]) -> "list[NamedPredictions]":
        """Files of predictions; several names in --confidence are one per file."""
        from arcal.audits import NamedPredictions

        sure, classes = cycle(self.data.confidence or [None]), self.model.class_names
        return [
            NamedPredictions(file, name, self.data.columns_named(confidence=one, classes=classes))
            for file, name, one in zip(files, names, sure, strict=False)
        ]

    def _on_data(
        self,
        models: list[str],
        data: str,
        names: list[str],
        conditions: "Sequence[Condition]",
        against: "Earlier | None",
    ) -> "Finished":
        from arcal.audits import Audit, run_jobs
        from arcal.console import bar, console
        from arcal.evaluation.grouping import same_data
        from arcal.store import RunFolder, is_run_folder

        if is_run_folder(data):
            same_data([RunFolder.open(run) for run in models])
        compute, out = self.sharing.begun(self.machine, "arcal.audits"), self.output.out
        jobs = self._jobs(compute, models, data, names)
        audit_of = partial(Audit.from_jobs, jobs, against=against, one_per=self.data.one_per)
        with self.running(compute, jobs[0]) as sharing, bar("auditing", "inputs") as progress:

            def page(audited: Any, done: int, total: int) -> None:
                audit_of(audited, of=total).report(out, images=not self.output.no_images)
                what = f"of {done:,} of {total:,} inputs"
                if done == total:
                    what = f"with {len(audited)} of {len(jobs)} models"
                if not console.quiet:
                    say(f"a first page, {what}: {out / 'index.html'}")

            audited = run_jobs(
                jobs,
                work=out / ".work",
                conditions=conditions,
                against=against,
                progress=progress,
                skipped=progress.skipped,
                page=page,
                sharing=sharing,
            )
        return audit_of(audited)

    def _jobs(
        self, compute: "Compute", models: list[str], data: str, names: list[str]
    ) -> "list[Job]":
        from arcal.audits import open_job
        from arcal.store import is_run_folder

        how, settings = self.analysis, self._settings(compute)
        panel, named = panel_named(how.shift), self.named_models(models)
        whole = self.named_data(
            data,
            by=how.by,
            cluster=how.cluster,
            validation=how.validation or (data if is_run_folder(data) else None),
            other=how.other,
        )
        return [
            open_job(
                model, whole, settings, name=name, panel=panel, R=how.levels, positive=how.positive
            )
            for model, name in zip(named, names, strict=True)
        ]

    def _settings(self, compute: "Compute") -> "Settings":
        order, attack, norm = self.analysis.order, self.analysis.attack, self.analysis.norm
        ranked = order_of_audit(order)
        if (attack, norm) != (None, None) and order != "attack":
            flag = "--norm" if attack is None else "--attack"
            raise ArcalError(f"{flag} is for the order attack: leave it out with {order}")
        return self.settings(compute, ranked, attack=attack_with(attack, norm=norm))


def order_of_audit(name: str) -> str | None:
    """The order that --order names for an audit, None for "none"; others raise `ArcalError`."""
    from arcal.orders import AUDIT_ORDERS

    if name not in (orders := (*AUDIT_ORDERS, "none")):
        raise ArcalError(f"--order {name}: choose from {', '.join(orders)}")
    return None if name == "none" else name
