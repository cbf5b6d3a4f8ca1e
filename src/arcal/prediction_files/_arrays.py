"""The arrays of a `.npz` file of predictions, told apart by their names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from arcal.errors import ArcalError
from arcal.prediction_files._answers import (
    CONFIDENCE,
    NOT_TOLD,
    correct_of,
    doubt_of,
    labels_among,
)
from arcal.prediction_files._chosen import classes_of_chosen
from arcal.prediction_files._entries import ColumnNames, Entries
from arcal.prediction_files._tables import IDS, OUTPUTS, WEIGHTS, known, named


def arrays_in(
    path: Path, called: ColumnNames, classes: Sequence[str] = (), *, labelled: bool = True
) -> Entries:
    """The arrays of a `.npz` file, each found by the first of its possible names.

    `classes` are the model's, if known: they name the arrays of probabilities that the user chose
    if the file is not `labelled`.

    >>> np.savez("mine.npz", p=[0.25, 0.75], labels=[0, 1])
    >>> arrays_in(Path("mine.npz"), ColumnNames(probabilities=["p"])).outputs
    {'probabilities': array([[0.25],
           [0.75]])}
    """
    if called.labels_from is not None:
        raise ArcalError("--labels-from is for tables of predictions: leave it out")
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    if any(isinstance(array, bytes) for array in arrays.values()):
        raise ArcalError("one of its members is not an array: write it with numpy.savez")
    beside = called.beside([*arrays])
    chosen = bool(called.probabilities) or called.confidence is not None
    outputs = {} if chosen else _usual_outputs(arrays)
    named_classes = called.confidence is None and len(called.probabilities) < 2
    classes_name = "classes" if named_classes and "classes" in arrays else None
    label = labels_among(arrays, called, _fractions) if labelled else None
    id_name, weight = named(beside, IDS, called.id), named(beside, WEIGHTS, called.weight)
    entries = Entries(
        outputs={kind: arrays[name] for kind, name in outputs.items()},
        classes=None if classes_name is None else arrays[classes_name],
        labels=None if label is None else arrays[label],
        ids=None if id_name is None else arrays[id_name],
        weights=None if weight is None else arrays[weight],
        weighed_by=None if weight is None else f"the array {weight}",
        by={name: arrays[known([*arrays], name)] for name in called.by},
    )
    read = {*called.by, *outputs.values(), classes_name, label, id_name, weight}
    if called.probabilities:
        read |= _chosen(arrays, called, entries, () if labelled else classes)
    confidence = named([*arrays], CONFIDENCE, called.confidence)
    if confidence is not None and not entries.outputs:
        read |= _answers(arrays, confidence, called, entries, labelled=labelled)
    entries.unused = tuple(name for name in arrays if name not in read)
    return entries


def _usual_outputs(arrays: Mapping[str, Any]) -> dict[str, str]:
    """The names of the arrays of logits and of probabilities, by kind."""
    usual = {
        kind: next((one for one in names if one in arrays), None) for kind, names in OUTPUTS.items()
    }
    return {kind: name for kind, name in usual.items() if name is not None}


def _answers(
    arrays: Mapping[str, Any],
    confidence: str,
    called: ColumnNames,
    entries: Entries,
    *,
    labelled: bool,
) -> set[str]:
    """Read the confidences, and which answers were right; return the names of the arrays read."""
    if not labelled:
        entries.answers = arrays[confidence], np.ones(len(arrays[confidence]))
        return {confidence}
    right = correct_of(arrays, called.label)
    if right is None:
        if called.confidence is not None:
            raise ArcalError(NOT_TOLD)
        return set()
    correct, names = right
    entries.answers = arrays[confidence], correct
    entries.doubt = doubt_of(confidence, arrays[confidence], arrays, names)
    return {confidence, *names}


def _fractions(array: np.ndarray) -> bool:
    return array.dtype.kind == "f" and bool((array != np.floor(array)).any())


def _chosen(
    arrays: Mapping[str, Any], called: ColumnNames, entries: Entries, classes: Sequence[str]
) -> set[str]:
    """Read the probabilities that the user names: one array for all classes, or one per class."""
    of = [known([*arrays], name) for name in called.probabilities]
    rows = [arrays[name] for name in of]
    if len(of) == 1 and rows[0].ndim == 2 and rows[0].shape[1] > 1:
        entries.outputs["probabilities"] = rows[0]
        return {*of}
    N = rows[0].shape[:1]
    for name, column in zip(of, rows, strict=True):
        if not N or column.shape not in (N, (*N, 1)):
            raise ArcalError(
                f"--probabilities {name}: it has shape {column.shape}: give one number of each "
                "input in each array, or those of all classes in one"
            )
    entries.outputs["probabilities"] = np.column_stack(rows)
    if entries.classes is None:
        names = classes_of_chosen(of, entries.labels, classes, called.classes)
        entries.classes = None if names is None else np.array(names)
    return {*of}
