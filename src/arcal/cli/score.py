"""arcal score"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from arcal.cli.output import say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.compute import Compute
    from arcal.robustness import Robustness


@dataclass(frozen=True)
class Score:
    """Score every input of a data set by its robustness, and write Parquet.

    `arcal score MODEL DATA` takes the models and the data that `arcal audit` takes; `arcal score
    RUN` a run folder, whose own data is scored and whose folder gets the file. With the order
    `attack` the robustness is the L2 norm of the smallest perturbation found that changes the
    model's prediction, and +inf where none was found. The others are rankings. A killed scoring
    continues with what is missing, and its file is the same as if it had not been.
    """

    what: tyro.conf.Positional[tuple[str, ...]]
    """MODEL DATA, or RUN. A model is package.module:name, file.py:name, timm:NAME or
    torchvision:NAME with --weights, hf:FOLDER, a .pt2 file or a run folder."""
    out: Path | None = None
    """File of the scores of MODEL and DATA: scores.parquet unless given."""
    part: str | None = None
    """Part of the data: test unless given, or validation, or the only one there is; of a run
    train, validation or test."""
    data: str | None = None
    """Where a run's data lies now, if it has moved since the training."""
    weights: Path | None = None
    """File of the model's weights."""
    normalize: tuple[str, ...] = ()
    """imagenet, cifar, none, or MEAN STD: what the model wants done to inputs in [0, 1]."""
    image: str | None = None
    """Column of the images."""
    text: str | None = None
    """Column of the texts."""
    label: str | None = None
    """Column of the labels."""
    size: int | None = None
    """Height and width that images are brought to, unless the model's configuration says it."""
    skip_broken: bool = False
    """Leave out images that cannot be read."""
    limit: int | None = None
    """Score only so many inputs, drawn at random."""
    order: str = "attack"
    """attack, gradient, margin, confidence or random."""
    attack: str | None = None
    """Of the order attack: boundary-projection (the default), boundary-projection-quick, which
    ranks nearly as well with a third of the passes, carlini-wagner, the paper's, or
    carlini-wagner-gradient, the same from a better c."""
    budget: int | None = None
    """Of boundary-projection: forward and backward passes spent on each input, 48 unless given (16
    of the quick one)."""
    processes: int = 1
    """Processes that share the work of a run, one a core or one a GPU; the file is the same."""
    threads: int = 1
    """Threads of each process."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""
    json: bool = False
    """Print a summary as JSON on standard output."""

    def __call__(self) -> None:
        if (self.attack, self.budget) != (None, None) and self.order != "attack":
            raise ArcalError(
                f"--attack and --budget are of the order attack: leave them out with {self.order}"
            )
        if len(self.what) == 1:
            scores, file = self._run()
        elif len(self.what) == 2:
            scores, file = self._model()
        else:
            raise ArcalError(f"{len(self.what)} names: give MODEL and DATA, or RUN")
        median = float(scores.robustness.median())
        summary: dict[str, Any] = {
            "file": str(file),
            "order": self.order,
            "inputs": len(scores.ids),
            "success": None if scores.success is None else float(scores.success.double().mean()),
            "kind": "ranking" if scores.success is None else "distance",
            "median": median if median < float("inf") else None,
            "passes": float(scores.passes.double().mean()),
        }
        if self.json:
            print(json.dumps(summary, indent=2))
        say(", ".join(f"{name} {value}" for name, value in summary.items()))
        if scores.success is not None and not scores.success.all():
            failed = int((~scores.success).sum())
            say(f"the attack failed on {failed} of {len(scores.ids)} inputs: they have +inf")

    def _run(self) -> "tuple[Robustness, Path]":
        from arcal.console import bar
        from arcal.store import RunFolder
        from arcal.training.run import data_of
        from arcal.training.scoring import score_file, score_run

        for name in ("out", "weights", "normalize", "image", "text", "label", "size", "limit"):
            if getattr(self, name) not in (None, ()):
                raise ArcalError(f"--{name} is of MODEL and DATA: leave it out of a run's scoring")
        compute = self._compute()
        attack = None if self.order != "attack" else self._attack()
        fabric = compute.fabric()
        folder, name = RunFolder.open(Path(self.what[0])), self.part or "test"
        part = data_of(folder, self.data).part(name)
        with compute.limited(), bar(f"scoring {name} by {self.order}", "images") as progress:
            options = {"attack": attack, "fabric": fabric, "progress": progress}
            scores = score_run(folder, part, name, self.order, **options)
        return scores, score_file(folder, name, self.order, attack)

    def _model(self) -> "tuple[Robustness, Path]":
        from arcal.audits import Reading, Settings, open_job, score_job
        from arcal.console import bar
        from arcal.robustness import check_order
        from arcal.store import load_scores, save_scores

        if self.data is not None or self.processes != 1:
            flag = "--data" if self.data is not None else "--processes"
            raise ArcalError(f"{flag} is of a run: leave it out, and name DATA after MODEL")
        check_order(self.order)
        out = self.out or Path("scores.parquet")
        compute, (spec, data) = self._compute(), self.what
        settings = Settings(order=self.order, attack=self._attack(), device=compute.device)
        reading = Reading(
            part=self.part,
            image=self.image,
            text=self.text,
            label=self.label,
            size=self.size,
            skip_broken=self.skip_broken,
        )
        job = open_job(
            spec,
            data,
            reading,
            settings,
            weights=self.weights,
            normalize=self.normalize or None,
            name=spec,
            panel=(),
            limit=self.limit,
        )
        about = {
            "model": job.fingerprint,
            "data": job.examples.content if job.examples else "",
            **settings.facts(),
        }
        if out.exists():  # of this scoring, or it is refused
            return load_scores(out, about), out
        work = out.with_name(f".{out.stem}.work")
        with compute.limited(), bar(f"scoring by {self.order}", "inputs") as progress:
            scores = score_job(job, work=work, progress=progress)
        save_scores(out, scores, about)
        shutil.rmtree(work, ignore_errors=True)
        return scores, out

    def _compute(self) -> "Compute":
        from arcal.compute import Compute

        return Compute(self.accelerator, processes=self.processes, threads=self.threads)

    def _attack(self) -> Any:
        from dataclasses import replace

        from arcal.attacks import BoundaryProjection, attack_named

        attack = attack_named(self.attack or "boundary-projection")
        if self.budget is None:
            return attack
        if not isinstance(attack, BoundaryProjection):
            raise ArcalError(f"--budget is of boundary-projection: leave it out with {self.attack}")
        return replace(attack, budget=self.budget)
