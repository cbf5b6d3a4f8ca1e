"""From what a user types to jobs: models by name, data by path, files of predictions."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from arcal.arrays import places_of
from arcal.auditing import Audited, Caveat, EvaluationSet, Grouping, groupings, without_zeros
from arcal.audits._examples import Examples, overlap
from arcal.audits._job import Job, panel_for
from arcal.audits._prediction_files import SavedPredictions, read_predictions
from arcal.audits.blocks import Settings
from arcal.classifiers import AS_THEY_ARE, GENERIC, OpenedClassifier, open_classifier
from arcal.console import bar
from arcal.data import Part, kind_of, load_columns, load_part, load_table, load_texts
from arcal.data.listings import Names
from arcal.data.overlap import shared_with_training
from arcal.data.sources import find_source
from arcal.errors import ArcalError
from arcal.printable import first_few
from arcal.report.audited import WEIGHED_BY

log = logging.getLogger(__name__)

LISTED = 10
"""Broken images that an error message lists."""

OF_KINDS = {
    "image": "images",
    "text": "texts",
    "columns": "table",
    "size": "images",
    "crop": "images",
    "channels": "images",
    "check": "images",
    "skip_broken": "images",
}
"""The kind of data that some ways of reading are of; the others are of all."""


@dataclass(frozen=True)
class Reading:
    """How a data set is read: which part, which columns, how images are brought to one size.

    What is None is decided by the data, and the size by the model's configuration if it says.
    `classes` are the names of the model's classes in its order, if it does not say them itself.
    `like` is the shape `(C, H, W)` of the audited images, which others are brought to.

    >>> Reading(part="validation", size=32).crop
    'centre'
    """

    part: str | None = None
    image: str | None = None
    text: str | None = None
    label: str | None = None
    columns: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    weight: str | None = None
    size: int | None = None
    crop: str = "centre"
    channels: int | None = None
    check: bool = False
    skip_broken: bool = False
    like: tuple[int, ...] | None = None


def open_predictions(
    paths: Sequence[str],
    names: Sequence[str],
    R: int,
    *,
    label: str | None = None,
    weight: str | None = None,
    id: str | None = None,
    by: Sequence[str] = (),
    classes: Sequence[str] | None = None,
) -> list[Audited]:
    """Files of predictions as what was audited: all but robustness.

    `label`, `weight`, `id` and `by` are as for `read_predictions`. Rows are matched by their ids.
    A file of the same `classes`, or else of those of the first file, gets their order.

    >>> import numpy as np
    >>> np.savez("mine.npz", probabilities=[[0.75, 0.25], [0.25, 0.75]], labels=[0, 0])
    >>> open_predictions(["mine.npz"], ["mine"], R=10)[0].overall.accuracy.value
    0.5
    """
    audited: list[Audited] = []
    first: SavedPredictions | None = None
    for path, name in zip(paths, names, strict=True):
        saved = read_predictions(Path(path), label=label, weight=weight, id=id, by=by)
        first = first or saved
        saved = saved.ordered_like(first).with_classes_like(classes or first.classes)
        predictions, zeros = without_zeros(saved.predictions)
        said = "; ".join(filter(None, (saved.scaled, zeros)))
        facts = {"Predictions": Path(path).name}
        if saved.weighed_by is not None:
            facts[WEIGHED_BY] = saved.weighed_by
        if saved.unused:
            facts["Not used"] = first_few(saved.unused)
        one = Audited(
            name=name,
            predictions=predictions,
            classes=saved.classes,
            weights=saved.weights,
            names=saved.names,
            groupings=_groupings(path, saved),
            R=R,
            facts=facts,
            caveats=[Caveat("Probabilities", said)] if said else [],
        )
        audited.append(one)
    return audited


def _groupings(path: str, saved: SavedPredictions) -> Sequence[Grouping]:
    try:
        return groupings(saved.by, len(saved.predictions.ids))
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
    by: Sequence[str] = (),
    R: int = 10,
    device: torch.device | None = None,
) -> Job:
    """One model on one data set, opened and held against each other, with nothing computed yet.

    `panel` None is the default: a few corruptions for images that are large enough. `device` is
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
        opened = replace(opened, facts=facts)
    examples = read_examples(data, opened, reading, by=by)
    if words and examples.kind == "table":
        raise ArcalError(
            f"--normalize is of images, and {data} is a table: normalise its columns in the model"
        )
    whole = examples.content
    like = None if examples.part is None else examples.part.shape
    rest = replace(reading, part=None, weight=None, like=like)
    if examples.kind == "table":  # by name: another file may have them in another order
        rest = replace(rest, columns=examples.columns)
    known = None if validation is None else _validation(validation, opened, rest, examples)
    if limit is not None:
        if limit < 1:
            raise ArcalError(f"--limit {limit}: at least 1 input is needed")
        examples = examples.first(limit) if limit < len(examples) else examples
    others = [read_examples(one, opened, rest, foreign=True) for one in other]
    for one, source in zip(others, other, strict=True):
        if one.content == whole:
            raise ArcalError(f"{source} holds the same inputs as {data}: give others")
    names = Names(reading.image, reading.label, reading.weight, reading.classes or None)
    settings = replace(settings, bounds=examples.bounds, panel=panel_for(panel, examples))
    facts = "; ".join(f"{key}: {one}" for key, one in opened.facts.items())
    log.info(f"opened {spec}: {facts}")
    twice: list[Caveat] = []
    images = examples.kind == "images"
    if device is None:
        twice = overlap(examples, known, others)
        if images and (line := shared_with_training(data, reading.part, names)):
            twice.append(Caveat("Training images", line))
    return Job(
        name=name,
        model=opened.model,
        examples=examples,
        classes=reading.classes or opened.class_names,
        validation=known,
        other=others,
        settings=settings,
        fingerprint=opened.fingerprint(),
        facts={
            **opened.facts,
            **_normalisation(opened, examples),
            **examples.facts,
            **({} if reading.weight is None else {WEIGHED_BY: f"the column {reading.weight}"}),
        },
        caveats=[*opened.caveats, *examples.caveats, *twice],
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


def _validation(
    source: str, opened: OpenedClassifier, reading: Reading, audited: Examples
) -> Examples:
    """The validation part of a data set, or the part that is audited otherwise.

    The audited inputs themselves are refused: calibrators would be shown on what they were fitted
    on.
    """
    part = "validation" if "validation" in find_source(source).parts else None
    if not reading.classes and _known_classes(opened) is None and not audited.numbered:
        reading = replace(reading, classes=audited.classes)  # of which it may lack some
    examples = read_examples(source, opened, replace(reading, part=part))
    if examples.content == audited.content:
        raise ArcalError(
            f"--validation {source} is {audited.name}, the audited data: give other inputs, or "
            "leave it out"
        )
    return examples


def read_examples(
    source: str,
    opened: OpenedClassifier,
    reading: Reading,
    *,
    foreign: bool = False,
    by: Sequence[str] = (),
) -> Examples:
    """The inputs at a path, as this model takes them, grouped `by` columns.

    `foreign` ones are of any classes, or of none.
    """
    examples = _ungrouped(source, opened, reading, foreign=foreign, by=by)
    if not by:
        return examples
    try:
        ids, columns = load_columns(source, by, part=reading.part, image=reading.image)
        rows = places_of(examples.ids, ids)
        return examples.grouped(
            {name: column.take(rows.numpy()) for name, column in columns.items()}
        )
    except ArcalError as error:
        raise ArcalError(f"--by {' '.join(by)}: {error}") from error


def _ungrouped(
    source: str, opened: OpenedClassifier, reading: Reading, *, foreign: bool, by: Sequence[str]
) -> Examples:
    kind = opened.kind or kind_of(
        source,
        part=reading.part,
        image=reading.image,
        text=reading.text,
        columns=reading.columns or None,
        label=reading.label,
    )
    _refuse_other_flags(source, kind, reading)
    named: dict[str, Any] = {
        "part": reading.part,
        "label": reading.label,
        "weight": reading.weight,
        "classes": None if foreign else reading.classes or _known_classes(opened),
        "labelled": not foreign,
    }
    if kind == "texts":
        return _texts(source, opened, reading, named)
    if kind == "table":
        return _table(source, reading, named | {"by": by})
    return Examples.from_part(_images(source, opened, reading, named))


def _refuse_other_flags(source: str, kind: str, reading: Reading) -> None:
    """Refuse what would be ignored: how other kinds of data are read."""
    usual = Reading()
    for name, its_kind in OF_KINDS.items():
        if kind != its_kind and getattr(reading, name) != getattr(usual, name):
            raise ArcalError(
                f"--{name.replace('_', '-')} is of {its_kind}, and {source} is read as {kind}: "
                "leave it out"
            )


def _known_classes(opened: OpenedClassifier) -> tuple[str, ...] | None:
    """The model's class names, for labels that are names; none if they say only a number."""
    names = opened.class_names
    return None if names is None or all(GENERIC.fullmatch(name) for name in names) else names


def _table(source: str, reading: Reading, named: Mapping[str, Any]) -> Examples:
    return Examples.from_table(load_table(source, columns=reading.columns or None, **named))


def _images(
    source: str, opened: OpenedClassifier, reading: Reading, named: Mapping[str, Any]
) -> Part:
    settings: dict[str, Any] = {"image": reading.image, "channels": reading.channels, **named}
    shape = opened.input_shape or reading.like
    if settings["channels"] is None and shape is not None and len(shape) == 3:
        settings["channels"] = shape[0] if shape[0] in (1, 3) else None
    how = opened.preprocessing
    view: dict[str, Any] = {"crop": reading.crop}
    size: Any = reading.size
    if size is None and how is not None:
        size = how.size
        view = {"resize": how.resize or how.size, "interpolation": how.interpolation}
    elif size is None and shape is not None and len(shape) == 3:
        size = tuple(shape[1:])
    opens_all = reading.check or reading.skip_broken
    with bar(f"opening {source}", "images") if opens_all else nullcontext() as progress:
        if progress is not None:
            settings |= {"skip_broken": True, "progress": progress}
        return _checked(load_part(source, size=size, keep=True, **view, **settings), reading)


def _checked(part: Any, reading: Reading) -> Part:
    """The part, without the images that cannot be read if that is wanted."""
    broken = () if reading.skip_broken else getattr(part, "skipped", ())
    if broken:
        some = "; ".join(f"{one.where}: {one.reason}" for one in broken[:LISTED])
        more = f"; and {len(broken) - LISTED} more" if len(broken) > LISTED else ""
        raise ArcalError(
            f"{len(broken)} of {len(part) + len(broken)} images cannot be read ({some}{more}): "
            "mend them, or leave them out with --skip-broken"
        )
    return part


def _texts(
    source: str, opened: OpenedClassifier, reading: Reading, named: Mapping[str, Any]
) -> Examples:
    if opened.tokenize is None:
        raise ArcalError(
            f"{opened.name} takes no texts, and {source} holds some: name a sequence classifier "
            "as hf:FOLDER"
        )
    texts = load_texts(source, text=reading.text, **named)
    tokenize = opened.tokenize.shortened(texts.texts)

    def chosen(positions: Tensor) -> list[str]:
        return [texts.texts[i] for i in positions.tolist()]

    return Examples.labelled_as(
        texts,
        lambda positions: tokenize(chosen(positions)),
        token_ids=lambda positions: tokenize.token_ids(chosen(positions)),
        kind="texts",
        bounds=None,
        texts=texts.texts,
        facts={
            "Texts": f"cut or padded to {tokenize.length} tokens",
            "Distances": "between embeddings; a perturbed embedding stands for no word",
        },
    )
