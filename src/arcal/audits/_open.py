"""From what a user types to a job: a model by name, data by path."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

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
from arcal.classifiers import AS_THEY_ARE, OpenedClassifier
from arcal.data.listings import Names
from arcal.data.overlap import shared_with_training
from arcal.data.sources import find_source
from arcal.errors import ArcalError
from arcal.report.audited import WEIGHED_BY
from arcal.store import is_run_folder
from arcal.training.opened_run import open_model

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class NamedModel:
    """A model by its name, with a file of its weights and a normalisation of its inputs."""

    spec: str
    weights: Path | None = None
    normalize: Sequence[str] = ()


@dataclass(frozen=True)
class NamedData:
    """Data by their path, how they are read, and which of them are drawn.

    The inputs are grouped `by` columns. One input is drawn for each value in the column `one_per`,
    and `limit` of these. Inputs with the same value in the column `cluster` belong together.
    `validation` and `other` are the paths of further data.
    """

    path: str
    reading: Reading = field(default_factory=Reading)
    by: Sequence[str] = ()
    one_per: str | None = None
    cluster: str | None = None
    limit: int | None = None
    validation: str | None = None
    other: Sequence[str] = ()


def open_job(
    model: NamedModel,
    data: NamedData,
    settings: Settings,
    *,
    name: str,
    panel: Sequence[EvaluationSet] | None,
    R: int = 10,
    positive: str | None = None,
    device: torch.device | None = None,
) -> Job:
    """One model on one data set, opened and checked against each other, with nothing computed yet.

    `panel` None is the default: a few corruptions for images that are large enough. `device` is
    given if another process opens the job again, on its own device and without looking for repeated
    inputs.
    """
    reading = data.reading
    again = replace(data, reading=replace(reading, check=False))  # images are checked by then
    reopen = partial(
        open_job, model, again, settings, name=name, panel=panel, R=R, positive=positive
    )
    settings = replace(settings, device=device or settings.device)
    words = " ".join(model.normalize) if model.normalize else None
    opened = open_model(model.spec, weights=model.weights, normalize=words, device=settings.device)
    if reading.size is not None:  # the model's own preprocessing is neither used nor reported
        facts = {k: v for k, v in opened.facts.items() if k != "Preprocessing"}
        opened = replace(opened, facts=facts, not_imitated=False)
    whole = read_examples(
        data.path, opened, reading, by=data.by, one_per=data.one_per, cluster=data.cluster
    )
    if data.cluster is not None:
        whole = clustered_by(whole, data.path, data.cluster, reading)
    if words and whole.kind == "table":
        raise ArcalError(
            f"--normalize is for images, and {data.path} is a table: normalise its columns in the "
            "model"
        )
    read = _with_others(whole, data, opened)
    examples, images = read.examples, read.examples.kind == "images"
    facts = "; ".join(f"{key}: {one}" for key, one in opened.facts.items())
    log.info(f"opened {model.spec}: {facts}")
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
            *([] if device is not None else _there_twice(read, data)),
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


def _with_others(whole: Examples, data: NamedData, opened: OpenedClassifier) -> _Read:
    """The audited inputs, drawn from the `whole`, with validation and other data."""
    like = None if whole.part is None else whole.part.shape
    rest = replace(data.reading, part=None, weight=None, like=like)
    if whole.kind == "table":  # by name, because another file may have another order of columns
        rest = replace(rest, columns=whole.columns)
    known, caveats = None, list[Caveat]()
    if data.validation is not None:
        known = _validation(data.validation, opened, rest, whole)
        there = data.validation, _part_for(data.validation, rest), known
        for column in dict.fromkeys(filter(None, (data.one_per, data.cluster))):
            caveats += shared_values(column, (data.path, data.reading, whole), there)
    examples = whole
    if data.one_per is not None:
        examples = drawn_one_per(whole, data.path, data.one_per, data.reading)
    if data.limit is not None and data.limit < 1:
        raise ArcalError(f"--limit {data.limit}: at least 1 input is needed")
    read = partial(read_examples, foreign=True, one_per=data.one_per, cluster=data.cluster)
    others = [read(one, opened, rest) for one in data.other]
    for i, (one, source) in enumerate(zip(others, data.other, strict=True)):
        if one.content == whole.content:
            raise ArcalError(f"{source} holds the same inputs as {data.path}: give others")
        if data.one_per is not None:
            others[i], undrawn = drawn_if_there(one, source, data.one_per, rest)
            caveats += undrawn
        elif data.cluster is not None:
            others[i] = clustered_if_there(one, source, data.cluster, rest)
    return _Read(examples.limited(data.limit), whole, known, others, caveats)


def _seen_before(opened: OpenedClassifier, read: _Read) -> list[Caveat]:
    """Caveats if the model was trained or calibrated on these inputs."""
    audited = (read.whole.content, read.examples.content)
    calibrated = opened.calibrated_on is not None and opened.calibrated_on in audited
    return [*training_part(read.examples), *([CALIBRATED_ON] if calibrated else [])]


def _there_twice(read: _Read, data: NamedData) -> list[Caveat]:
    """Caveats if inputs are repeated, or are also in the validation, other or training data."""
    caveats = overlap(read.examples, read.validation, read.other)
    how = data.reading
    names = Names(how.image, how.label, how.weight, how.classes or None)
    images = read.examples.kind == "images" and not is_run_folder(data.path)
    if images and (line := shared_with_training(data.path, how.part, names)):
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
