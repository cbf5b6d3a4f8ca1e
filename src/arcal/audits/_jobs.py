"""From models and data to what an audit found: the order of the work, and its progress."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arcal.attacks import Inputs, Model, frozen
from arcal.auditing import (
    Audited,
    EvaluationSet,
    Predictions,
    as_predictions,
    check_model,
    out_of_distribution,
    suspect_scale,
)
from arcal.audits._blocks import PANEL, Advance, Block, Settings, joined, moved, usual_batch
from arcal.audits._conditions import Condition
from arcal.audits._engine import PROBED, from_loader, in_blocks
from arcal.audits._examples import Examples
from arcal.classifiers import check_class_names
from arcal.errors import ArcalError
from arcal.report.audited import figure_names
from arcal.robustness import Robustness
from arcal.transforms.corruptions import SMALLEST

FIRST, AGAIN = 1000, 4
"""A first page is written after so many inputs, the next after so many times as many."""

Progress = Callable[[int, int], object]
Page = Callable[[Sequence[Audited], int, int], object]


@dataclass(frozen=True, eq=False)
class Job:
    """One model on one data set.

    `examples` are inputs of known ids, or `loader` yields batches; `classes` are the names that the
    model has for its classes, if it has any. `validation` is what calibrators
    are fitted on and `other` data of classes the model does not know. `fingerprint` tells the model
    from others of the same weights. `facts` are for the page; `Scale` is added once the model meets
    its first inputs, if they seem to have another one than in training.

    >>> x, y = torch.rand(60, 12), torch.arange(60) % 2
    >>> examples = Examples.from_tensors(x, y, name="mine")
    >>> len(Job("linear", torch.nn.Linear(12, 2), examples))
    60
    """

    name: str
    model: Model
    examples: Examples | None
    loader: Iterable[Any] = ()
    classes: tuple[str, ...] | None = None
    validation: Examples | None = None
    other: Sequence[Examples] = ()
    settings: Settings = field(default_factory=Settings)
    fingerprint: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    R: int = 10

    def __len__(self) -> int:
        rest = sum(map(len, (self.validation or (), *self.other)))
        return rest + (len(self.examples) if self.examples else 0)

    def checked(self) -> "Job":
        """The job, once its model has answered a few inputs; what cannot be audited is refused.

        Data whose classes are only numbers, as many as its labels show, has all of the model's.
        """
        if self.examples is None:
            return replace(self, facts=dict(self.facts))
        examples, some = self.examples, self.examples.order()[:PROBED]
        facts = dict(self.facts)
        x, y = moved(examples.read(some), self.settings.device), examples.labels[some]
        if examples.classes == tuple(map(str, range(len(examples.classes)))):
            check_model(self.model, x)
            with frozen(self.model), torch.no_grad():
                Z = self.model(x.parts if isinstance(x, Inputs) else x).shape[1]
            if len(examples.classes) < Z:
                names = self.classes or tuple(map(str, range(Z)))
                facts["Labels"] = f"of {len(examples.classes):,} of the model's {Z:,} classes"
                examples = replace(examples, classes=names)
        if self.classes is not None:
            check_class_names(self.classes, examples.classes)
        check_model(self.model, x, y, classes=len(examples.classes))
        for one in (self.validation, *self.other):
            if one is not None:
                self._check_on(one)
        job = replace(self, examples=examples, facts=facts)
        more = examples.order()[: usual_batch(x, self.settings.device)]
        job._look_at_scale(moved(examples.read(more), self.settings.device))
        return job

    def _look_at_scale(self, x: Tensor | Inputs) -> None:
        if (doubt := suspect_scale(self.model, x)) is not None:
            self.facts["Scale"] = doubt

    def figure_names(self, classes: Sequence[str]) -> set[str]:
        """The names of all figures that there can be once it has run."""
        order = self.settings.order
        return figure_names(
            classes,
            levels=0 if order is None else self.R,
            distances=order == "attack",
            panel=self.settings.panel,
            others=[one.name for one in self.other],
        )

    def _check_on(self, examples: Examples) -> None:
        x = moved(examples.read(examples.order()[:PROBED]), self.settings.device)
        try:
            check_model(self.model, x)
        except ArcalError as error:
            raise type(error)(f"{examples.name}: {error}") from None

    def blocks(self, work: Path | None, advance: Advance) -> Iterator[Block]:
        """The blocks of the audited inputs; `advance` is told how many are done."""
        if self.examples is None:
            Z = None if self.classes is None else len(self.classes)
            return from_loader(self.model, self.loader, self.settings, Z, self._look_at_scale)
        return in_blocks(
            self.model,
            self.examples,
            self.settings,
            work=work,
            spec=self.fingerprint,
            advance=advance,
        )

    def predictions(
        self,
        examples: Examples,
        work: Path | None,
        advance: Advance = lambda done: None,
    ) -> Predictions:
        """What the model says of other inputs, with nothing attacked or corrupted.

        `advance` is told how many are done.
        """
        settings = replace(self.settings, order=None, panel=(), nearest=False)
        spec = self.fingerprint
        blocks = in_blocks(self.model, examples, settings, work=work, spec=spec, advance=advance)
        whole = _sorted(joined(list(blocks)))
        return Predictions(whole.ids, whole.labels, whole.logits[None])


def panel_for(
    given: Sequence[EvaluationSet] | None, examples: Examples | None
) -> Sequence[EvaluationSet]:
    """The corruptions to show inputs under: those given, or `PANEL` for images that can have it.

    Corruptions given for inputs that cannot have them raise `ArcalError`.

    >>> panel_for(None, Examples.from_tensors(torch.rand(60, 12), torch.arange(60) % 2))
    ()
    """
    part = None if examples is None else examples.part
    fits = part is not None and part.shape[0] in (1, 3) and min(part.shape[1:]) >= SMALLEST
    if given is None:
        return PANEL if fits else ()
    if given and not fits:
        name = "a loader" if examples is None else examples.name
        raise ArcalError(
            f"{name} cannot be corrupted: a part of grey or RGB images of at least {SMALLEST} x "
            f"{SMALLEST} pixels is needed; leave out the corruptions"
        )
    return given


def run_jobs(
    jobs: Sequence[Job],
    *,
    work: Path | None = None,
    conditions: Sequence[Condition] = (),
    progress: Progress = lambda done, total: None,
    skipped: Progress | None = None,
    page: Page = lambda audited, done, total: None,
) -> list[Audited]:
    """Run the audits one after another.

    `progress` gets the inputs done and all there are, or `skipped` does, if it is given, where the
    last of them were read from `work` or only predicted: so many say nothing of the time that the
    others take. `page` gets what is known after the first inputs
    of each job, and again when there are more by far. `conditions` on figures that no such audit
    has raise `ArcalError` before anything is run, as does all else that cannot be audited.

    >>> examples = Examples.from_tensors(torch.rand(60, 12), torch.arange(60) % 2)
    >>> (found,) = run_jobs([Job("linear", torch.nn.Linear(12, 2).eval(), examples)])
    >>> found.overall.n
    60
    """
    jobs = [job.checked() for job in jobs]
    for job in jobs:
        _check_classes(jobs[0], job)
        if job.R < 1:
            raise ArcalError(f"{job.R} levels: at least 1 is needed")
        if job.settings.order is not None and job.examples and len(job.examples) < job.R:
            raise ArcalError(
                f"{len(job.examples)} inputs cannot be cut into {job.R} levels: use fewer "
                "levels or more inputs"
            )
        if job.examples is not None:
            for condition in conditions:
                condition.check(job.figure_names(job.examples.classes))
    total, done = sum(map(len, jobs)), 0
    skipped = skipped or progress
    finished: list[Audited] = []
    for job in jobs:
        validation = None if job.validation is None else job.predictions(job.validation, work)
        other = [(one.name, job.predictions(one, work)) for one in job.other]
        done += sum(map(len, (job.validation or (), *job.other)))
        blocks: list[Block] = []
        seen, written = 0, 0
        skipped(done, total)
        for block, told in _told(job, work, done, total, progress, skipped):
            blocks.append(block)
            seen, done = seen + len(block.ids), done + len(block.ids)
            told(done, total)
            if seen >= max(FIRST, AGAIN * written) and seen < _length(job):
                written = seen
                partial = audited(job, joined(blocks), validation, other)
                page([*finished, partial], seen, _length(job))
        if not blocks:
            raise ArcalError("there is nothing to audit: the data is empty")
        finished.append(audited(job, joined(blocks), validation, other))
    progress(total, total)
    return finished


def _told(
    job: Job, work: Path | None, before: int, total: int, progress: Progress, skipped: Progress
) -> Iterator[tuple[Block, Progress]]:
    """The blocks of a job, each with whom to tell that it is done: those read are skipped.

    `progress` is told of every batch, after the `before` inputs that were done already.
    """
    run = False

    def advance(n: int) -> None:
        nonlocal run
        run = True
        progress(before + n, total)

    for block in job.blocks(work, advance):
        yield block, progress if run or job.examples is None else skipped
        run = False


def _check_classes(first: Job, job: Job) -> None:
    """Refuse models that cannot stand side by side before either has run."""
    if first.examples is None or job.examples is None:
        return
    Z, other = len(first.examples.classes), len(job.examples.classes)
    if other != Z:
        raise ArcalError(
            f"{first.name} has {Z:,} classes and {job.name} {other:,}: audit them one by one"
        )
    if first.examples.classes != job.examples.classes:
        raise ArcalError(
            f"{first.name} and {job.name} name their classes differently: give both the same names "
            "in the same order"
        )


def _length(job: Job) -> int:
    return len(job.examples) if job.examples is not None else 0


def audited(
    job: Job,
    block: Block,
    validation: Predictions | None,
    other: Sequence[tuple[str, Predictions]],
) -> Audited:
    """What is known of a model after these inputs, in ascending order of their ids."""
    block = _sorted(block)
    predictions = as_predictions(ids=block.ids, labels=block.labels, logits=block.logits)
    Z = predictions.classes
    classes = job.examples.classes if job.examples else job.classes
    weights, names = None, None
    if job.examples is not None:
        order = job.examples.ids.argsort()
        rows = order[torch.searchsorted(job.examples.ids[order], block.ids)]
        weights = None if job.examples.weights is None else job.examples.weights[rows]
        if (known := job.examples.names) is not None:
            names = tuple(str(known[i]) for i in rows.tolist())
    return Audited(
        name=job.name,
        predictions=predictions,
        classes=classes or tuple(map(str, range(Z))),
        robustness=robustness_in(block, job.settings),
        nearest=block.nearest,
        shifted={
            where: Predictions(block.ids, block.labels, z[None])
            for where, z in block.shifted.items()
        },
        other=[out_of_distribution(name, [predictions], [of]) for name, of in other],
        validation=validation,
        perturbed=block.perturbed,
        weights=weights,
        names=names,
        R=job.R,
        facts={**job.facts, **job.settings.shown},
    )


def robustness_in(block: Block, settings: Settings) -> Robustness | None:
    """The robustness of a block's inputs; None where nothing was ranked."""
    if block.robustness is None or block.passes is None or settings.order is None:
        return None
    return Robustness(
        order=settings.order,
        ids=block.ids,
        robustness=block.robustness,
        success=block.robustness.isfinite() if settings.order == "attack" else None,
        predicted=block.logits.argmax(dim=1),
        labels=block.labels,
        passes=block.passes,
    )


def score_job(
    job: Job, *, work: Path | None = None, progress: Progress, skipped: Progress | None = None
) -> Robustness:
    """Score the inputs of a job, in ascending order of their ids, and do nothing else with them.

    `progress` and `skipped` are told as by `run_jobs`.

    >>> examples = Examples.from_tensors(torch.rand(60, 12), torch.arange(60) % 2)
    >>> job = Job("linear", torch.nn.Linear(12, 2).eval(), examples)
    >>> score_job(job, progress=lambda done, total: None).robustness.shape
    torch.Size([60])
    """
    job = job.checked()
    job = replace(job, settings=replace(job.settings, nearest=False))
    parts: list[Robustness] = []
    done = 0
    for block, told in _told(job, work, 0, len(job), progress, skipped or progress):
        scores = robustness_in(block, job.settings)
        assert scores is not None
        parts.append(scores)  # and not the logits: of a million inputs they need not fit
        done += len(block.ids)
        told(done, len(job))
    order = _ascending(torch.cat([one.ids for one in parts]))
    columns = {
        name: torch.cat([getattr(one, name) for one in parts])[order]
        for name, value in vars(parts[0]).items()
        if isinstance(value, Tensor)
    }
    return replace(parts[0], **columns)


def _sorted(block: Block) -> Block:
    """The block in ascending order of its ids."""
    order = _ascending(block.ids)
    tensors = {
        name: value[order] for name, value in vars(block).items() if isinstance(value, Tensor)
    }
    return replace(
        block, **tensors, shifted={where: z[order] for where, z in block.shifted.items()}
    )


def _ascending(ids: Tensor) -> Tensor:
    """The positions of ids in ascending order; an id that is there twice raises `ArcalError`."""
    order = ids.argsort(stable=True)
    repeats = ids[order].diff() == 0
    if repeats.any():
        twice = int(ids[order][1:][repeats][0])
        raise ArcalError(f"id {twice} is there twice: every input has its own")
    return order
