"""From models and data to the results of an audit: the order of the work, and its progress."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path

import torch
from torch import Tensor

from arcal.arrays import as_tensor, ascending, places_of
from arcal.attacks import BoundaryProjection, Bounds, OwnAttack, attack_words
from arcal.auditing import Audited, Predictions, as_predictions, out_of_distribution
from arcal.audits._conditions import Condition
from arcal.audits._earlier import Earlier
from arcal.audits._job import Job, first_batch
from arcal.audits._loaded import number_of_inputs
from arcal.audits._overlap import calibrated_on
from arcal.audits.blocks import Block, Settings, by_id, joined
from arcal.audits.engine import checked_classes, further
from arcal.compute.sharing import Sharing
from arcal.errors import ArcalError, prefixing_errors
from arcal.labelled_batches import nothing_in
from arcal.robustness import Robustness

FIRST, AGAIN = 1000, 4
"""A first page is written after FIRST inputs, each later one after AGAIN times as many."""

Progress = Callable[[int, int], object]
Page = Callable[[Sequence[Audited], int, int], object]


def run_jobs(
    jobs: Sequence[Job],
    *,
    work: Path | None = None,
    conditions: Sequence[Condition] = (),
    against: Earlier | None = None,
    progress: Progress = lambda done, total: None,
    skipped: Progress | None = None,
    page: Page = lambda audited, done, total: None,
    sharing: Sharing | None = None,
) -> list[Audited]:
    """Run the audits one after another, each shared by the processes of `sharing`, if any.

    `progress` is called with the number of inputs done and in all. If the latest ones were read
    from `work`, or only predicted, `skipped` is called instead, if given, because they say nothing
    about the time that the others take. `page` gets the first job's result after `FIRST` inputs,
    and again after `AGAIN` times as many. With several jobs it gets all finished results after each
    job but the last, because models are compared only on the same inputs. Conditions on figures
    that this audit does not have, inputs that cannot be audited, and an earlier audit `against`
    which they cannot be compared raise `ArcalError` before anything is run.
    """
    jobs = [replace(job.checked(), work=work, sharing=sharing) for job in jobs]
    _check(jobs, conditions, against)
    total, done = sum(map(len, jobs)), 0
    skipped = skipped or progress
    finished: list[Audited] = []
    for job in jobs:
        validation = None if job.validation is None else job.predictions(job.validation)
        other = [(one.name, job.predictions(one)) for one in job.other]
        N = len(job.examples or ())
        done += len(job) - N
        blocks: list[Block] = []
        seen, written, anything_run = 0, 0, False
        skipped(done, total)
        for block, run in job.blocks(partial(further, lambda n: progress(n, total), done)):
            blocks.append(block)
            seen, done = seen + len(block.ids), done + len(block.ids)
            (progress if run else skipped)(done, total)
            anything_run = anything_run or run
            # after a block that was read, the page would soon be written again
            if run and not finished and max(FIRST, AGAIN * written) <= seen < N:
                written = seen
                if _says_something(job, blocks):
                    page([audited(job, joined(blocks), validation, other)], seen, N)
        if not blocks:
            raise ArcalError(f"there is nothing to audit: the data {nothing_in(job.loader)}")
        check_levels(job, seen)
        finished.append(audited(job, joined(blocks), validation, other))
        if anything_run and FIRST <= N and len(finished) < len(jobs):
            page(finished, N, N)
    progress(total, total)
    return finished


def _check(jobs: Sequence[Job], conditions: Sequence[Condition], against: Earlier | None) -> None:
    """Refuse whatever can be recognised as wrong before anything is run."""
    first, several = jobs[0].examples, len(jobs) > 1
    if against is not None and first is not None:
        z = jobs[0].positive_class(first.classes)
        has = {"weights": first.weights is not None, "clusters": first.clusters is not None}
        against.check(first.classes, has, positive=z)
    changes = () if against is None else against.figure_names()
    for job in jobs:
        if (examples := job.examples) is None:
            check_levels(job, number_of_inputs(job.loader))
            continue
        if first is not None:
            check_classes(jobs[0].name, first.classes, job.name, examples.classes)
        check_levels(job, len(examples))
        if examples.weights is not None and not examples.weights.any():  # possible under a limit
            raise ArcalError(
                f"all {len(examples):,} inputs weigh 0, so nothing counts: use more inputs"
            )
        figures = job.figure_names(several=several, changes=changes)
        for condition in conditions:
            condition.check(figures)
    if several and first is None:
        _check_together(jobs)


def _says_something(job: Job, blocks: Sequence[Block]) -> bool:
    """Whether these first inputs are enough for an audit of their own."""
    assert job.examples is not None
    ids, weights = torch.cat([block.ids for block in blocks]), job.examples.weights
    enough = len(ids) >= job.R or job.settings.order is None
    return enough and (weights is None or bool(weights[places_of(ids, job.examples.ids)].any()))


def check_levels(job: Job, N: int | None) -> None:
    """Refuse an invalid number of levels, or more levels than there are inputs (N, if known)."""
    if not isinstance(job.R, Integral) or job.R < 1:
        raise ArcalError(f"{job.R!r} levels: a whole number, at least 1, is needed")
    if job.settings.order is not None and N and N < job.R:
        raise ArcalError(
            f"{N} inputs cannot be cut into {job.R} levels: use fewer levels or more inputs"
        )


def check_classes(
    first: str, classes: Sequence[str], other: str, other_classes: Sequence[str]
) -> None:
    """Refuse two models, each given by its name and classes, whose classes differ."""
    _check_same_classes({first: len(classes), other: len(other_classes)})
    if tuple(other_classes) != tuple(classes):
        raise ArcalError(
            f"{first} and {other} name their classes differently: give both the same names "
            "in the same order"
        )


def audited(
    job: Job,
    block: Block,
    validation: Predictions | None,
    other: Sequence[tuple[str, Predictions]],
) -> Audited:
    """The audited model from the results on these inputs, in ascending order of their ids."""
    order = ascending(block.ids)  # of the order in which a loader yielded them
    block = by_id(block)
    predictions = as_predictions(ids=block.ids, labels=block.labels, logits=block.logits)
    Z = predictions.classes
    classes = job.examples.classes if job.examples else job.classes
    classes = classes or tuple(map(str, range(Z)))
    weights, names, groupings, clusters = None, None, (), None
    if job.beside is not None:
        weights, groupings, clusters = job.beside.rows(order)
    elif job.examples is not None:
        rows = places_of(block.ids, job.examples.ids)
        weights = None if job.examples.weights is None else job.examples.weights[rows]
        groupings = tuple(one.rows(rows) for one in job.examples.groupings)
        clusters = None if job.examples.clusters is None else job.examples.clusters.rows(rows)
        if (known := job.examples.names) is not None:
            names = tuple(str(known[i]) for i in rows.tolist())
    if job.names:
        names = tuple(job.names.get(i, "") for i in block.ids.tolist())
    return Audited(
        name=job.name,
        predictions=predictions,
        classes=classes,
        robustness=_robustness(block, job.settings),
        nearest=block.nearest,
        shifted={
            where: Predictions(block.ids, block.labels, z[None])
            for where, z in block.shifted.items()
        },
        other=[
            out_of_distribution(name, [predictions], [of], weights=weights) for name, of in other
        ],
        validation=validation,
        perturbed=block.perturbed,
        weights=weights,
        names=names,
        groupings=groupings,
        clusters=clusters,
        R=job.R,
        positive_class=job.positive_class(classes),
        norm=job.settings.norm,
        facts={**job.facts, **_distance_facts(job)},
        caveats=[*job.caveats, *calibrated_on(job.model, predictions)],
        options=job.options,
    )


def _distance_facts(job: Job) -> dict[str, str]:
    """Facts for the page if distances are not in L2, by the default attack, within [0, 1]."""
    facts, settings, attack = dict[str, str](), job.settings, job.settings.attack
    if settings.norm == "linf":
        facts["Norm"] = "L-infinity: the greatest change of any number of an input"
    if settings.order != "attack":
        return facts
    if isinstance(attack, OwnAttack):
        facts["Attack"] = f"{attack.spec}, your own, of the code {attack.code}"
    elif attack not in (BoundaryProjection(), BoundaryProjection(norm="linf")):
        facts["Attack"] = attack_words(attack)
    if job.examples is None or "Distances" not in job.examples.facts:
        facts |= _bounds_fact(settings.bounds)
    return facts


def _bounds_fact(bounds: Bounds) -> dict[str, str]:
    if bounds is None:
        return {"Bounds": "none: a number of an input may change to any other"}
    ends = [as_tensor(end, "bounds") for end in bounds]
    if all(end.ndim == 0 for end in ends):
        low, high = (float(end) for end in ends)
        return {} if (low, high) == (0, 1) else {"Bounds": f"{low:g} to {high:g}"}
    low, high = float(ends[0].min()), float(ends[1].max())
    return {"Bounds": f"each number of an input has its own, in all {low:g} to {high:g}"}


def _robustness(block: Block, settings: Settings) -> Robustness | None:
    """The robustness of a block's inputs; None if nothing was ranked."""
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
    job: Job,
    *,
    work: Path | None = None,
    progress: Progress,
    skipped: Progress | None = None,
    sharing: Sharing | None = None,
) -> Robustness:
    """Score the inputs of a job and do nothing else; the scores are in ascending order of ids.

    `progress`, `skipped` and `sharing` are as for `run_jobs`.
    """
    job = replace(job.checked(), work=work, sharing=sharing)
    parts: list[Robustness] = []
    done, N = 0, len(job)
    for block, run in job.scores(lambda n: progress(n, N)):
        parts.append(block)
        done += len(block.ids)
        (progress if run else skipped or progress)(done, N)
    columns = {
        name: torch.cat([getattr(one, name) for one in parts])
        for name, value in vars(parts[0]).items()
        if isinstance(value, Tensor)
    }
    reason = next((one.reason for one in parts if one.reason), "")
    return replace(parts[0], reason=reason, **columns).rows(ascending(columns["ids"]))


def _check_together(jobs: Sequence[Job]) -> None:
    """Check the models of several jobs with one loader on its first batch, before any is run."""
    for _, x, labels in first_batch(jobs[0]):
        classes = {}
        for job in jobs:
            with prefixing_errors(job.name):
                classes[job.name] = checked_classes(job, x.no_finer_than(job.model), labels)
        _check_same_classes(classes)


def _check_same_classes(classes: Mapping[str, int]) -> None:
    """Refuse models, by name, whose number of classes differs from that of the first."""
    (first, Z), *others = classes.items()
    for name, other in others:
        if other != Z:
            raise ArcalError(
                f"{first} has {Z:,} classes and {name} {other:,}: audit them one by one"
            )
