"""From what a user types to a job: a model by name, data by path."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from arcal.auditing import Caveat, EvaluationSet
from arcal.audits._examples import Examples
from arcal.audits._job import Job, panel_for
from arcal.audits._overlap import CALIBRATED_ON, overlap, repeated, training_part
from arcal.audits._read import (
    Reading,
    clustered_by,
    clustered_if_there,
    drawn_if_there,
    drawn_one_per,
    known_classes,
    read_examples,
    shared_values,
)
from arcal.audits.blocks import Settings
from arcal.classifiers import AS_THEY_ARE, OpenedClassifier, open_classifier
from arcal.data.listings import Names
from arcal.data.overlap import shared_with_training
from arcal.data.sources import find_source
from arcal.errors import ArcalError
from arcal.report.audited import WEIGHED_BY
from arcal.store import is_run_folder

log = logging.getLogger(__name__)


def open_job(
    spec: str,
    data: str,
    reading: Reading,
    settings: Settings,
    *,
    weights: Path | None,
    normalize: Sequence[str] | None,
    name: str,
    panel: Sequence[EvaluationSet] | None,
    validation: str | None = None,
    other: Sequence[str] = (),
    limit: int | None = None,
    one_per: str | None = None,
    cluster: str | None = None,
    by: Sequence[str] = (),
    R: int = 10,
    positive: str | None = None,
    device: torch.device | None = None,
) -> Job:
    """One model on one data set, opened and checked against each other, with nothing computed yet.

    `panel` None is the default: a few corruptions for images that are large enough. One input is
    drawn for each value in the column `one_per`, and `limit` of these. Inputs with the same value
    in the column `cluster` belong together. `device` is given if another process opens the job
    again, on its own device and without looking for repeated inputs.

    >>> path = Path("linear.py")
    >>> text = "from torch import nn; net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()"
    >>> _ = path.write_text(text)
    >>> options = {"weights": None, "normalize": None, "name": "linear", "panel": None}
    >>> job = open_job("linear.py:net", "fashion", Reading(), Settings(), limit=50, **options)
    >>> len(job), len(job.settings.panel)
    (50, 4)
    """
    options: dict[str, Any] = {"weights": weights, "normalize": normalize, "name": name}
    options |= {"panel": panel, "validation": validation, "other": other, "limit": limit}
    options |= {"one_per": one_per, "cluster": cluster, "by": by, "R": R, "positive": positive}
    again = replace(reading, check=False)  # the images have been checked by then
    reopen = partial(open_job, spec, data, again, settings, **options)
    settings = replace(settings, device=device or settings.device)
    words = " ".join(normalize) if normalize else None
    opened = open_classifier(spec, weights=weights, normalize=words, device=settings.device)
    if reading.size is not None:  # the model's own preprocessing is neither used nor reported
        facts = {k: v for k, v in opened.facts.items() if k != "Preprocessing"}
        opened = replace(opened, facts=facts, not_imitated=False)
    examples = read_examples(data, opened, reading, by=by, one_per=one_per, cluster=cluster)
    if cluster is not None:
        examples = clustered_by(examples, data, cluster, reading)
    if words and examples.kind == "table":
        raise ArcalError(
            f"--normalize is for images, and {data} is a table: normalise its columns in the model"
        )
    read = _with_others(examples, data, opened, reading, validation, other, limit, one_per, cluster)
    examples, images = read.examples, read.examples.kind == "images"
    facts = "; ".join(f"{key}: {one}" for key, one in opened.facts.items())
    log.info(f"opened {spec}: {facts}")
    return Job(
        name=name,
        model=opened.model,
        examples=examples,
        classes=reading.classes or opened.class_names,
        validation=read.validation,
        other=read.other,
        settings=replace(settings, bounds=examples.bounds, panel=panel_for(panel, examples)),
        fingerprint=opened.fingerprint(),
        opaque=opened.opaque,
        facts={
            **opened.facts,
            **_normalisation(opened, examples),
            **examples.facts,
            **({} if reading.weight is None else {WEIGHED_BY: f"the column {reading.weight}"}),
        },
        caveats=[
            *opened.caveats,
            *_otherwise_resized(opened, examples),
            *examples.caveats,
            *_seen_before(opened, read),
            *([] if device is not None else _there_twice(read, data, reading)),
            *read.caveats,
        ],
        options=("--classes", "--normalize") if images else ("--classes",),
        R=R,
        positive=positive,
        reopen=reopen,
    )


@dataclass(frozen=True)
class _Read:
    """The data of a job: the audited `examples`, drawn from the `whole`, and others.

    `caveats` are those that come from drawing them.
    """

    examples: Examples
    whole: Examples
    validation: Examples | None
    other: list[Examples]
    caveats: list[Caveat]


def _with_others(
    whole: Examples,
    data: str,
    opened: OpenedClassifier,
    reading: Reading,
    validation: str | None,
    other: Sequence[str],
    limit: int | None,
    one_per: str | None,
    cluster: str | None,
) -> _Read:
    """The audited inputs, drawn from the `whole`, with validation and other data."""
    like = None if whole.part is None else whole.part.shape
    rest = replace(reading, part=None, weight=None, like=like)
    if whole.kind == "table":  # by name, because another file may have another order of columns
        rest = replace(rest, columns=whole.columns)
    known, caveats = None, list[Caveat]()
    if validation is not None:
        known = _validation(validation, opened, rest, whole)
        for column in dict.fromkeys(one for one in (one_per, cluster) if one is not None):
            there = validation, _part_for(validation, rest), known
            caveats += shared_values(column, (data, reading, whole), there)
    examples = whole if one_per is None else drawn_one_per(whole, data, one_per, reading)
    if limit is not None and limit < 1:
        raise ArcalError(f"--limit {limit}: at least 1 input is needed")
    examples = examples.limited(limit)
    others = [
        read_examples(one, opened, rest, foreign=True, one_per=one_per, cluster=cluster)
        for one in other
    ]
    for i, (one, source) in enumerate(zip(others, other, strict=True)):
        if one.content == whole.content:
            raise ArcalError(f"{source} holds the same inputs as {data}: give others")
        if one_per is not None:
            others[i], undrawn = drawn_if_there(one, source, one_per, rest)
            caveats += undrawn
        elif cluster is not None:
            others[i] = clustered_if_there(one, source, cluster, rest)
    return _Read(examples, whole, known, others, caveats)


def _seen_before(opened: OpenedClassifier, read: _Read) -> list[Caveat]:
    """Caveats if the model was trained or calibrated on these inputs."""
    audited = (read.whole.content, read.examples.content)
    calibrated = opened.calibrated_on is not None and opened.calibrated_on in audited
    return [*training_part(read.examples), *([CALIBRATED_ON] if calibrated else [])]


def _there_twice(read: _Read, data: str, reading: Reading) -> list[Caveat]:
    """Caveats if inputs are repeated, or are also in the validation, other or training data."""
    caveats = overlap(read.examples, read.validation, read.other)
    names = Names(reading.image, reading.label, reading.weight, reading.classes or None)
    images = read.examples.kind == "images" and not is_run_folder(data)
    if images and (line := shared_with_training(data, reading.part, names)):
        caveats.append(Caveat("Training images", line))
    return [*caveats, *repeated(read.examples)]


def _normalisation(opened: OpenedClassifier, examples: Examples) -> dict[str, str]:
    """The fact that no normalisation was added, for images that a model takes as they are."""
    title = "Normalisation"
    if examples.kind != "images" or opened.facts.get(title) != AS_THEY_ARE:
        return {}
    return {title: "none added: the model takes inputs in [0, 1]"}


def _otherwise_resized(opened: OpenedClassifier, examples: Examples) -> list[Caveat]:
    """A caveat if images are resized, but not in the way of the model's configuration."""
    if not (opened.not_imitated and getattr(examples.part, "resized", False)):
        return []
    said = (
        "the model's configuration resizes images in a way that arcal does not imitate, so these "
        f"are not as it expects ({examples.facts['Images']}): give images already resized"
    )
    return [Caveat("Preprocessing", said, about="scale")]


def _validation(
    source: str, opened: OpenedClassifier, reading: Reading, audited: Examples
) -> Examples:
    """The validation part of a data set, or without one the part that an audit takes by default.

    The audited inputs themselves are refused: calibrators would be judged on the inputs that they
    were fitted on.
    """
    if not reading.classes and known_classes(opened) is None and not audited.numbered:
        reading = replace(reading, classes=audited.classes)  # its labels may lack some
    examples = read_examples(source, opened, _part_for(source, reading))
    if examples.content == audited.content:
        raise ArcalError(
            f"--validation {source} is {audited.name}, the audited data: give other inputs, or "
            "leave it out"
        )
    return examples


def _part_for(validation: str, reading: Reading) -> Reading:
    """How validation data are read: their validation part, if they have one."""
    there = is_run_folder(validation) or "validation" in find_source(validation).parts
    return replace(reading, part="validation" if there else None)
