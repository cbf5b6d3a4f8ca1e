"""From what a user types to jobs: models by name, data by path, files of predictions."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from arcal.auditing import Audited, Caveat, EvaluationSet, groupings, without_zeros
from arcal.audits._examples import DRAWN, Examples, drawn_of_each
from arcal.audits._job import Job, panel_for
from arcal.audits._overlap import CALIBRATED_ON, overlap, repeated, training_part
from arcal.audits._prediction_files import SavedPredictions, read_predictions
from arcal.audits._read import (
    Reading,
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
from arcal.printable import first_few
from arcal.report.audited import WEIGHED_BY

log = logging.getLogger(__name__)

LABELLED = "Labels"
"""The title of how many inputs of a file have labels."""
NOT_USED = "Not used"
"""The title of the columns of a file that nothing reads."""


def open_predictions(
    paths: Sequence[str],
    names: Sequence[str],
    R: int,
    *,
    label: str | None = None,
    confidence: Sequence[str] = (),
    probabilities: Sequence[str] = (),
    weight: str | None = None,
    id: str | None = None,
    by: Sequence[str] = (),
    one_per: str | None = None,
    classes: Sequence[str] | None = None,
    labels_from: Path | None = None,
    class_names: Sequence[str] = (),
    text: Sequence[str] = (),
) -> list[Audited]:
    """Files of predictions as what was audited: all but robustness.

    `label`, `confidence`, `probabilities`, `weight`, `id`, `by` and `labels_from` are as for
    `read_predictions`, but that several names of `confidence` are one for each file. Rows are
    matched by their ids, and one is drawn of each value in the column `one_per`. A file of the same
    `classes`, or else of those of the first file, gets their order. `class_names` are those of
    lists of outputs, and of `probabilities`. The page shows of each input what is in the columns
    `text`.

    >>> import numpy as np
    >>> np.savez("mine.npz", probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 0])
    >>> open_predictions(["mine.npz"], ["mine"], R=10)[0].overall.accuracy.value
    0.5
    """
    audited: list[Audited] = []
    first: SavedPredictions | None = None
    sure = confidence if len(confidence) > 1 else [next(iter(confidence), None)] * len(paths)
    for path, name, column in zip(paths, names, sure, strict=True):
        own = (*by, *text, *(() if one_per is None else (one_per,)))
        named: dict[str, Any] = {"label": label, "confidence": column, "weight": weight}
        named |= {"id": id, "labels_from": labels_from, "probabilities": probabilities}
        saved = read_predictions(Path(path), by=own, names=class_names, **named)
        first = first or saved
        saved = saved.ordered_like(first).with_classes_like(classes or first.classes)
        N = len(saved.predictions.ids)
        with _naming(path):
            saved = saved if one_per is None else saved.one_per(one_per, first.weights)
            columns = {name: saved.by[name] for name in by}
            grouped = groupings(columns, len(saved.predictions.ids))
        predictions, zeros = without_zeros(saved.predictions)
        said = "; ".join(filter(None, (saved.scaled, zeros)))
        caveats = [Caveat("Probabilities", said)] if said else []
        if saved.doubt is not None:
            caveats.append(Caveat("Answers", saved.doubt))
        if (repeated_rows := saved.copies) is not None:
            caveats.append(Caveat("Repeated", repeated_rows))
        facts = {"Predictions": Path(path).name}
        if one_per is not None:
            facts[DRAWN] = drawn_of_each(one_per, len(predictions.ids), N)
        if saved.labelled is not None:
            facts[LABELLED] = saved.labelled
        if saved.weighed_by is not None:
            facts[WEIGHED_BY] = saved.weighed_by
        if column is not None:
            facts["Confidence"] = f"the column {column}"
        if probabilities:
            facts["Outputs"] = first_few(probabilities)
        if unused := [one for one in saved.unused if one not in confidence]:
            facts[NOT_USED] = first_few(unused)
        one = Audited(
            name=name,
            predictions=predictions,
            classes=saved.classes,
            weights=saved.weights,
            names=saved.names,
            texts=_texts({name: saved.by[name] for name in text}),
            groupings=grouped,
            R=R,
            facts=facts,
            caveats=caveats,
        )
        audited.append(one)
    return audited


def _texts(columns: Mapping[str, Any]) -> tuple[str, ...] | None:
    r"""What is in columns of N values, as text; nothing where there is none.

    Of several columns it is a line for each, which begins with its name; of none None.

    >>> import numpy as np
    >>> _texts({"question": np.array(["Who?"]), "answer": np.array([42])})
    ('question: Who?\nanswer: 42',)
    """
    lists = [
        column.to_pylist() if hasattr(column, "to_pylist") else column.tolist()
        for column in columns.values()
    ]
    texts = [["" if value is None else str(value) for value in column] for column in lists]
    if len(texts) < 2:
        return tuple(texts[0]) if texts else None
    return tuple(
        "\n".join(f"{name}: {one}" for name, one in zip(columns, row, strict=True) if one)
        for row in zip(*texts, strict=True)
    )


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """A block whose errors begin with the name of a file."""
    try:
        yield
    except ArcalError as error:
        raise ArcalError(f"{path}: {error}") from error


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
    by: Sequence[str] = (),
    R: int = 10,
    device: torch.device | None = None,
) -> Job:
    """One model on one data set, opened and held against each other, with nothing computed yet.

    `panel` None is the default: a few corruptions for images that are large enough. One input is
    drawn of each value in the column `one_per`, and `limit` of these. `device` is
    given where another process opens the job once more, on its own device and without what is said
    of inputs that are there twice.

    >>> path = Path("linear.py")
    >>> text = "from torch import nn; net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).eval()"
    >>> _ = path.write_text(text)
    >>> options = {"weights": None, "normalize": None, "name": "linear", "panel": None}
    >>> job = open_job("linear.py:net", "fashion", Reading(), Settings(), limit=50, **options)
    >>> len(job), len(job.settings.panel)
    (50, 4)
    """
    options: dict[str, Any] = {"weights": weights, "normalize": normalize, "name": name}
    options |= {
        "panel": panel,
        "validation": validation,
        "other": other,
        "limit": limit,
        "one_per": one_per,
        "by": by,
        "R": R,
    }
    again = replace(reading, check=False)  # of images that have been opened by then
    reopen = partial(open_job, spec, data, again, settings, **options)
    settings = replace(settings, device=device or settings.device)
    words = " ".join(normalize) if normalize else None
    opened = open_classifier(spec, weights=weights, normalize=words, device=settings.device)
    if reading.size is not None:  # the model's own preprocessing is not used, nor is it said
        facts = {k: v for k, v in opened.facts.items() if k != "Preprocessing"}
        opened = replace(opened, facts=facts, not_imitated=False)
    examples = read_examples(data, opened, reading, by=by, one_per=one_per)
    if words and examples.kind == "table":
        raise ArcalError(
            f"--normalize is for images, and {data} is a table: normalise its columns in the model"
        )
    whole = examples.content
    like = None if examples.part is None else examples.part.shape
    rest = replace(reading, part=None, weight=None, like=like)
    if examples.kind == "table":  # by name: another file may have them in another order
        rest = replace(rest, columns=examples.columns)
    known = None if validation is None else _validation(validation, opened, rest, examples)
    shared: list[Caveat] = []
    if one_per is not None:
        if known is not None and validation is not None:
            there = (data, reading, examples), (validation, _part_for(validation, rest), known)
            shared = shared_values(one_per, *there)
        examples = drawn_one_per(examples, data, one_per, reading)
    if limit is not None:
        if limit < 1:
            raise ArcalError(f"--limit {limit}: at least 1 input is needed")
        examples = examples.first(limit) if limit < len(examples) else examples
    others = [read_examples(one, opened, rest, foreign=True, one_per=one_per) for one in other]
    for i, (one, source) in enumerate(zip(others, other, strict=True)):
        if one.content == whole:
            raise ArcalError(f"{source} holds the same inputs as {data}: give others")
        if one_per is not None:
            others[i], undrawn = drawn_if_there(one, source, one_per, rest)
            shared += undrawn
    names = Names(reading.image, reading.label, reading.weight, reading.classes or None)
    settings = replace(settings, bounds=examples.bounds, panel=panel_for(panel, examples))
    facts = "; ".join(f"{key}: {one}" for key, one in opened.facts.items())
    log.info(f"opened {spec}: {facts}")
    twice = training_part(examples)
    if opened.calibrated_on is not None and opened.calibrated_on in (whole, examples.content):
        twice.append(CALIBRATED_ON)
    images = examples.kind == "images"
    if device is None:
        twice += overlap(examples, known, others)
        if images and (line := shared_with_training(data, reading.part, names)):
            twice.append(Caveat("Training images", line))
        twice += repeated(examples)
    return Job(
        name=name,
        model=opened.model,
        examples=examples,
        classes=reading.classes or opened.class_names,
        validation=known,
        other=others,
        settings=settings,
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
            *twice,
            *shared,
        ],
        options=("--classes", "--normalize") if images else ("--classes",),
        R=R,
        reopen=reopen,
    )


def _normalisation(opened: OpenedClassifier, examples: Examples) -> dict[str, str]:
    """What images are like when a model takes them as they are, which its name does not say."""
    title = "Normalisation"
    if examples.kind != "images" or opened.facts.get(title) != AS_THEY_ARE:
        return {}
    return {title: "none added: the model takes inputs in [0, 1]"}


def _otherwise_resized(opened: OpenedClassifier, examples: Examples) -> list[Caveat]:
    """What is to be said of images that are not resized as the model's configuration does."""
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
    """The validation part of a data set, or the part that is audited otherwise.

    The audited inputs themselves are refused: calibrators would be shown on what they were fitted
    on.
    """
    if not reading.classes and known_classes(opened) is None and not audited.numbered:
        reading = replace(reading, classes=audited.classes)  # of which it may lack some
    examples = read_examples(source, opened, _part_for(source, reading))
    if examples.content == audited.content:
        raise ArcalError(
            f"--validation {source} is {audited.name}, the audited data: give other inputs, or "
            "leave it out"
        )
    return examples


def _part_for(validation: str, reading: Reading) -> Reading:
    """How validation data are read: their validation part if they have one."""
    part = "validation" if "validation" in find_source(validation).parts else None
    return replace(reading, part=part)
