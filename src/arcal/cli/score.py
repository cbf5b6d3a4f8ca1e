"""arcal score"""

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from arcal.cli._named import attack_with
from arcal.cli._paths import check_file, check_folder, check_runs
from arcal.cli.model_and_data import (
    MachineFlags,
    OneModelFlags,
    OnlyDataFlags,
    OnModels,
    SharingFlags,
    flag,
    given,
    say_doubt,
)
from arcal.cli.output import print_json, say
from arcal.errors import ArcalError
from arcal.printable import printable

if TYPE_CHECKING:
    from arcal.calibration import RobustAccuracy
    from arcal.robustness import Robustness

log: logging.Logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RankingFlags:
    """How robustness is measured."""

    order: Annotated[str, flag("ORDER")] = "attack"
    """attack, gradient, margin, confidence or random."""
    attack: Annotated[str | None, flag("ATTACK")] = None
    """With --order attack: boundary-projection (the default), boundary-projection-quick (ranks
    nearly as well with 16 passes), carlini-wagner (the paper's), carlini-wagner-gradient (the same
    from a better start), or FILE.py:NAME, an attack of your own."""
    budget: Annotated[int | None, flag("N")] = None
    """With boundary-projection: the most forward and backward passes spent on an input, by default
    48 (16 for the quick one); it stops sooner on an input whose distance no longer shrinks. Inputs
    of up to 64 numbers are searched from many points, which takes 17 times as many."""
    norm: Annotated[str | None, flag("NORM")] = None
    """With boundary-projection: the norm of a distance, l2 (the default) or linf, the largest
    change of a single number in an input."""

    def chosen_attack(self) -> Any:
        """The attack; its settings are refused if the order is not attack."""
        if (self.attack, self.budget, self.norm) != (None, None, None) and self.order != "attack":
            raise ArcalError(
                "--attack, --budget and --norm are for the order attack: leave them out with "
                f"{self.order}"
            )
        return attack_with(self.attack, budget=self.budget, norm=self.norm)


@dataclass(frozen=True)
class RunFlags:
    """Only when a run is scored."""

    data: Annotated[str | None, flag("PATH")] = None
    """Where the run's data is now, if it has moved since the training."""


@dataclass(frozen=True)
class OutputFlags:
    """What is written and printed."""

    out: Annotated[Path | None, flag("FILE")] = None
    """File for the scores of MODEL and DATA, by default scores.parquet."""
    radii: Annotated[tuple[str, ...] | None, flag("RADIUS ...")] = None
    """With --order attack: print robust accuracy, the share of inputs that are right and stay right
    within a radius, at these radii, in the norm of the distances, with a 95 % interval; numbers
    such as 0.5 or 8/255."""
    json: Annotated[bool, flag()] = False
    """Print a summary as JSON on standard output."""


@dataclass(frozen=True)
class Score(OnModels):
    """Score every input of a data set by its robustness, and write Parquet.

    `arcal score MODEL DATA` accepts the models and data that `arcal audit` does. `arcal score RUN`
    scores a run folder's own data, and writes the file there. With the order `attack` the
    robustness is the norm (L2, or that of --norm) of the smallest perturbation found that changes
    the model's prediction, and +inf if none was found. The other orders are rankings. A killed
    scoring continues with what is missing, and its file is the same as without the interruption.
    """

    what: Annotated[tyro.conf.Positional[tuple[str, ...]], flag("MODEL DATA")]
    """A model and data; or a run folder, RUN, alone. A model is package.module:name,
    file.py:name, timm:NAME or torchvision:NAME with --weights, hf:FOLDER, a .pt2 or .onnx file, or
    a run folder. DATA is a path, or a URL of Parquet, WebDataset, CSV or JSON lines, such as
    s3://bucket/pets."""

    model: OneModelFlags = field(default_factory=OneModelFlags)  # pyright: ignore
    data: OnlyDataFlags = field(default_factory=OnlyDataFlags)  # pyright: ignore
    ranking: RankingFlags = field(default_factory=RankingFlags)
    run: RunFlags = field(default_factory=RunFlags)
    output: OutputFlags = field(default_factory=OutputFlags)
    machine: MachineFlags = field(default_factory=MachineFlags)
    sharing: SharingFlags = field(default_factory=SharingFlags)

    def check(self) -> None:
        """Refuse what can be checked without importing libraries."""
        if len(self.what) != 1 or Path(self.what[0]).is_file():
            return
        own = ("--json", "--radii", "--part", "--threads", "--accelerator")
        own += ("--devices", "--nodes", "--loaders")
        for name in self.given(self.output, but=own):
            raise ArcalError(f"{name} is for MODEL and DATA: leave it out for a run")
        check_runs(self.what)

    def __call__(self) -> None:
        how = self.ranking
        attack = how.chosen_attack()
        radii = _numbers(self.output.radii)
        if how.order != "attack" and radii:
            raise ArcalError("--radii is for the order attack: rankings have no radius")
        if len(self.what) == 1:
            if Path(self.what[0]).is_file():
                raise ArcalError(f"{self.what[0]} alone is not enough: give MODEL and DATA, or RUN")
            scores, file = self._run(attack if how.order == "attack" else None)
        elif len(self.what) == 2:
            scores, file = self._model(attack)
        else:
            raise ArcalError(f"{len(self.what)} names are given: name MODEL and DATA, or RUN")
        norm = getattr(attack, "norm", "l2")
        summary = _summary(scores, file, how.order, norm)
        if radii:
            summary["robust_accuracy"] = _rows(_robust_accuracy(scores, radii))
        if self.output.json:
            print_json(summary)
        say(_sentence(summary))
        for typed, row in zip(
            self.output.radii or (), summary.get("robust_accuracy", ()), strict=True
        ):
            accuracy, low, high = (100 * row[name] for name in ("accuracy", "low", "high"))
            say(f"robust accuracy at {typed}: {accuracy:.1f} % [{low:.1f}, {high:.1f}]")
        if scores.success is not None and not scores.success.all():
            failed = int((~scores.success).sum())
            why = f" ({scores.reason})" if scores.reason else ""
            say(f"the attack failed on {failed} of {len(scores.ids)} inputs: they have +inf{why}")
            if radii:
                say("robust accuracy counts those that are right as right at every radius")

    def _run(self, attack: Any) -> "tuple[Robustness, Path]":
        from arcal.console import bar
        from arcal.store import RunFolder
        from arcal.training.saved_run import data_of
        from arcal.training.scoring import score_file, score_run

        order = self.ranking.order
        needs = "arcal.training", "arcal.compute.device"
        compute = self.sharing.begun(self.machine, *needs, threads=1)
        fabric = compute.fabric_if_needed()
        folder, name = RunFolder.open(Path(self.what[0])), self.data.part or "test"
        part = data_of(folder, self.run.data).part(name)
        with compute.limited(), bar(f"scoring {name} by {order}", "images") as progress:
            options = {"attack": attack, "fabric": fabric, "progress": progress}
            options |= {"loaders": compute.loaders}
            scores = score_run(folder, part, name, order, **options)
        return scores, score_file(folder, name, order, attack)

    def _model(self, attack: Any) -> "tuple[Robustness, Path]":
        from arcal.audits import check_data_name, fingerprint_of_answers, open_job, score_job
        from arcal.console import bar
        from arcal.data.contents import check_evidence, evidence_of
        from arcal.orders import check_order
        from arcal.store import load_scores, save_scores, score_facts

        for name in given(self.run):
            raise ArcalError(f"{name} is for a run: leave it out, and name DATA after MODEL")
        check_data_name(self.what[1])
        order = self.ranking.order
        check_order(order)
        out = self.output.out or Path("scores.parquet")
        check_file(out, "--out")
        check_folder(out.parent, name="--out")
        compute, (spec, data) = self.sharing.begun(self.machine, "arcal.audits"), self.what
        settings = self.settings(compute, order, attack=attack)
        (named,) = self.named_models([spec])
        job = open_job(named, self.named_data(data), settings, name=spec, panel=())
        model = job.fingerprint
        if job.opaque and job.examples is not None:
            model = fingerprint_of_answers(job, job.examples)
        about = {
            "model": model,
            "data": job.examples.content if job.examples else "",
            **settings.facts(),
        }
        part = job.examples.part if job.examples else None
        work = out.with_name(f".{out.stem}.work")
        if out.exists():  # it must be from this scoring, else it is refused
            scores = load_scores(out, about)
            log.info(f"scored before: {out}")
            check_evidence(out, part, score_facts(out).get("files"), "delete it and score again")
        else:
            progress_bar = bar(f"scoring by {order}", "inputs")
            with self.running(compute, job) as sharing, progress_bar as progress:
                job = job.checked()
                tell: Any = {"progress": progress, "skipped": progress.skipped}
                scores = score_job(job, work=work, sharing=sharing, **tell)
            if files := evidence_of(part):
                about["files"] = files
            names = None
            if job.examples and job.examples.names:
                printed = map(printable, job.examples.names)  # Parquet holds only UTF-8
                names = dict(zip(job.examples.ids.tolist(), printed, strict=True))
            save_scores(out, scores, about, names, {"model": spec, "data": data})
        shutil.rmtree(work, ignore_errors=True)  # perhaps left by a killed process
        say_doubt(job, scores.predicted, scores.labels)
        return scores, out


def _numbers(texts: Sequence[str] | None) -> list[float]:
    """Radii as typed, which may be fractions.

    >>> _numbers(["0.5", "51/255"])
    [0.5, 0.2]
    """
    radii: list[float] = []
    if texts is not None and not texts:
        raise ArcalError("--radii names no radius: give numbers, such as 0.5 or 8/255")
    for text in texts or ():
        above, _, below = text.partition("/")
        try:
            radius = float(above) / float(below or 1)
        except (ValueError, ZeroDivisionError):
            radius = -1.0
        if not 0 <= radius < float("inf"):
            raise ArcalError(f"--radii {text}: give numbers of at least 0, such as 0.5 or 8/255")
        radii.append(radius)
    return radii


def _robust_accuracy(scores: "Robustness", radii: list[float]) -> "RobustAccuracy":
    from arcal.calibration import robust_accuracy

    return robust_accuracy(scores.robustness, scores.predicted == scores.labels, radii)


def _rows(curve: "RobustAccuracy") -> list[dict[str, float]]:
    names = "radius", "accuracy", "low", "high"
    columns = (one.tolist() for one in (curve.radii, curve.accuracy, curve.low, curve.high))
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _summary(scores: "Robustness", file: Path, order: str, norm: str) -> dict[str, Any]:
    """The summary that --json prints."""
    import numpy as np

    median = float(np.median(scores.robustness.numpy()))  # torch returns the lower of two
    ranking = scores.success is None
    return {
        "file": str(file),
        "order": order,
        "inputs": len(scores.ids),
        "success": None if scores.success is None else float(scores.success.double().mean()),
        "kind": "ranking" if ranking else "distance",
        "norm": None if ranking else norm,
        "median": median if median < float("inf") else None,
        "passes": float(scores.passes.double().mean()),
    }


def _sentence(summary: dict[str, Any]) -> str:
    inputs, passes = f"{summary['file']}: {summary['inputs']:,} inputs", summary["passes"]
    cost = f", {passes:.3g} passes each" if passes > 1 else ""
    if summary["kind"] == "ranking":
        return f"{inputs}, ranked by {summary['order']}{cost}"
    median = "+inf" if summary["median"] is None else f"{summary['median']:.4g}"
    norm = "L2" if summary["norm"] == "l2" else "L-infinity"
    return f"{inputs}, median distance {median} in {norm}{cost}"
