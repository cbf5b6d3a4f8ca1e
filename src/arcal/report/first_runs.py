"""The first run of each subject, as an audit has a classifier: what the page explores."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from arcal.auditing import Audited, EvaluationSet, Perturbed, Showcase, Subject
from arcal.report.comparison import Compared, Comparison

NO_INTERVAL = {"low": None, "high": None}


def first_runs(
    comparison: Comparison, classes: tuple[str, ...], showcase: Showcase | None
) -> list[Audited]:
    """Each subject's first run on the clean test set, in ascending order of the ids.

    The perturbations of the `showcase` go with the run whose model was attacked, if it is a first
    one. No calibrators are fitted: the test set chooses nothing.
    """
    attacked = attacked_run(showcase, comparison) if showcase else None
    audited = []
    for i, one in enumerate(comparison.subjects):
        order = one.subject.clean[0].ids.argsort()
        predictions = one.subject.clean[0].rows(order)
        shifted = {
            where: runs[0].rows(runs[0].ids.argsort())
            for where, runs in one.subject.predictions.items()
            if where.is_shifted and torch.equal(runs[0].ids.sort().values, predictions.ids)
        }
        model = Audited(
            name=_run_name(one),
            predictions=predictions,
            classes=classes,
            robustness=one.subject.robustness[0].rows(order),
            shifted=shifted,
            other=[replace(other, runs=other.runs[:1], ensemble=None) for other in one.ood],
            perturbed=_perturbed(showcase) if showcase and attacked == (i, 0) else None,
            R=comparison.R,
            calibrators=False,
            facts=_facts(one),
        )
        audited.append(model)
    return audited


def _run_name(one: Compared) -> str:
    """What the first run of a subject is called: with its seed, unless nobody named one."""
    if one.subject.method is None and len(one.seeds) == 1:
        return one.name.short
    return f"{one.name.short}, seed {' + '.join(map(str, one.seeds[0]))}"


def shift_of(subject: Subject, known: Sequence[Any]) -> list[dict[str, Any]]:
    """The figures of the first run under each corruption, those that are `known` with intervals."""
    by_set = {(one["type"], one["intensity"]): one for one in known}
    return [
        by_set.get((where.corruption, where.intensity)) or _figures(where, subject)
        for where in subject.measures
        if where.is_shifted
    ]


def attacked_run(showcase: Showcase, comparison: Comparison) -> tuple[int, int] | None:
    """The subject and run whose scores of these images the showcase holds, both by number.

    Orders that know no model, such as `random`, fit several runs: then its predictions tell.
    """
    agreement: dict[tuple[int, int] | None, int] = {None: -1}
    for i, one in enumerate(comparison.subjects):
        for run, scores in enumerate(one.subject.robustness):
            by_id = {int(id): place for place, id in enumerate(scores.ids)}
            places = [by_id[id] for id in showcase.ids.tolist() if id in by_id]
            if torch.equal(scores.robustness[places], showcase.estimate):
                same = int((scores.predicted[places] == showcase.predicted).sum())
                agreement[i, run] = same
    return max(agreement, key=agreement.__getitem__)


def _perturbed(showcase: Showcase) -> Perturbed:
    """The images whose prediction was flipped."""
    flipped = showcase.distance.isfinite()
    return Perturbed(
        showcase.ids[flipped], showcase.adversarial[flipped].half(), showcase.logits[flipped]
    )


def _facts(one: Compared) -> dict[str, str]:
    facts = {"Method": one.name.title} if one.subject.method else {}
    if one.subject.provenance:
        first = one.subject.provenance[0]
        facts |= {"Run": first.name, **first.facts}
    return facts


def _figures(where: EvaluationSet, subject: Subject) -> dict[str, Any]:
    first = subject.measures[where].runs[0]
    n = len(subject.clean[0].ids)
    return {
        "type": where.corruption,
        "intensity": where.intensity,
        **{
            name: {"value": first[name], **NO_INTERVAL, "n": n}
            for name in ("accuracy", "ece", "gap")
        },
    }
