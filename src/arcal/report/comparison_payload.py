"""The page on several subjects: compared over their runs, then the first run of each in detail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import torch

from arcal.auditing import Audited, EvaluationSet, Subject
from arcal.data import Part
from arcal.report import findings
from arcal.report.audited import Finding, Shown, as_json, payload
from arcal.report.audited import notes as notes_of
from arcal.report.names import Compared, Comparison, seed_title
from arcal.report.sections import sections

ORDERS = {
    "attack": "the distance of the smallest perturbation an attack finds",
    "gradient": "one gradient: the lead of the predicted class's logit over the next, divided by "
    "the norm of its gradient (the distance to first order)",
    "margin": "the lead of the predicted class's logit over the next",
    "confidence": "the probability of the predicted class",
    "random": "chance: the control, which knows nothing of robustness",
}
"""The orders that images are ranked by, in words."""


def comparison_payload(
    comparison: Comparison,
    drawn: Mapping[str, str],
    *,
    title: str,
    classes: tuple[str, ...],
    notes: list[str],
    part: Part | None,
) -> dict[str, Any]:
    """The payload of the page; `drawn` are SVG texts by name."""
    models = first_runs(comparison, classes)
    name = "the clean test set" if part is None else part.name
    kind = "predictions" if part is None else "images"
    each = [Finding(model) for model in models]
    known = as_json(each, name, None, {}, kind)
    known |= {
        "title": title,
        "sentence": findings.headline(comparison),
        "notes": [*notes, *notes_of(each, advise=False)],
        "models": [
            {**one, "shift": shift_of(compared.subject, one["shift"])}
            for one, compared in zip(known["models"], comparison.subjects, strict=True)
        ],
    }
    shown = None if part is None else Shown(part.ids, part=part)
    return {**payload(known, models, shown), "comparison": several_subjects(comparison, drawn)}


def several_subjects(comparison: Comparison, drawn: Mapping[str, str]) -> dict[str, Any]:
    """The part of the payload on the subjects over their runs."""
    return {
        "remarks": findings.remarks(comparison),
        "about": _about(comparison),
        "terms": _terms(comparison),
        "methods": [
            {
                "name": one.name.short,
                "kind": one.name.kind,
                "settings": one.name.settings,
                "about": one.name.about,
                "colour": one.name.mark.colour,
                "marker": one.name.mark.marker,
                "seeds": [seed_title(seeds) for seeds in one.seeds],
            }
            for one in comparison.subjects
        ],
        "sections": [asdict(section) for section in sections(comparison, drawn)],
        "made": _made(comparison),
        "files": [
            {"href": "figures.json", "words": "the numbers of every table and picture"},
            {"href": "pictures/", "words": "the pictures, as SVG and PNG"},
        ],
    }


def _about(comparison: Comparison) -> str:
    counts = sorted({len(one.seeds) for one in comparison.subjects})
    runs = " to ".join(map(str, sorted({counts[0], counts[-1]})))
    runs += " run" if counts == [1] else " runs"
    spread = (
        "“a ± b” is mean and standard deviation over runs, each of its own seed; comparisons are "
        "paired by seed, and no significance test was made."
        if counts[-1] > 1
        else "One run shows no deviation: small differences may be chance."
    )
    ranked = ORDERS.get(comparison.order, comparison.order)
    return f"{runs} a method. {spread} The images were ranked by {ranked}."


def _terms(comparison: Comparison) -> list[dict[str, str]]:
    terms = [
        {
            "name": "Calibrated",
            "words": "A classifier is calibrated if it is right as often as it says: of the "
            "predictions made with 80 % confidence, 80 % are correct. Confidence above accuracy is "
            "over-confident.",
        },
        {
            "name": "ECE",
            "words": "Expected calibration error: how far apart confidence and accuracy are, "
            "averaged over 15 bins of confidence, in percentage points (×10⁻²). 0 is calibrated.",
        },
        {
            "name": "Robustness level",
            "words": "An image is robust if it takes a large change of its pixels to change the "
            f"prediction. The ranking of the images is cut into {comparison.R} levels; level 0 is "
            "the least robust.",
        },
    ]
    about = {one.name.kind: one.name.about for one in comparison.subjects if one.name.about}
    if about:
        words = " ".join(f"{kind}: {line}." for kind, line in about.items())
        terms.append({"name": "The methods", "words": words})
    return terms


def _made(comparison: Comparison) -> dict[str, str]:
    """The facts on how the runs were made; if they differ, all their values."""
    rows: dict[str, dict[str, None]] = {}
    for one in comparison.subjects:
        for run in one.subject.provenance:
            for title, value in run.facts.items():
                rows.setdefault(title, {})[value] = None
    made = {title: "; ".join(values) for title, values in rows.items()}
    for one in comparison.subjects:
        made[one.name.title] = f"seeds {', '.join(map(seed_title, one.seeds))}"
    return made | {"Levels": f"{comparison.R}, by the {comparison.order} order"}


def first_runs(comparison: Comparison, classes: tuple[str, ...]) -> list[Audited]:
    """Each subject's first run on the clean test set, in ascending order of the ids.

    No calibrators are fitted, because nothing may be chosen on the test set.
    """
    audited = []
    for one in comparison.subjects:
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
            R=comparison.R,
            calibrators=False,
            facts=_facts(one),
        )
        audited.append(model)
    return audited


def _run_name(one: Compared) -> str:
    """The name of a subject's first run: with its seed, unless a single run has no method."""
    if one.subject.method is None and len(one.seeds) == 1:
        return one.name.short
    return f"{one.name.short}, seed {seed_title(one.seeds[0])}"


def shift_of(subject: Subject, known: Sequence[Any]) -> list[dict[str, Any]]:
    """The figures of the first run under each corruption; those in `known` have intervals."""
    by_set = {(one["type"], one["intensity"]): one for one in known}
    return [
        by_set.get((where.corruption, where.intensity)) or _figures(where, subject)
        for where in subject.measures
        if where.is_shifted
    ]


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
            name: {"value": first[name], "low": None, "high": None, "n": n}
            for name in ("accuracy", "ece", "gap")
        },
    }
