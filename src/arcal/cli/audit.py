"""arcal audit"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from arcal.cli.output import say
from arcal.errors import ArcalError

if TYPE_CHECKING:
    from arcal.audits import Audit as Finished


@dataclass(frozen=True)
class Audit:
    """Say how sure a classifier should be, where it is wrong about that, and what would mend it.

    `arcal audit MODEL DATA` runs the model on the data, finds how small a change of each input
    changes its prediction, and writes a page. Several models may come before DATA. A file of
    predictions (.npz, .parquet or .csv with logits or probabilities, and labels) needs neither
    model nor data: `arcal audit predictions.npz`. A killed audit goes on where it was.
    """

    what: tyro.conf.Positional[tuple[str, ...]]
    """MODEL ... DATA, or files of predictions. A model is package.module:name, file.py:name,
    timm:NAME or torchvision:NAME with --weights, hf:FOLDER, a .pt2 file or a run folder."""
    out: Path = Path("audit")
    """Folder of the page (index.html), the figures (audit.json) and the table (inputs.parquet)."""
    weights: tuple[Path, ...] = ()
    """File of weights, safetensors or of `torch.save`; of several models one each, in order."""
    normalize: tuple[str, ...] = ()
    """imagenet, cifar, none, or MEAN STD: what the model wants done to inputs in [0, 1]. Unless
    given, what the model's own configuration says."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the model's order, where it does not say them itself."""
    names: tuple[str, ...] = ()
    """Names of the models on the page, in order."""
    part: str | None = None
    """Part of the data: test unless given, or validation, or the only one there is."""
    image: str | None = None
    """Column of the images."""
    text: str | None = None
    """Column of the texts."""
    label: str | None = None
    """Column of the labels."""
    columns: tuple[str, ...] = ()
    """Columns of a table that the model takes, in its order; unless given, all but label, weight
    and id."""
    weight: str | None = None
    """Column of weights: how much each input counts."""
    size: int | None = None
    """Height and width that images are brought to, instead of what the model's configuration
    says."""
    crop: str = "centre"
    """How: centre (short side resized to 256/224 of it, the middle cropped), short-side (to the
    size itself, the middle cropped) or squash."""
    check: bool = False
    """Open every image first, and stop with a list if one is broken."""
    skip_broken: bool = False
    """Leave out images that cannot be read; they are counted and listed."""
    limit: int | None = None
    """Audit only so many inputs, drawn at random."""
    validation: str | None = None
    """Data that calibrators are fitted on, written like DATA; the validation part, if they have
    one. Without it they are fitted on one half of the inputs and shown on the other."""
    other: tuple[str, ...] = ()
    """Other data sets, of classes the model does not know: is it less sure of them?"""
    shift: tuple[str, ...] | None = None
    """Corruptions to show images under: a small panel unless given, `none`, `all`, a type such as
    fog, or TYPE-INTENSITY such as fog-3."""
    order: str = "attack"
    """What the robustness levels are cut by: attack (distances), gradient or margin (rankings, much
    faster), or none."""
    attack: str | None = None
    """Of the order attack: boundary-projection, boundary-projection-quick or carlini-wagner."""
    levels: int = 10
    """Robustness levels of equal size."""
    no_images: bool = False
    """Leave all pictures, texts and rows of inputs out of the page, to share it."""
    fail_if: tuple[str, ...] = ()
    """Conditions such as "ece>0.05" or "least_robust.gap>0.1": exit code 1 if one holds. Figures
    are those of audit.json."""
    json: bool = False
    """Print the figures as JSON on standard output."""
    markdown: bool = False
    """Print a summary as Markdown on standard output, for a build's summary."""
    batch: int | None = None
    """Inputs run at a time: 100 unless given, fewer of large ones on a CPU."""
    threads: int | None = None
    """Threads; all cores unless given."""
    accelerator: str = "cpu"
    """cpu, gpu or auto."""

    def __call__(self) -> None:
        from arcal.audits import Condition, failures

        conditions = [Condition.parse(text) for text in self.fail_if]
        audit = self._audit()
        page = audit.report(self.out, images=not self.no_images)
        if self.json:
            print(json.dumps(audit.as_json(), indent=2))
        if self.markdown:
            print(audit.markdown())
        if not self.json and not self.markdown:
            print(audit.summary())
        say(f"page: {page}")
        if failed := failures(conditions, audit.figures()):
            for line in failed:
                say(f"arcal: {line}")
            sys.exit(1)

    def _audit(self) -> "Finished":
        from arcal.audits import (
            Audit,
            names_of,
            open_predictions,
            run_jobs,
            split_names,
        )
        from arcal.compute import Compute
        from arcal.console import bar

        models, data = split_names(self.what)
        names = names_of(models, self.names)
        compute = Compute(self.accelerator, threads=self.threads)
        if data is None:
            self._refuse_what_needs_a_model()
            audited = open_predictions(models, names, self.levels)
            return Audit(
                Path(models[0]).name if len(models) == 1 else "predictions", tuple(audited)
            )
        jobs = [
            self._job(spec, data, name, i, compute.device)
            for i, (spec, name) in enumerate(zip(models, names, strict=True))
        ]
        with compute.limited(), bar("auditing", "inputs") as progress:

            def page(audited: Any, done: int, total: int) -> None:
                audit = Audit.from_jobs(jobs, audited, of=total)
                audit.report(self.out, images=not self.no_images)
                say(f"a first page, of {done:,} of {total:,} inputs: {self.out / 'index.html'}")

            audited = run_jobs(jobs, work=self.out / ".work", progress=progress, page=page)
        return Audit.from_jobs(jobs, audited)

    def _job(self, spec: str, data: str, name: str, i: int, device: Any) -> Any:
        from arcal.attacks import attack_named
        from arcal.auditing import shift_sets
        from arcal.audits import Reading, Settings, open_job

        if self.weights and len(self.weights) != len(self.what) - 1:
            raise ArcalError(
                f"{len(self.weights)} --weights for {len(self.what) - 1} models: give one each, "
                "`none` for a model that has its own"
            )
        weights = self.weights[i] if self.weights else None
        orders = ("attack", "gradient", "margin", "none")
        if self.order not in orders:
            raise ArcalError(f"--order {self.order}: choose from {', '.join(orders)}")
        if self.batch is not None and self.batch < 1:
            raise ArcalError(f"--batch {self.batch}: at least 1 input is needed")
        if self.attack is not None and self.order != "attack":
            raise ArcalError(f"--attack is of the order attack: leave it out with {self.order}")
        panel = None
        if self.shift is not None:
            panel = [] if self.shift == ("none",) else shift_sets(self.shift)
        return open_job(
            spec,
            data,
            Reading(
                part=self.part,
                image=self.image,
                text=self.text,
                label=self.label,
                columns=self.columns,
                classes=self.classes,
                weight=self.weight,
                size=self.size,
                crop=self.crop,
                check=self.check,
                skip_broken=self.skip_broken,
            ),
            Settings(
                order=None if self.order == "none" else self.order,
                attack=attack_named(self.attack or "boundary-projection"),
                batch=self.batch,
                device=device,
            ),
            weights=None if weights in (None, Path("none")) else weights,
            normalize=self.normalize or None,
            name=name,
            panel=panel,
            validation=self.validation,
            other=self.other,
            limit=self.limit,
            R=self.levels,
        )

    def _refuse_what_needs_a_model(self) -> None:
        usual = Audit(what=())
        needing_a_model = (
            "weights",
            "normalize",
            "part",
            "image",
            "text",
            "label",
            "columns",
            "classes",
            "weight",
            "size",
            "check",
            "skip_broken",
            "limit",
            "validation",
            "other",
            "shift",
            "attack",
            "batch",
        )
        for field in needing_a_model:
            if getattr(self, field) != getattr(usual, field):
                raise ArcalError(
                    f"--{field.replace('_', '-')} is of a model and its data, and these are "
                    "predictions: leave it out"
                )
